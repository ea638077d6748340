"""Timeframes: how long a bar is, where bars begin, which bars are made of which.

A bar is named by its open. Bars of up to a day begin at multiples of their width since 1970 UTC, those of
weeks on Mondays. Widths are whole minutes; months, whose width changes, are no timeframe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from trdinger.errors import UsageError

MINUTE = 60_000_000  # microseconds, which all times and widths here are in
_UNITS = {"m": MINUTE, "h": 60 * MINUTE, "d": 24 * 60 * MINUTE, "w": 7 * 24 * 60 * MINUTE}
_FORM = re.compile(r"([1-9]\d{0,4})([mhdw])", re.ASCII)
_MONDAY = 4 * _UNITS["d"]  # 1970-01-05


def width(timeframe: str) -> int:
    """The width of a timeframe ("1m", "4h", "1d", "1w") in microseconds. Raises UsageError."""
    form = _FORM.fullmatch(timeframe)
    if form is None:
        raise UsageError(
            f"{timeframe!r} is no timeframe.",
            hint="A number and m, h, d or w: 1m, 15m, 4h, 1d, 1w.",
        )
    return int(form[1]) * _UNITS[form[2]]


def origin(timeframe: str) -> int:
    """A moment at which a bar of the timeframe begins, in microseconds since 1970 UTC."""
    return _MONDAY if width(timeframe) % _UNITS["w"] == 0 else 0


def known(timeframes: Iterable[str]) -> list[str]:
    """Those of the texts that are timeframes, the finest first."""
    return sorted((one for one in timeframes if _FORM.fullmatch(one)), key=lambda one: (width(one), one))


def divides(finer: str, coarser: str) -> bool:
    """Whether bars of `coarser` are made of whole bars of `finer`, both beginning where these do."""
    return width(coarser) % width(finer) == 0 and (origin(coarser) - origin(finer)) % width(finer) == 0


def first_open(timeframe: str, moment: int) -> int:
    """The open of the first bar that begins at or after a moment; both in microseconds since 1970 UTC."""
    size, start = width(timeframe), origin(timeframe)
    return -((start - moment) // size) * size + start
