"""What researchers compute of candles: returns, volatility, true range, VWAP, correlation, carry.

Functions of Arrow tables (timestamp, open, high, low, close, volume, sorted by time) and of columns. Each
answers a column as long as its input, null where there is not enough before. Nothing looks ahead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trdinger.errors import UsageError

_Floats = np.ndarray[Any, np.dtype[np.float64]]


def returns(candles: pa.Table, *, log: bool = False) -> pa.Array:
    """The change of close from the bar before, as a fraction, or as its logarithm; null in the first row."""
    close = _floats(candles, "close")
    ratio = close[1:] / close[:-1]
    return _after(np.log(ratio) if log else ratio - 1, 1, len(close))


def volatility(candles: pa.Table, bars: int) -> pa.Array:
    """The standard deviation of logarithmic returns over the last `bars` of them (sample, not annualised)."""
    _enough(bars, 2)
    values = returns(candles, log=True).to_numpy(zero_copy_only=False)[1:]
    windows = _windows(values, bars)
    return _after(windows.std(axis=1, ddof=1), bars, candles.num_rows)


def true_range(candles: pa.Table) -> pa.Array:
    """High less low, widened to the close before; Wilder, New Concepts in Technical Trading Systems, 1978."""
    high, low, close = (_floats(candles, name) for name in ("high", "low", "close"))
    ranges = high - low
    if len(close) > 1:
        before = close[:-1]
        ranges[1:] = np.maximum.reduce([ranges[1:], np.abs(high[1:] - before), np.abs(low[1:] - before)])
    return pa.array(ranges)


def average_true_range(candles: pa.Table, bars: int = 14) -> pa.Array:
    """Wilder's average of the true range: the mean of the first `bars`, then smoothed by 1 / `bars`."""
    _enough(bars, 1)
    ranges = true_range(candles).to_numpy()
    if len(ranges) < bars:
        return pa.nulls(len(ranges), pa.float64())
    smoothed = np.empty(len(ranges) - bars + 1)
    smoothed[0] = ranges[:bars].mean()
    for at, value in enumerate(ranges[bars:], 1):
        smoothed[at] = smoothed[at - 1] + (value - smoothed[at - 1]) / bars
    return _after(smoothed, bars - 1, len(ranges))


def vwap(candles: pa.Table, bars: int | None = None) -> pa.Array:
    """The mean of the typical price, (high + low + close) / 3, weighted by volume.

    Over the last `bars`, or with None over all since the first; null where no volume was traded.
    """
    typical = sum(_floats(candles, name) for name in ("high", "low", "close")) / 3
    volume = _floats(candles, "volume")
    if bars is None:
        traded, weighed = np.cumsum(volume), np.cumsum(typical * volume)
        first = 0
    else:
        _enough(bars, 1)
        traded = _windows(volume, bars).sum(axis=1)
        weighed = _windows(typical * volume, bars).sum(axis=1)
        first = bars - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = weighed / traded
    return _after(mean, first, candles.num_rows, missing=traded == 0)


def correlation(one: pa.Table, other: pa.Table) -> float | None:
    """Pearson's correlation of the logarithmic returns of two series at the times that both have.

    None for fewer than three common times, or where one of them never moves.
    """
    common = one.select(["timestamp", "close"]).join(
        other.select(["timestamp", "close"]), "timestamp", join_type="inner", right_suffix="_other"
    )
    common = common.sort_by("timestamp")
    if common.num_rows < 3:
        return None
    moves = [np.diff(np.log(_floats(common, name))) for name in ("close", "close_other")]
    if any(move.std() == 0 for move in moves):
        return None
    return float(np.corrcoef(moves[0], moves[1])[0, 1])


def carry(merged: pa.Table) -> pa.Array:
    """What a long position of one unit of quote currency earned since the first bar, funding paid or got.

    merged: candles with `funding_rate` as `Store.merged` joins it: a rate is due at the first bar that shows
    a funding time of its own, in `funding_timestamp`. Long pays a positive rate. Null before the first close.
    """
    close = _floats(merged, "close")
    rate = _floats(merged, "funding_rate")
    moments = merged.column("funding_timestamp").cast(pa.int64()).fill_null(-1).to_numpy()
    due = np.diff(moments, prepend=moments[:1]) != 0
    paid = np.cumsum(np.where(due & ~np.isnan(rate), rate, 0.0))
    return pa.array(close / close[0] - 1 - paid) if len(close) else pa.array([], pa.float64())


def change(values: pa.ChunkedArray, rows: int = 1) -> pa.Array:
    """The change of a column (open interest, say) from `rows` rows before, as a fraction."""
    _enough(rows, 1)
    held = np.asarray(pc.cast(values, pa.float64()).to_numpy(), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = held[rows:] / held[:-rows] - 1
    return _after(moved, rows, len(held), missing=~np.isfinite(moved))


def _floats(table: pa.Table, name: str) -> _Floats:
    return np.array(table.column(name).to_numpy(), dtype=np.float64)


def _windows(values: _Floats, size: int) -> _Floats:
    if len(values) < size:
        return np.empty((0, size))
    return np.lib.stride_tricks.sliding_window_view(values, size)


def _after(values: _Floats, first: int, length: int, *, missing: Any = None) -> pa.Array:
    """`values` as the end of a column of `length` rows whose first `first` are null."""
    filled = np.full(length, np.nan)
    unknown = np.ones(length, dtype=np.bool_)
    if length > first:
        filled[first:] = values
        unknown[first:] = False if missing is None else missing
    return pa.array(filled, mask=unknown)


def _enough(rows: int, least: int) -> None:
    if rows < least:
        raise UsageError(f"A window of {rows} is too short.", hint=f"Take {least} or more.")
