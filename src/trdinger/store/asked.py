"""What is asked of a store, made sure of: times, ranges, columns and tables, and what is said of others."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from trdinger.declaration import SERIES, Series
from trdinger.errors import UsageError
from trdinger.schema.shape import shape
from trdinger.store.side import Between

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownSeries(UsageError):
    """The store has no such series."""


class NaiveTime(UsageError):
    """A time without an offset could mean any hour."""


def between_times(start: datetime | None, end: datetime | None) -> Between:
    """A range, [start, end). Raises NaiveTime, UsageError where it ends before it starts."""
    first, last = microseconds(start), microseconds(end)
    if first is not None and last is not None and first > last:
        raise UsageError(f"The range ends ({end}) before it starts ({start}).", hint="Turn them round.")
    return Between(first, last)


def microseconds(moment: datetime | None) -> int | None:
    """A moment as microseconds since 1970 UTC. Raises NaiveTime."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise NaiveTime(f"{moment} has no offset.", hint="Say which: datetime(…, tzinfo=UTC).")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """The moment that many microseconds after 1970 UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def columns_of(series: Series, asked: Sequence[str] | None, usual: Sequence[str]) -> Sequence[str]:
    """The columns that were asked for, else the usual ones. Raises UsageError."""
    return usual if asked is None else known_columns(asked, shape(series.table).column_names)


def known_columns(asked: Sequence[str], have: Sequence[str]) -> list[str]:
    """The columns that were asked for. Raises UsageError, which names those that there are."""
    if strange := [name for name in asked if name not in have]:
        raise UsageError(f"There is no column {', '.join(strange)}.", hint=f"There are: {', '.join(have)}.")
    return list(asked)


def series_of(table: str) -> Series:
    """The series kept in a table. Raises UsageError."""
    if table not in SERIES:
        raise UsageError(f"{table} is no series.", hint=f"Series are: {', '.join(SERIES)}.")
    return SERIES[table]


def nearest(symbol: str, have: list[str]) -> str:
    """What to say of a symbol that is not there."""
    near = difflib.get_close_matches(symbol, have, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else have_instead(have)


def have_instead(names: Sequence[str]) -> str:
    """What there is, in words."""
    return f"There are: {', '.join(sorted(names))}." if names else "It is empty."
