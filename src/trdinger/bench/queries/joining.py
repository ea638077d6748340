"""What pandas makes of frames where who is measured has no answer of its own: bars of a day, and joins."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from trdinger.errors import UsageError
from trdinger.series.timeframes import width

PRICES = ("open", "high", "low", "close", "volume")
_DAY = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def pandas() -> Any:
    """pandas, which the package does not need. Raises UsageError where it is not installed."""
    try:
        return importlib.import_module("pandas")
    except ImportError:
        raise UsageError(
            "The existing application reads into pandas, which is not installed.", hint="pip install pandas"
        ) from None


def joined(frames: Mapping[str, Any]) -> Any:
    """Frames of one symbol, the finest first: at each close of its bars, the last closed of the others."""
    pd = pandas()
    (finest, axis), *coarser = frames.items()
    whole = axis.assign(closed=axis.index + pd.Timedelta(width(finest), unit="us"))
    for timeframe, frame in coarser:
        bars = frame.reset_index().add_suffix(f"_{timeframe}")
        opens = bars[f"timestamp_{timeframe}"].astype(axis.index.dtype)  # of no rows they are floats
        bars[f"timestamp_{timeframe}"] = opens
        bars["closed"] = opens + pd.Timedelta(width(timeframe), unit="us")
        whole = pd.merge_asof(whole.reset_index(), bars, on="closed").set_index("timestamp")
    return whole.drop(columns="closed")


def days(frames: Iterable[tuple[str, Any]]) -> Any:
    """Bars of a day out of candles of 1m, by symbol and time; one symbol after the other, to spare memory."""
    made = []
    for symbol, frame in frames:
        bars = frame.resample("1D", closed="left", label="left").agg(_DAY)
        made.append(bars[bars["open"].notna()].assign(symbol=symbol))
    return pandas().concat(made)
