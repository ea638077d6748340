"""Which bars a sample has: the span that gives the asked number of rows, and the outages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trdinger.errors import UsageError
from trdinger.sample.options import DAY, TIMEFRAMES, SampleOptions

_STREAM = 1  # tells the random numbers of outages from others of the same seed
_SHORTEST, _LONGEST = 3, 1200  # minutes of an outage


@dataclass(frozen=True)
class SeriesPlan:
    """One series: `rows` bars, the oldest at or after the minute `first`."""

    symbol: str
    timeframe: str
    first: int
    rows: int

    @property
    def minutes(self) -> int:
        return TIMEFRAMES[self.timeframe]


@dataclass(frozen=True)
class SymbolPlan:
    """A symbol's outages, [begin, end) in minutes since 1970, and its series, the finest first."""

    symbol: str
    outages: tuple[tuple[int, int], ...]
    series: tuple[SeriesPlan, ...]


@dataclass(frozen=True)
class Plan:
    """The whole sample: the span [start, end) in minutes since 1970, and every symbol."""

    start: int
    end: int
    symbols: tuple[SymbolPlan, ...]

    def present(self, symbol: SymbolPlan, begin: int, end: int) -> npt.NDArray[np.bool_]:
        """Which minutes of [begin, end) have a bar: all but outages and what is past the end."""
        return _present(symbol.outages, self.end, begin, end)


def plan(options: SampleOptions) -> Plan:
    """The span and series that hold exactly `options.rows` bars.

    A bar is there when its bucket begins in the span and any of its minutes is outside the
    outages. The span goes back, by minutes, until there are enough; what is then too much
    (less than one bar a series) is trimmed off the oldest end of the finest timeframe, in
    turn by symbol, and of the next finer one only where that has none left. Memory: about
    15 bytes a minute of the span. Raises UsageError where the span would begin before 1970.
    """
    end = options.end_minute
    top = -(-end // DAY) * DAY
    density = len(options.symbols) * sum(1 / TIMEFRAMES[name] for name in options.timeframes)
    days = int(options.rows / density / DAY * 1.01) + 2
    while True:
        base = max(0, top - days * DAY)
        outages = [_outages(options.seed, index, base, end) for index in range(len(options.symbols))]
        begins = np.zeros(top - base, dtype=np.int32)
        for gaps in outages:
            there = _present(gaps, end, base, top)
            for name in options.timeframes:
                begins[:: TIMEFRAMES[name]] += _buckets(there, TIMEFRAMES[name])
        reached = np.cumsum(begins[::-1], dtype=np.int64)
        if reached[-1] >= options.rows:
            break
        if base == 0:
            raise _too_many(options)
        days += days // 4 + 1
    back = int(np.searchsorted(reached, options.rows))
    start = top - 1 - back
    surplus = int(reached[back]) - options.rows
    symbols = tuple(
        _symbol(options, name, gaps, start, top) for name, gaps in zip(options.symbols, outages, strict=True)
    )
    return Plan(start, end, _trimmed(symbols, surplus, end, top))


def _too_many(options: SampleOptions) -> UsageError:
    return UsageError(
        f"{options.rows:,} candles of these series would begin before 1970.",
        hint="Ask for fewer rows, more symbols, or finer timeframes.",
    )


def _outages(seed: int, index: int, base: int, end: int) -> tuple[tuple[int, int], ...]:
    """A few gaps, rarer the further back: about 5 in two weeks, 15 in seven years."""
    rng = np.random.default_rng([seed, _STREAM, index])
    found = []
    back = rng.uniform(0.2, 1.2) * DAY
    while end - back > base:
        length = int(np.clip(45 * np.exp(1.2 * rng.standard_normal()), _SHORTEST, _LONGEST))
        stop = end - int(back)
        found.append((stop - length, stop))
        back = (back + length) * rng.uniform(1.3, 2.2)
    return tuple(reversed(found))


def _present(gaps: tuple[tuple[int, int], ...], end: int, begin: int, stop: int) -> npt.NDArray[np.bool_]:
    there = np.ones(stop - begin, dtype=np.bool_)
    for gap_begin, gap_end in gaps:
        there[max(gap_begin - begin, 0) : max(gap_end - begin, 0)] = False
    there[max(end - begin, 0) :] = False
    return there


def _buckets(there: npt.NDArray[np.bool_], minutes: int) -> npt.NDArray[np.bool_]:
    some: npt.NDArray[np.bool_] = np.logical_or.reduce(there.reshape(-1, minutes), axis=1)
    return some


def _symbol(
    options: SampleOptions, symbol: str, gaps: tuple[tuple[int, int], ...], start: int, top: int
) -> SymbolPlan:
    floor = start // DAY * DAY
    there = _present(gaps, options.end_minute, floor, top)
    series = []
    for name in options.ascending:
        minutes = TIMEFRAMES[name]
        first = -(-start // minutes) * minutes
        rows = int(_buckets(there, minutes)[(first - floor) // minutes :].sum())
        series.append(SeriesPlan(symbol, name, first, rows))
    return SymbolPlan(symbol, gaps, tuple(series))


def _trimmed(symbols: tuple[SymbolPlan, ...], surplus: int, end: int, top: int) -> tuple[SymbolPlan, ...]:
    """The same with `surplus` bars fewer."""
    series = [list(symbol.series) for symbol in symbols]
    for position in range(len(series[0])):
        while surplus and any(each[position].rows for each in series):
            for symbol, each in zip(symbols, series, strict=True):
                if surplus and each[position].rows:
                    each[position] = _without_oldest(each[position], symbol.outages, end, top)
                    surplus -= 1
    return tuple(
        SymbolPlan(symbol.symbol, symbol.outages, tuple(each))
        for symbol, each in zip(symbols, series, strict=True)
    )


def _without_oldest(series: SeriesPlan, gaps: tuple[tuple[int, int], ...], end: int, top: int) -> SeriesPlan:
    first = series.first
    while first < top and not _present(gaps, end, first, first + series.minutes).any():
        first += series.minutes
    return SeriesPlan(series.symbol, series.timeframe, first + series.minutes, series.rows - 1)
