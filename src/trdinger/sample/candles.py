"""Candles as rows, in the order in which they would have been collected.

History first, series by series (the finest timeframe of a symbol first), each in pages of
1,000 from the newest to the oldest, ascending within a page. Then the last days (three, or
a fifth of a shorter span) as later updates brought them: every six hours the bars of each
series in turn that closed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

import numpy as np
import numpy.typing as npt

from trdinger.sample.instrument import instrument
from trdinger.sample.moments import Clock, Ids, minute_texts
from trdinger.sample.options import DAY, SampleOptions
from trdinger.sample.plan import Plan, SeriesPlan
from trdinger.sample.walk import VOLUME_DECIMALS, Bars, prices, slices

PAGE = 1_000  # candles of one answer of the exchange
UPDATE = 360  # minutes between two updates
_UPDATED_DAYS = 3
_FAR = 2**62  # beyond every minute and every price

CandleRow = tuple[int, str, str, str, float, float, float, float, float, str, str]


def candles(options: SampleOptions, plan: Plan, clock: Clock, ids: Ids) -> Iterator[list[CandleRow]]:
    """All candles as rows of `ohlcv_data`, page by page, in the order of collecting.

    created_at and updated_at are the moment of the page by `clock`. Memory: one slice of 1m,
    and a symbol's coarser timeframes (16 bytes a minute of the span with the usual ones).
    """
    cut = update_begin(plan)
    recent: list[tuple[SeriesPlan, Bars]] = []
    for index in range(len(plan.symbols)):
        symbol = _Symbol(options, plan, index)
        for page in _pages(symbol.walk(cut)):
            yield _page(symbol.series[0], page, clock, ids)
        for series, parts in zip(symbol.series[1:], symbol.coarser, strict=True):
            for page in _pages(parts):
                yield _page(series, page, clock, ids)
        for series, parts in zip(symbol.series, symbol.recent, strict=True):
            if parts:
                recent.append((series, np.concatenate(parts[::-1], axis=1)))
    for begin in range(cut, plan.end, UPDATE):
        end = min(begin + UPDATE, plan.end)
        clock.until(end * 60)
        for series, bars in recent:
            opened = [_FAR if edge == plan.end else _opened(edge, series) for edge in (begin, end)]
            low, high = np.searchsorted(bars[0], opened)
            for at in range(low, high, PAGE):
                yield _page(series, bars[:, at : min(at + PAGE, high)], clock, ids)


def update_begin(plan: Plan) -> int:
    """The minute from which on updates brought the bars; history before it came in one run."""
    return plan.end - min(_UPDATED_DAYS * DAY, (plan.end - plan.start) // 5)


def aggregate(bars: Bars, there: npt.NDArray[np.bool_], minutes: int) -> Bars:
    """Bars of `minutes` minutes from those 1m bars that are there; buckets without any are left out.

    bars: gapless, from a multiple of `minutes`, a multiple of `minutes` long. Open of the first
    minute, highest high, lowest low, close of the last, sum of the volumes.
    """
    if minutes == 1:
        return bars[:, there]
    shape = (-1, minutes)
    mask = there.reshape(shape)
    some = mask.any(axis=1)
    rows = np.arange(some.size)
    first = mask.argmax(axis=1)
    last = minutes - 1 - mask[:, ::-1].argmax(axis=1)
    made = np.stack(
        [
            bars[0].reshape(shape)[:, 0],
            bars[1].reshape(shape)[rows, first],
            np.where(mask, bars[2].reshape(shape), -1).max(axis=1),
            np.where(mask, bars[3].reshape(shape), _FAR).min(axis=1),
            bars[4].reshape(shape)[rows, last],
            np.where(mask, bars[5].reshape(shape), 0).sum(axis=1),
        ]
    )
    return made[:, some]


class _Symbol:
    """One symbol's bars: the finest series before the cut streams, all else is kept here.

    coarser: parts of each further series before the cut; recent: parts of each series after
    it. Newest part first.
    """

    def __init__(self, options: SampleOptions, plan: Plan, index: int) -> None:
        self._options = options
        self._plan = plan
        self._index = index
        self._symbol = plan.symbols[index]
        self.series = self._symbol.series
        self.coarser: list[list[Bars]] = [[] for _ in self.series[1:]]
        self.recent: list[list[Bars]] = [[] for _ in self.series]

    def walk(self, cut: int) -> Iterator[Bars]:
        """Generate everything; give the finest series before the minute `cut`, newest part first."""
        plan = self._plan
        given = instrument(self._symbol.symbol)
        top = -(-plan.end // DAY) * DAY
        for bars in slices(given, self._options.seed, self._index, top, begin=plan.start // DAY * DAY):
            there = plan.present(self._symbol, int(bars[0, 0]), int(bars[0, -1]) + 1)
            for position, series in enumerate(self.series):
                made = aggregate(bars, there, series.minutes)
                low, high = np.searchsorted(made[0], [series.first, _opened(cut, series)])
                if made.shape[1] > max(low, high):
                    self.recent[position].append(made[:, max(low, high) :].copy())
                if low >= high:
                    continue
                if position == 0:
                    yield made[:, low:high]
                else:
                    self.coarser[position - 1].append(made[:, low:high].copy())


def _opened(edge: int, series: SeriesPlan) -> int:
    """The first minute at which a bar may open that is not closed by `edge`."""
    return edge - series.minutes + 1


def _pages(parts: Iterable[Bars]) -> Iterator[Bars]:
    """Pages of PAGE bars, newest first, of parts that come newest first; the last is the rest."""
    pending: Bars | None = None
    for part in parts:
        pending = part if pending is None else np.concatenate([part, pending], axis=1)
        end = pending.shape[1]
        while end >= PAGE:
            yield pending[:, end - PAGE : end]
            end -= PAGE
        pending = pending[:, :end]
    if pending is not None and pending.shape[1]:
        yield pending


def _page(series: SeriesPlan, bars: Bars, clock: Clock, ids: Ids) -> list[CandleRow]:
    decimals = instrument(series.symbol).decimals
    said = clock.text
    clock.wait(1)
    return list(
        zip(
            ids.take(bars.shape[1]),
            repeat(series.symbol),
            repeat(series.timeframe),
            minute_texts(bars[0]),
            *(prices(column, decimals).tolist() for column in bars[1:5]),
            prices(bars[5], VOLUME_DECIMALS).tolist(),
            repeat(said),
            repeat(said),
            strict=False,  # repeat() has no end
        )
    )
