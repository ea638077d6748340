"""Bars and joins against pandas, at the edges of the buckets, with gaps, and without a look ahead."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from trdinger.series.bars import derived, whole
from trdinger.series.joins import as_of, on_close

SIZES = {"5m": "5min", "1h": "1h", "4h": "4h", "1d": "1D", "1w": "W-MON"}


def candles(minutes: int, *, seed: int = 1, missing: float = 0.2, first: str = "2024-02-27 23:58") -> Any:
    """One-minute candles with gaps, as pandas has them."""
    chance = np.random.default_rng(seed)
    at = pd.date_range(first, periods=minutes, freq="min", tz="UTC", name="timestamp").as_unit("us")
    frame = pd.DataFrame(
        chance.uniform(1, 2, (minutes, 5)), index=at, columns=["open", "high", "low", "close", "volume"]
    )
    return frame[chance.random(minutes) >= missing]


def table(frame: Any) -> pa.Table:
    return pa.Table.from_pandas(frame.reset_index(), preserve_index=False)


@pytest.mark.parametrize("timeframe", SIZES)
@pytest.mark.parametrize("seed", [1, 2])
def test_bars_are_what_pandas_makes_of_the_candles(timeframe: str, seed: int) -> None:
    frame = candles(20_000, seed=seed)
    frame = frame.drop(frame.index[(frame.index.hour == 5)])
    rule = frame.resample(SIZES[timeframe], closed="left", label="left")
    expected = rule.agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
    expected = expected.assign(bars=rule["open"].count())[rule["open"].count() > 0]
    found = derived(table(frame), timeframe).to_pandas().set_index("timestamp")
    assert list(found.index) == list(expected.index)
    for name in ("open", "high", "low", "close", "bars"):
        assert (found[name] == expected[name]).all(), name
    assert np.allclose(found["volume"], expected["volume"], rtol=1e-12)


def test_a_candle_on_the_edge_opens_the_next_bar() -> None:
    frame = candles(11, missing=0, first="2024-01-01 00:00")
    found = derived(table(frame), "5m")
    assert found.column("bars").to_pylist() == [5, 5, 1]
    assert whole(found, "1m", "5m").num_rows == 2
    assert derived(table(frame.iloc[:0]), "5m").num_rows == 0


def test_as_of_takes_what_was_known_and_nothing_later() -> None:
    frame = candles(300)
    rates = pd.DataFrame({"rate": np.arange(4.0)}, index=frame.index[[10, 11, 60, 200]])
    rates.index.name = "at"
    found = as_of(table(frame), table(rates), on="at", names={"rate": "funding"}).to_pandas()
    expected = pd.merge_asof(
        frame.reset_index(), rates.reset_index(), left_on="timestamp", right_on="at", direction="backward"
    )
    assert found["funding"].isna().sum() == 10
    pd.testing.assert_series_equal(found["funding"], expected["rate"], check_names=False)
    nothing = as_of(table(frame), table(rates.iloc[:0]), on="at", names={"rate": "funding"})
    assert nothing.column("funding").null_count == len(frame)


def test_no_row_sees_a_bar_that_was_still_open() -> None:
    """Cut the data at random moments: nothing before the cut may change."""
    chance = random.Random(7)
    minutes = table(candles(6_000, missing=0.1))
    whole_frame = _aligned(minutes)
    for _ in range(25):
        cut = chance.randrange(1, minutes.num_rows)
        part = _aligned(minutes.slice(0, cut))
        assert part.equals(whole_frame.slice(0, part.num_rows)), cut


def test_a_coarser_bar_shows_from_its_close_on() -> None:
    frame = candles(12, missing=0, first="2024-01-01 00:00")
    joined = on_close({"1m": table(frame), "5m": derived(table(frame), "5m").drop(["bars"])}).to_pandas()
    assert list(joined["timestamp_5m"].isna()) == [True] * 4 + [False] * 8
    closes = [frame["close"].iloc[4]] * 5 + [frame["close"].iloc[9]] * 3
    assert list(joined["close_5m"].iloc[4:]) == closes


def _aligned(minutes: pa.Table) -> pa.Table:
    """As of each minute: bars that could not be whole yet are left out, as a reader of that minute would."""
    last = minutes.column("timestamp")[-1].as_py() + pd.Timedelta(minutes=1)
    frames = {"1m": minutes}
    for timeframe, size in (("15m", "15min"), ("1h", "1h")):
        bars = derived(minutes, timeframe).drop(["bars"])
        closed = [open_ + pd.Timedelta(size) <= last for open_ in bars.column("timestamp").to_pylist()]
        frames[timeframe] = bars.filter(pa.array(closed, pa.bool_()))
    return on_close(frames)
