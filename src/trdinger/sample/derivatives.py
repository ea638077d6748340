"""Funding rates and open interest of the sample's span, in the order of collecting.

Both reach back over the candles' span, and a day at least. `timestamp` is the moment of
saving, as the application writes it; pages of 200 come newest first, ascending within.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trdinger.sample.instrument import Instrument, instrument
from trdinger.sample.moments import Clock, Ids, microsecond_text, millisecond_texts, minute_texts
from trdinger.sample.options import DAY, SampleOptions
from trdinger.sample.plan import Plan
from trdinger.sample.walk import prices, slices

FUNDING = 480  # minutes between two payments
HOUR = 60  # minutes
_PAGE = 200  # entries of one answer of the exchange
_STREAM, _INTEREST_STREAM = 3, 4
_JITTER = 20  # milliseconds that a payment may be late
_LIVE = 40  # newest payments of a symbol of which some were collected live, with their prices

FundingRow = tuple[int, str, float, str, str, str | None, float | None, float | None, str, str]
InterestRow = tuple[int, str, float, str, str, str, str]


def funding_count(options: SampleOptions, plan: Plan) -> int:
    """Rows that `funding` gives."""
    return _moments(plan, FUNDING).size * len(options.symbols)


def funding(options: SampleOptions, plan: Plan, clock: Clock, ids: Ids) -> Iterator[FundingRow]:
    """Rows of `funding_rate_data`: a payment every 8 hours, some milliseconds late.

    The rate is a fraction with up to 8 decimals, 0.0001 in quiet times, negative at others.
    next_funding_timestamp, mark_price and index_price are null but for every third of the
    newest 40, which were collected live.
    """
    for index, symbol in enumerate(options.symbols):
        rng = np.random.default_rng([options.seed, _STREAM, index])
        moments = _moments(plan, FUNDING)
        count = moments.size
        excess = _lasting(rng, count, 0.9) * 0.00012
        rates = np.where(np.abs(excess) < 0.00006, 0.0001, np.clip(0.0001 + excess * 1.6, -0.003, 0.003))
        late = np.where(rng.random(count) < 0.3, 0, rng.integers(1, _JITTER, count))
        due = (moments * 60_000 + late).tolist()
        values = np.round(rates, 8).tolist()
        given = instrument(symbol)
        marks = _marks(given, options, plan, index)
        basis = (rng.standard_normal(count) * 0.0003).tolist()
        for begin, end in _pages(count):
            said = clock.text
            for row, text in zip(range(begin, end), millisecond_texts(due[begin:end]), strict=True):
                following = mark = spot = None
                moment = int(moments[row])
                if row >= count - _LIVE and (count - row) % 3 == 1:
                    following = minute_texts(np.array([moment + FUNDING]))[0]
                    mark = marks[moment]
                    spot = round(mark * (1 + basis[row]), given.decimals)
                saved = microsecond_text(clock.second * 1_000_000 + int(rng.integers(0, 1_000_000)))
                yield (ids.take(1)[0], symbol, values[row], text, saved, following, mark, spot, said, said)
            clock.wait(1)


def open_interest_count(options: SampleOptions, plan: Plan) -> int:
    """Rows that `open_interest` gives."""
    return _moments(plan, HOUR).size * len(options.symbols)


def open_interest(options: SampleOptions, plan: Plan, clock: Clock, ids: Ids) -> Iterator[InterestRow]:
    """Rows of `open_interest_data`, hourly. Values are base units, as Bybit reports them."""
    for index, symbol in enumerate(options.symbols):
        rng = np.random.default_rng([options.seed, _INTEREST_STREAM, index])
        moments = _moments(plan, HOUR)
        level = np.exp(0.25 * _lasting(rng, moments.size, 0.995))
        values = np.round(instrument(symbol).open_interest * level, 3).tolist()
        texts = minute_texts(moments)
        for begin, end in _pages(moments.size):
            said = clock.text
            drawn = rng.integers(0, 1_000_000, end - begin).tolist()
            for row, key, fraction in zip(range(begin, end), ids.take(end - begin), drawn, strict=True):
                saved = microsecond_text(clock.second * 1_000_000 + fraction)
                yield key, symbol, values[row], texts[row], saved, said, said
            clock.wait(1)


def _moments(plan: Plan, step: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Multiples of `step` in the span, or in its last day if that is longer; minutes since 1970."""
    begin = min(plan.start, plan.end - DAY)
    return np.arange(-(-begin // step) * step, plan.end, step, dtype=np.int64)


def _lasting(
    rng: np.random.Generator, count: int, share: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Noise of deviation 1 of which `share` lasts from each value to the next."""
    value = float(rng.standard_normal())
    values = []
    for shock in (rng.standard_normal(count) * np.sqrt(1 - share**2)).tolist():
        value = share * value + shock
        values.append(value)
    return np.array(values)


def _pages(count: int) -> Iterator[tuple[int, int]]:
    for end in range(count, 0, -_PAGE):
        yield max(end - _PAGE, 0), end


def _marks(given: Instrument, options: SampleOptions, plan: Plan, index: int) -> dict[int, float]:
    """Mark prices at the payments of the newest month: the opens of the candles then."""
    top = -(-plan.end // DAY) * DAY
    bars = next(slices(given, options.seed, index, top, top - DAY))
    here = bars[:, bars[0] % FUNDING == 0]
    return dict(zip(here[0].tolist(), prices(here[1], given.decimals).tolist(), strict=True))
