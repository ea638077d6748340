"""Gaps: bars that a series should have and has not. Found, and filled on request, never stored."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa

from trdinger.series.bars import TIME
from trdinger.series.timeframes import width

_Int64 = np.ndarray[Any, np.dtype[np.int64]]


def gaps(moments: pa.ChunkedArray, timeframe: str) -> pa.Table:
    """Where bars lack between the first and the last of a series, from their opens, sorted.

    Answers start (the first open that lacks), end (the next that is there) and bars (how many lack).
    """
    opens, size = _opens(moments), width(timeframe)
    at = np.flatnonzero(np.diff(opens) > size)
    return pa.table(
        {
            "start": _times(opens[at] + size),
            "end": _times(opens[at + 1]),
            "bars": pa.array((opens[at + 1] - opens[at]) // size - 1, pa.int64()),
        }
    )


def filled(candles: pa.Table, timeframe: str, how: Literal["last", "linear", "null"] = "last") -> pa.Table:
    """Candles (timestamp, open, high, low, close, volume) with a row for each bar that lacks in between.

    last: open, high, low and close are the close before. linear: they are on the line between the close
    before and the open after. null: they are null. Volume is 0 (null: null). The column `filled` tells.
    """
    opens, size = _opens(candles.column("timestamp")), width(timeframe)
    if len(opens) == 0:
        return candles.append_column("filled", pa.array([], pa.bool_()))
    every = np.arange(opens[0], opens[-1] + 1, size)
    before = np.searchsorted(opens, every, side="right") - 1
    lacking = opens[before] != every
    close = np.asarray(candles.column("close").to_numpy(), dtype=np.float64)
    guess = close[before]
    if how == "linear":
        following = np.minimum(before + 1, len(opens) - 1)
        share = (every - opens[before]) / np.maximum(opens[following] - opens[before], 1)
        after = np.asarray(candles.column("open").to_numpy(), dtype=np.float64)[following]
        guess = guess + (after - guess) * share
    columns: dict[str, Any] = {"timestamp": _times(every)}
    for name in ("open", "high", "low", "close", "volume"):
        held = np.asarray(candles.column(name).to_numpy(), dtype=np.float64)[before]
        value = np.where(lacking, 0.0 if name == "volume" else guess, held)
        columns[name] = pa.array(value, mask=lacking if how == "null" else None)
    columns["filled"] = pa.array(lacking)
    return pa.table(columns)


def _opens(moments: pa.ChunkedArray) -> _Int64:
    return np.asarray(moments.cast(pa.int64()).to_numpy(), dtype=np.int64)


def _times(moments: _Int64) -> pa.Array:
    return pa.array(moments, pa.int64()).cast(pa.timestamp("us")).cast(TIME)
