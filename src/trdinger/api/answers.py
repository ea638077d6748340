"""What the endpoints answer with: JSON as it is, the moment of answering, and errors as before."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse

from trdinger.records.table import finite


class Answer(JSONResponse):
    """JSON of plain values, written once. A number that is not finite is null, as JSON has no other word."""

    def render(self, content: Any) -> bytes:
        try:
            text = _written(content)
        except ValueError:  # NaN or Infinity, which are rare: nobody looks for them before
            text = _written(finite(content))
        return text.encode("utf-8", "backslashreplace")  # a lone surrogate is written as JSON's own \\uXXXX


class Refused(HTTPException):
    """An answer that is no success; `detail` is a sentence, or what the market data's helper makes of it."""


def now() -> str:
    """The moment of answering: local, without an offset, as clients know it."""
    return datetime.now().isoformat()  # noqa: DTZ005


def market_data(data: Any, message: str, **more: Any) -> Answer:
    """What the market data's endpoints wrap their answers in."""
    return Answer({"success": True, "data": data, "message": message, "timestamp": now(), **more})


def market_data_error(status: int, message: str, code: str) -> Refused:
    """What they wrap their errors in."""
    told = {"success": False, "message": message, "timestamp": now(), "error_code": code}
    return Refused(status, told)


def not_yet(what: str) -> Refused:
    """The answer of an endpoint whose work another program does, as long as none is plugged in."""
    return Refused(501, f"{what} is not there yet: this server has no engine for it.")


def _written(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
