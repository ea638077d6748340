"""One-minute bars: a geometric random walk whose volatility comes in clusters.

Whole numbers throughout: prices in ticks, volumes in units of 1e-8, so that sums and
bounds are exact. Slices come newest first, because that is the order in which history is
collected; the walk therefore runs backwards in time from the instrument's price.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trdinger.sample.instrument import Instrument
from trdinger.sample.options import DAY

Bars = npt.NDArray[np.int64]
"""Bars as an array of shape (6, n), ascending: minute since 1970, open, high, low, close in
ticks, volume in units of 1e-8."""

SLICE = 32 * DAY  # minutes generated at once; some 15 MB while it is made
VOLUME_DECIMALS = 8
_STREAM = 2
_YEAR = 365 * DAY
_PULL = 0.35 / _YEAR  # a minute's share of the way back to the instrument's price
_HOUR = 60
_LASTING, _SHOCK = 0.985, 0.06  # of the hourly logarithm of volatility
_FLAT = 0.002  # share of minutes without a trade
_REOPENED = 0.1  # share of minutes that open a tick away from the last close
_MOST = 2**53 // DAY  # units a minute: no day's sum outgrows what a float holds exactly


class _Weather(NamedTuple):
    """What each minute of a slice is like: the deviation of its return, whether nothing was traded,
    and how much else, as a multiple of an ordinary minute's volume."""

    deviation: npt.NDArray[np.float64]
    flat: npt.NDArray[np.bool_]
    activity: npt.NDArray[np.float64]


def slices(given: Instrument, seed: int, index: int, top: int, begin: int) -> Iterator[Bars]:
    """Bars of every minute before `top` (a midnight), in slices of 32 days, newest first.

    Goes back until `begin` is covered. index tells symbols of one seed apart. Each bar opens
    where the one before closed, or a tick beside it; now and then a minute has no trade: one
    price, volume 0. high >= max(open, close), low <= min(open, close), all >= 1 tick.
    """
    anchor = level = float(np.log(given.price))
    mood = 0.0
    number = 0
    while top > begin:
        rng = np.random.default_rng([seed, _STREAM, index, number])
        moods = _moods(rng, mood)
        minutes = np.arange(top - SLICE, top, dtype=np.int64)
        clock = minutes % DAY
        season = 1 + 0.45 * np.sin((clock - 8 * _HOUR) * (2 * np.pi / DAY))
        hours = np.arange(SLICE // _HOUR + 1) * _HOUR
        burst = np.repeat(0.35 * rng.standard_normal(SLICE // 10), 10)
        agitation = np.exp(np.interp(np.arange(SLICE), hours, moods) + burst) * np.sqrt(season)
        deviation = given.volatility / np.sqrt(_YEAR) * agitation
        flat = rng.random(SLICE) < _FLAT
        steps = deviation * rng.standard_normal(SLICE) + _PULL * (level - anchor)
        steps[flat] = 0.0
        path = np.append(level - np.cumsum(steps[::-1])[::-1], level)
        weather = _Weather(deviation, flat, season * np.clip(agitation, 0.2, 8) ** 0.7)
        yield _bars(rng, given, minutes, path, weather)
        level, mood = float(path[0]), float(moods[0])
        top -= SLICE
        number += 1


def prices(ticks: npt.NDArray[np.int64], decimals: int) -> npt.NDArray[np.float64]:
    """The floats nearest to these decimal fractions: exact while below 2**53 ticks."""
    quotient: npt.NDArray[np.float64] = ticks / float(10**decimals)
    return quotient


def _moods(rng: np.random.Generator, last: float) -> npt.NDArray[np.float64]:
    """Logarithms of volatility at every full hour of a slice; `last` is that of its end."""
    shocks = (_SHOCK * rng.standard_normal(SLICE // _HOUR)).tolist()
    moods = [last]
    for shock in shocks:
        moods.append(_LASTING * moods[-1] + shock)
    return np.array(moods[::-1])


def _bars(
    rng: np.random.Generator,
    given: Instrument,
    minutes: npt.NDArray[np.int64],
    path: npt.NDArray[np.float64],
    weather: _Weather,
) -> Bars:
    deviation, flat, activity = weather
    scaled = np.exp(path) * 10**given.decimals
    ticks = np.maximum(np.rint(scaled).astype(np.int64), 2)
    beside = rng.random(minutes.size)
    move = (beside < _REOPENED / 2).astype(np.int64) - (beside > 1 - _REOPENED / 2)
    opening, close = ticks[:-1] + move, ticks[1:]
    reach = scaled[1:] * deviation * 0.6
    above = np.rint(reach * rng.standard_exponential(minutes.size)).astype(np.int64)
    below = np.rint(reach * rng.standard_exponential(minutes.size)).astype(np.int64)
    weekday = (minutes // DAY + 3) % 7  # 0 is a Monday; 1970 began on a Thursday
    noise = np.exp(0.8 * rng.standard_normal(minutes.size))
    traded = given.volume * activity * np.where(weekday >= 5, 0.7, 1.0) * noise
    volume = np.clip(np.rint(traded * 10**VOLUME_DECIMALS), 1, _MOST).astype(np.int64)
    high = np.maximum(opening, close) + above
    low = np.maximum(np.minimum(opening, close) - below, 1)
    for column in (opening, high, low):
        column[flat] = close[flat]
    volume[flat] = 0
    return np.stack([minutes, opening, high, low, close, volume])
