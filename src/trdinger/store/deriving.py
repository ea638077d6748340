"""Bars of a timeframe that is not stored: those that the database keeps or makes, else made here."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from trdinger.declaration import OHLCV
from trdinger.series import timeframes as frames
from trdinger.series.bars import PRICES, derived
from trdinger.store.side import Between, Held, Side

CANDLE = ("timestamp", *PRICES)
"""The columns of a candle that bars are made of, and that are given unless others are asked for."""


def derive(
    side: Side, finer: Held, timeframe: str, between: Between
) -> tuple[pa.Table, Literal["aggregate", "derived"]]:
    """Bars of `timeframe` out of a finer series (`series.bars.derived`), and where they were made.

    Whole bars, and no further than there are candles: an aggregate is pending beyond them.
    """
    size = frames.width(timeframe)
    first = frames.first_open(timeframe, finer.first - size + 1)
    last = frames.first_open(timeframe, finer.last + 1)
    start = first if between.start is None else frames.first_open(timeframe, between.start)
    end = last if between.end is None else frames.first_open(timeframe, between.end)
    cut = Between(max(start, first), max(min(end, last), first))
    kept = side.kept(finer, cut, timeframe)
    if kept is not None:
        return kept, "aggregate"
    bars = side.bars(finer.segment, cut, timeframe)
    if bars is None:
        bars = derived(side.rows(OHLCV, finer.segment, cut, CANDLE), timeframe)
    return bars, "derived"
