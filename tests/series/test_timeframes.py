"""Where bars begin, how long they are, and which are made of which."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trdinger.errors import UsageError
from trdinger.series.timeframes import divides, first_open, known, origin, width

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("timeframe", "hours"), [("1m", 1 / 60), ("15m", 0.25), ("4h", 4), ("1d", 24), ("2w", 336)]
)
def test_a_width_is_in_microseconds(timeframe: str, hours: float) -> None:
    assert width(timeframe) == hours * HOUR


@pytest.mark.parametrize("text", ["", "1", "m", "0m", "1M", "1s", "-1h", "1.5h", "1h ", "123456m", "１h"])
def test_anything_else_is_no_timeframe(text: str) -> None:
    with pytest.raises(UsageError, match="is no timeframe"):
        width(text)


def test_a_week_begins_on_monday_and_a_day_at_midnight_utc() -> None:
    for timeframe, weekday in (("1w", 0), ("2w", 0)):
        at = first_open(timeframe, _at(2024, 3, 14, 5))
        assert datetime.fromtimestamp(at / 1e6, UTC).weekday() == weekday
        assert (at - origin(timeframe)) % width(timeframe) == 0
    assert first_open("1d", _at(2024, 3, 14, 5)) == _at(2024, 3, 15)
    assert first_open("1d", _at(2024, 3, 14)) == _at(2024, 3, 14)
    assert first_open("1d", _at(1960, 3, 14, 5)) == _at(1960, 3, 15)


def test_which_bars_are_made_of_which() -> None:
    assert divides("1m", "15m")
    assert divides("4h", "1w")
    assert divides("1d", "1w")
    assert not divides("15m", "1m")
    assert not divides("7m", "1h")
    assert not divides("2d", "1w")
    assert not divides("5d", "35d")
    assert known(["x", "1d", "1m", "4h", "all"]) == ["1m", "4h", "1d"]


def _at(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type,misc]
