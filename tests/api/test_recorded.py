"""Each answer that the existing application was recorded with is given again, over every database."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from api.conftest import Asked
from conftest import LEGACY

RECORDED = LEGACY.parent.parent / "reference" / "legacy-responses.json"
PAIRS: list[dict[str, Any]] = json.loads(RECORDED.read_text("utf-8")) if RECORDED.exists() else []

# What is not here yet: docs/api.md names it. Without the pairs that the endpoint refuses before it starts.
COLLECTING = re.compile(
    r"POST /api/data-collection/|POST /api/(funding-rates|open-interest)/(bulk-)?collect"
    r"|GET /api/(funding-rates|open-interest)/current|GET /api/data-collection/test-modified"
)
ENGINES = re.compile(r"POST /api/(backtest/|auto-strategy/(generate|test-strategy)|strategies/showcase/gen)")


def name(pair: Mapping[str, Any]) -> str:
    asked = pair["request"]
    return f"{asked['method']} {asked['path']} {json.dumps(asked['query'], ensure_ascii=False)}"


def pairs(group: str) -> list[Any]:
    """The pairs of a group, but for those whose endpoint is not here or is mended."""
    found = []
    for pair in PAIRS:
        said = f"{pair['request']['method']} {pair['request']['path']}"
        started = ENGINES.match(said) and pair["status"] != 422
        if pair["group"] == group and not COLLECTING.match(said) and not started and not _mended(pair):
            found.append(pair)
    return found


def _mended(pair: Mapping[str, Any]) -> bool:
    asked = pair["request"]
    return (
        "+09:00" in str(asked["query"].get("start_date"))
        or asked["path"] == "/api/backtest/results/3"
        or asked["query"].get("sort_by") == "metadata"
        or asked["query"].get("auto_fetch") == "true"
        or asked["path"] == "/api/data-reset/symbol/XRP%2FUSDT%3AUSDT"
        or asked["path"].startswith("/api/auto-strategy/experiments/1/")
        or (pair["status"] == 500 and "Invalid isoformat" in str(pair["body"]))
    )


def check(asked: Asked, pair: Mapping[str, Any]) -> None:
    request = pair["request"]
    answer = asked(request["path"], request["method"], params=request["query"] or None, json=request["body"])
    said = answer.json()
    assert answer.status_code == pair["status"], said
    assert like_recorded(said, pair["body"], aware=asked.aware) == pair["body"]


def like_recorded(said: Any, recorded: Any, *, aware: bool) -> Any:
    """What was said as it is recorded: lists cut, moments of answering left out, offsets of a server too."""
    if isinstance(said, dict):
        known = recorded if isinstance(recorded, dict) else {}
        told = {
            key: like_recorded(value, known.get(key), aware=aware)
            for key, value in said.items()
            if key != "url"
        }
        counts = {}
        for key, value in told.items():
            if isinstance(value, list) and len(value) > 5:
                told[key], counts[key] = value[:5], len(value)
        return told | ({"_count": counts} if counts else {})
    if isinstance(said, list):
        known_rows = recorded if isinstance(recorded, list) else []
        return [
            like_recorded(each, known_rows[at] if at < len(known_rows) else None, aware=aware)
            for at, each in enumerate(said)
        ]
    if recorded == "<now>":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?", said)
        return recorded
    if aware and isinstance(said, str) and said.endswith("+00:00"):
        return said.removesuffix("+00:00")
    return said


@pytest.mark.skipif(not PAIRS, reason=f"the recorded answers are not here: {RECORDED}")
def test_reading_answers_as_recorded(api: Asked) -> None:
    asked = pairs("read")
    assert len(asked) > 50
    for pair in asked:
        with_name = name(pair)
        try:
            check(api, pair)
        except AssertionError as error:
            raise AssertionError(f"{with_name}: {error}") from None


@pytest.mark.skipif(not PAIRS, reason=f"the recorded answers are not here: {RECORDED}")
@pytest.mark.parametrize("group", ["reset", "reset-all", "delete"])
def test_changing_answers_as_recorded_in_their_order(undone: Asked, group: str) -> None:
    for pair in pairs(group):
        check(undone, pair)


@pytest.mark.skipif(not PAIRS, reason=f"the recorded answers are not here: {RECORDED}")
def test_candles_of_the_symbol_that_is_collected_answer_as_recorded(undone: Asked) -> None:
    home = undone.client.app.state.home  # type: ignore[attr-defined]
    with home.session() as session:
        for hour in range(3):
            session.execute(
                sa.text(
                    "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
                    f" VALUES ('BTC/USDT:USDT', '1h', '2025-01-01 0{hour}:00:00.000000', 1, 2, 1, 1.5, 3)"
                )
            )
        session.commit()
    for pair in pairs("btc"):
        check(undone, pair)
