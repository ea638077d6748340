"""The rejects file: rows that the target cannot hold, each with all its values, one JSON object a line.

    {"trdinger": "rejects", "version": 1, "run": "…", "source": "…/trdinger.db"}
    {"table": "ohlcv_data", "row": 17, "reasons": [{"column", "value", "reason"}], "values": {…}}

Lossless and made to be mended by hand. A value is null; a number without point or exponent for
INTEGER, with one for REAL; a string for TEXT; {"real": "Infinity"}, {"text_base64": "…"} for text
that is not UTF-8, {"blob_base64": "…"}. Nothing here knows a target.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from trdinger.errors import SourceError, UsageError
from trdinger.legacy.judging import BadValue, Change, Reject
from trdinger.legacy.source import Text
from trdinger.legacy.values import Stored

NAME = "rejects.jsonl"
_VERSION = 1
_MEND = "Mend the line, or take it from a copy of the file."


@dataclass(frozen=True)
class Header:
    """The first line of a rejects file. run: the move or import that rejected; source: its file."""

    run: str
    source: str


class Writer:
    """Writes one JSON Lines file; complete, and under its name, when the block of `writing` ends."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.lines = 0

    def reject(self, reject: Reject) -> None:
        """Add a row."""
        self._line(
            {
                "table": reject.table,
                "row": reject.row,
                "reasons": [
                    {"column": bad.column, "value": bad.value, "reason": bad.reason} for bad in reject.reasons
                ],
                "values": {name: encode(stored) for name, stored in reject.values.items()},
            }
        )

    def change(self, change: Change) -> None:
        """Add a value that was changed."""
        self._line(vars(change))

    def _line(self, told: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(told, ensure_ascii=True) + "\n")
        self.lines += 1


@contextmanager
def writing(path: Path, run: str, source: str, *, what: str = "rejects") -> Iterator[Writer]:
    """A new file; at the end of the block it takes the place of one of that name, which nothing else does.

    An empty one is not kept. Raises SourceError where it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="ascii") as file:
            header = {"trdinger": what, "version": _VERSION, "run": run, "source": source}
            file.write(json.dumps(header) + "\n")
            writer = Writer(file)
            yield writer
            file.flush()
            os.fsync(file.fileno())
        if writer.lines:
            part.replace(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be written: {error.strerror}.",
            hint="Free the space or name another folder with --workdir.",
        ) from None
    finally:
        part.unlink(missing_ok=True)


def header(path: Path) -> Header:
    """The first line. Raises UsageError for anything but a rejects file."""
    with _opened(path) as file:
        return _header(path, file.readline())


def read(path: Path) -> Iterator[Reject]:
    """Every row of a rejects file. Raises UsageError for a line that is none, by its number."""
    with _opened(path) as file:
        _header(path, file.readline())
        for number, line in enumerate(file, 2):
            if line.strip():
                yield _reject(path, number, line)


def encode(stored: Stored) -> Any:
    """A value for JSON, losslessly."""
    if isinstance(stored, Text):
        try:
            return stored.decode("utf-8")
        except UnicodeDecodeError:
            return {"text_base64": base64.b64encode(stored).decode("ascii")}
    if isinstance(stored, bytes):
        return {"blob_base64": base64.b64encode(stored).decode("ascii")}
    if isinstance(stored, float) and not math.isfinite(stored):
        return {"real": "NaN" if math.isnan(stored) else "Infinity" if stored > 0 else "-Infinity"}
    return stored


def decode(told: Any) -> Stored:
    """What `encode` was given. Raises ValueError for what it never gives."""
    if isinstance(told, bool):
        return int(told)
    if told is None or isinstance(told, int) or (isinstance(told, float) and math.isfinite(told)):
        return told
    if isinstance(told, str):
        return Text(told.encode("utf-8"))  # a lone surrogate is a ValueError
    if isinstance(told, dict) and len(told) == 1:
        ((kind, text),) = told.items()
        if kind == "real" and text in {"Infinity", "-Infinity", "NaN"}:
            return float(text)
        if kind in {"text_base64", "blob_base64"} and isinstance(text, str):
            data = base64.b64decode(text, validate=True)
            return Text(data) if kind == "text_base64" else data
    raise ValueError(f"no value: {json.dumps(told)[:80]}")


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    try:
        with path.open(encoding="utf-8") as file:
            yield file
    except FileNotFoundError:
        raise UsageError(
            f"There is no file {path}.", hint=f"A move that rejects rows names its {NAME} at its end."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8, so it is no rejects file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _header(path: Path, line: str) -> Header:
    try:
        told = json.loads(line)
        if told["trdinger"] == "rejects" and told["version"] == _VERSION:
            return Header(str(told["run"]), str(told["source"]))
    except (ValueError, KeyError, TypeError):
        pass
    raise UsageError(
        f"{path} is no rejects file of this version: its first line is no header.",
        hint=f"Name the {NAME} that a move wrote, its first line as it was.",
    )


def _reject(path: Path, number: int, line: str) -> Reject:
    try:
        told = json.loads(line)
        table, row = told["table"], told["row"]
        if not isinstance(table, str) or isinstance(row, bool) or not isinstance(row, int | str):
            raise TypeError
        reasons = tuple(
            BadValue(table, row, str(one["column"]), str(one["value"]), str(one["reason"]))
            for one in told["reasons"]
        )
        values = {str(name): decode(value) for name, value in told["values"].items()}
    except (KeyError, TypeError, AttributeError):
        raise UsageError(f"{path} line {number} is no rejected row.", hint=_MEND) from None
    except (ValueError, binascii.Error) as error:
        raise UsageError(f"{path} line {number}: {error}.", hint=_MEND) from None
    return Reject(table, row, values, reasons)
