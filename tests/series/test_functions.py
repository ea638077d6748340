"""What is computed of candles, against pandas and against values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from series.test_bars import candles, table
from trdinger.errors import UsageError
from trdinger.series import functions
from trdinger.series.bars import derived
from trdinger.series.gaps import filled, gaps


def same(found: pa.Array, expected: Any) -> None:
    values = found.to_numpy(zero_copy_only=False)
    assert len(values) == len(expected)
    assert np.allclose(values, np.asarray(expected, dtype=float), rtol=1e-9, atol=1e-12, equal_nan=True)
    assert found.null_count == int(np.isnan(np.asarray(expected, dtype=float)).sum())


def test_returns_and_volatility_are_those_of_pandas() -> None:
    frame = candles(500)
    close = frame["close"]
    same(functions.returns(table(frame)), close.pct_change())
    logs = np.log(close / close.shift())
    same(functions.returns(table(frame), log=True), logs)
    same(functions.volatility(table(frame), 20), logs.rolling(20).std())


def test_true_range_and_its_average_are_wilders() -> None:
    frame = candles(300)
    before = frame["close"].shift()
    parts = [frame["high"] - frame["low"], (frame["high"] - before).abs(), (frame["low"] - before).abs()]
    ranges = pd.concat(parts, axis=1).max(axis=1)
    same(functions.true_range(table(frame)), ranges)
    seeded = pd.concat([pd.Series([ranges.iloc[:14].mean()]), ranges.iloc[14:]])
    expected = seeded.ewm(alpha=1 / 14, adjust=False).mean()
    same(functions.average_true_range(table(frame)), np.concatenate([np.full(13, np.nan), expected]))


def test_vwap_weighs_typical_prices_by_volume() -> None:
    frame = candles(200)
    typical = (frame["high"] + frame["low"] + frame["close"]) / 3
    weighed = typical * frame["volume"]
    same(functions.vwap(table(frame)), weighed.cumsum() / frame["volume"].cumsum())
    same(functions.vwap(table(frame), 10), weighed.rolling(10).sum() / frame["volume"].rolling(10).sum())
    still = frame.assign(volume=0.0)
    assert functions.vwap(table(still)).null_count == len(frame)


def test_correlation_is_of_the_times_that_both_have() -> None:
    one, other = candles(400, seed=1), candles(400, seed=2)
    both = pd.concat([np.log(one["close"]), np.log(other["close"])], axis=1, join="inner").diff().dropna()
    expected = both.corr().iloc[0, 1]
    found = functions.correlation(table(one), table(other))
    assert found == pytest.approx(expected)
    assert functions.correlation(table(one), table(one)) == pytest.approx(1.0)
    assert functions.correlation(table(one.iloc[:2]), table(one)) is None
    assert functions.correlation(table(one.assign(close=1.0)), table(other)) is None


def test_carry_pays_each_funding_once() -> None:
    at = pd.date_range("2024-01-01", periods=6, freq="4h", tz="UTC").as_unit("us")
    due = pd.DatetimeIndex([at[0], at[0], at[2], at[2], at[4], at[4]])
    merged = pa.table(
        {
            "timestamp": at,
            "close": [100.0, 101.0, 102.0, 101.0, 103.0, 104.0],
            "funding_timestamp": due,
            "funding_rate": [0.01, 0.01, 0.001, 0.001, -0.002, -0.002],
        }
    )
    same(functions.carry(merged), [0.0, 0.01, 0.019, 0.009, 0.031, 0.041])


def test_a_change_of_nothing_is_unknown() -> None:
    same(functions.change(pa.chunked_array([[1.0, 2.0, 0.0, 5.0, 4.0]])), [np.nan, 1.0, -1.0, np.nan, -0.2])


@pytest.mark.parametrize(
    "ask",
    [
        functions.returns,
        functions.true_range,
        functions.average_true_range,
        functions.vwap,
        lambda few: functions.volatility(few, 5),
        lambda few: functions.vwap(few, 5),
    ],
)
def test_too_few_rows_give_nulls_and_none_gives_none(ask: Callable[[pa.Table], pa.Array]) -> None:
    frame = candles(3, missing=0)
    assert len(ask(table(frame))) == 3
    assert len(ask(table(frame.iloc[:0]))) == 0


def test_a_window_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="too short"):
        functions.volatility(table(candles(9)), 1)


def test_no_function_looks_ahead() -> None:
    whole = table(candles(200, missing=0))
    for ask in (
        functions.returns,
        functions.average_true_range,
        functions.vwap,
        lambda given: functions.volatility(given, 10),
    ):
        part = ask(whole.slice(0, 120))
        assert part.equals(ask(whole).slice(0, 120))


def test_gaps_are_found_and_add_up() -> None:
    frame = candles(5_000, missing=0.3)
    found = gaps(table(frame).column("timestamp"), "1m").to_pydict()
    every = pd.date_range(frame.index[0], frame.index[-1], freq="min")
    lacking = every.difference(frame.index)
    told = [
        moment
        for start, end in zip(found["start"], found["end"], strict=True)
        for moment in pd.date_range(start, end, freq="min", inclusive="left")
    ]
    assert told == list(lacking)
    assert sum(found["bars"]) == len(lacking)
    assert gaps(table(frame.iloc[:1]).column("timestamp"), "1m").num_rows == 0


@pytest.mark.parametrize("how", ["last", "linear", "null"])
def test_a_filled_series_has_every_bar_and_says_which_are_made_up(how: Any) -> None:
    frame = candles(800, missing=0.3)
    found = filled(table(frame), "1m", how).to_pandas().set_index("timestamp")
    assert (found.index == pd.date_range(frame.index[0], frame.index[-1], freq="min")).all()
    kept = found[~found["filled"]]
    assert (kept.drop(columns="filled") == frame).all().all()
    made = found[found["filled"]]
    if how == "null":
        assert made.drop(columns="filled").isna().all().all()
        return
    assert (made["volume"] == 0).all()
    if how == "last":
        assert (made["close"] == frame["close"].reindex(found.index).ffill()[made.index]).all()
    ends = pd.concat([frame["close"], frame["open"]])
    assert made["open"].between(ends.min(), ends.max()).all()


def test_a_linear_filling_is_on_the_line() -> None:
    frame = candles(4, missing=0).iloc[[0, 3]]
    made = filled(table(frame), "1m", "linear").to_pandas()["close"].iloc[1:3]
    start, end = frame["close"].iloc[0], frame["open"].iloc[1]
    assert np.allclose(made, [start + (end - start) / 3, start + (end - start) * 2 / 3])
    assert derived(filled(table(frame), "1m"), "1m").num_rows == 4
