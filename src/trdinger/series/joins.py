"""Joins by time that look back and never ahead: at each row, what was known by then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from trdinger.series.timeframes import width

_Int64 = np.ndarray[Any, np.dtype[np.int64]]


def as_of(rows: pa.Table, other: pa.Table, *, on: str, names: Mapping[str, str]) -> pa.Table:
    """`rows` (sorted by timestamp) with, at each, the latest row of `other` (sorted by `on`) at or before it.

    names: the columns of `other` that are taken, and what they are called in the answer; null where
    there is nothing yet.
    """
    return _with(rows, other, _latest(_moments(other, on), _moments(rows, "timestamp")), names)


def on_close(frames: Mapping[str, pa.Table]) -> pa.Table:
    """Candles of several timeframes of one symbol as one table on the finest axis.

    frames: by timeframe, each sorted by timestamp, which is the bar's open. A row shows of each coarser
    timeframe the last bar that had closed when the row's own bar closed, in columns like `close_4h`; so
    no row sees a bar that was still open.
    """
    finest, *coarser = sorted(frames, key=width)
    joined = frames[finest]
    closes = _moments(joined, "timestamp") + width(finest)
    for timeframe in coarser:
        bars = frames[timeframe]
        at = _latest(_moments(bars, "timestamp") + width(timeframe), closes)
        names = {name: f"{name}_{timeframe}" for name in bars.column_names}
        joined = _with(joined, bars, at, names)
    return joined


def _with(rows: pa.Table, other: pa.Table, at: _Int64, names: Mapping[str, str]) -> pa.Table:
    taken = pa.array(at, mask=at < 0)
    for name, called in names.items():
        rows = rows.append_column(called, other.column(name).take(taken))
    return rows


def _latest(moments: _Int64, by: _Int64) -> _Int64:
    """The place of the last of `moments` that is not after each of `by`; -1 for none."""
    return np.searchsorted(moments, by, side="right") - 1


def _moments(table: pa.Table, name: str) -> _Int64:
    return np.asarray(table.column(name).cast(pa.int64()).to_numpy(), dtype=np.int64)
