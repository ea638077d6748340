"""Bars of a timeframe that is not stored: those that the database keeps or makes, else made here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pyarrow as pa

from trdinger.declaration import OHLCV
from trdinger.series import timeframes as frames
from trdinger.series.bars import PRICES, derived
from trdinger.store.side import Between, Held, Side

CANDLE = ("timestamp", *PRICES)
"""The columns of a candle that bars are made of, and that are given unless others are asked for."""


Source = Literal["aggregate", "derived"]
"""Who made bars: the server keeps them, or they were made for the question."""


def derive(
    side: Side, finer: Sequence[Held], timeframe: str, between: Between
) -> tuple[list[pa.Table], Source]:
    """Bars of `timeframe` out of series of one finer one, a table each as `series.bars.derived` makes it.

    Whole bars, and no further than there are candles: an aggregate is pending beyond them.
    """
    cuts = [_cut(held, timeframe, between) for held in finer]
    widest = Between(min(cut.start for cut in cuts), max(cut.end for cut in cuts))
    kept = side.kept(finer, widest, timeframe)
    if kept is not None:
        return kept, "aggregate"
    made = []
    for held, cut in zip(finer, cuts, strict=True):
        bars = side.bars(held.segment, Between(cut.start, cut.end), timeframe)
        if bars is None:
            rows = side.rows(OHLCV, held.segment, Between(cut.start, cut.end), CANDLE)
            bars = derived(rows, timeframe)
        made.append(bars)
    return made, "derived"


class _Cut(NamedTuple):
    start: int
    end: int


def _cut(finer: Held, timeframe: str, between: Between) -> _Cut:
    size = frames.width(timeframe)
    first = frames.first_open(timeframe, finer.first - size + 1)
    last = frames.first_open(timeframe, finer.last + 1)
    start = first if between.start is None else frames.first_open(timeframe, between.start)
    end = last if between.end is None else frames.first_open(timeframe, between.end)
    return _Cut(max(start, first), max(min(end, last), first))
