"""Time cut into calendar months, or years: what one file of the cache holds. Microseconds since 1970 UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from trdinger.declaration import OHLCV, Series
from trdinger.series import timeframes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timeframes.width("1h")
_FIRST, _LAST = (  # of the years that datetime can tell, but for the last, which ends beyond them
    (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) for year in (1, 9999)
)


@dataclass(frozen=True)
class Span:
    """start <= time < end. name: 2024-03, or 2024."""

    name: str
    start: int
    end: int


def months_of(series: Series, segment: tuple[str, ...]) -> int:
    """How many months one span of a series has: of a series with few rows a year's go together."""
    fine = series is OHLCV and any(timeframes.width(one) < _HOUR for one in timeframes.known(segment[1:]))
    return 1 if fine else 12


def spans(start: int, end: int, months: int) -> list[Span]:
    """The spans of so many months that [start, end) meets, in order; none for times that no calendar has."""
    if not _FIRST <= start < end <= _LAST:
        return []
    first, last = _EPOCH + timedelta(microseconds=start), _EPOCH + timedelta(microseconds=end - 1)
    found = []
    for at in range(_number(first) // months * months, _number(last) + 1, months):
        name = f"{at // 12:04}-{at % 12 + 1:02}" if months == 1 else f"{at // 12:04}"
        found.append(Span(name, _start(at), _start(at + months)))
    return found


def _number(moment: datetime) -> int:
    return moment.year * 12 + moment.month - 1


def _start(month: int) -> int:
    return (datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
