"""What a sample may be asked for, and what is said where it may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from trdinger.errors import UsageError
from trdinger.sample import SampleOptions
from trdinger.sample.options import TIMEFRAMES
from trdinger.sample.plan import plan


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rows": 0}, "A sample of 0 rows holds nothing. Ask for 1 row or more."),
        ({"rows": -5}, "A sample of -5 rows holds nothing."),
        ({"seed": -1}, "The seed -1 is negative. Give 0 or more."),
        ({"symbols": ()}, "needs one symbol or more, each once"),
        ({"symbols": ("BTC", "BTC")}, "needs one symbol or more, each once"),
        ({"symbols": ("",)}, "'' is no symbol: 1 to 50 printable characters"),
        ({"symbols": ("X" * 51,)}, "is no symbol"),
        ({"symbols": ("A\x00",)}, "is no symbol"),
        ({"timeframes": ()}, "needs one timeframe or more, each once"),
        ({"timeframes": ("1m", "1m")}, "needs one timeframe or more, each once"),
        ({"timeframes": ("1m", "7m", "1w")}, "7m, 1w: not a timeframe. Timeframes are: 1m, 3m, 5m"),
        ({"end": datetime(2025, 6, 1)}, "has no offset. Give it as 2025-06-01T00:00:00Z."),  # noqa: DTZ001
        ({"end": datetime(1970, 12, 31, tzinfo=UTC)}, "outside the years 1971 to 2100"),
        ({"end": datetime(2101, 1, 1, tzinfo=UTC)}, "outside the years 1971 to 2100"),
    ],
    ids=lambda each: repr(each)[:50],
)
def test_what_no_sample_can_be_is_said_in_a_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        SampleOptions(**options)
    assert said in str(refused.value)
    assert refused.value.exit_code == 2


def test_more_candles_than_there_were_minutes_since_1970_are_refused() -> None:
    few = SampleOptions(rows=20_000, symbols=("X",), timeframes=("1d",), end=datetime(2000, 1, 1, tzinfo=UTC))
    with pytest.raises(UsageError, match=r"20,000 candles of these series would begin before 1970\. Ask for"):
        plan(few)


def test_the_end_is_an_instant_whatever_its_offset() -> None:
    utc = SampleOptions(end=datetime(2025, 6, 1, tzinfo=UTC))
    tokyo = SampleOptions(end=datetime(2025, 6, 1, 9, 0, 59, tzinfo=timezone(timedelta(hours=9))))
    assert utc.end_minute == tokyo.end_minute == int(datetime(2025, 6, 1, tzinfo=UTC).timestamp() // 60)


def test_timeframes_come_finest_first_and_all_divide_a_day() -> None:
    assert SampleOptions(timeframes=("1d", "1m", "4h")).ascending == ("1m", "4h", "1d")
    assert all(24 * 60 % minutes == 0 for minutes in TIMEFRAMES.values())


@pytest.mark.parametrize("rows", [1, 2, 27, 28, 29, 1_000, 12_345, 250_000])
@pytest.mark.parametrize("timeframes", [("1m", "5m", "15m", "30m", "1h", "4h", "1d"), ("4h", "1d"), ("3m",)])
def test_a_plan_has_exactly_the_rows_that_were_asked_for(rows: int, timeframes: tuple[str, ...]) -> None:
    if timeframes[0] == "4h" and rows > 100_000:
        rows = 30_000
    options = SampleOptions(rows=rows, timeframes=timeframes)
    planned = plan(options)
    assert sum(series.rows for symbol in planned.symbols for series in symbol.series) == rows
    assert planned.start < planned.end == options.end_minute
