"""Times as the existing application's file holds them: text, naive, in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from trdinger.sample.options import DAY

_OF_DAY = tuple(f"{minute // 60:02}:{minute % 60:02}:00.000000" for minute in range(DAY))


def at(minute: int) -> datetime:
    """The aware datetime of a minute since 1970."""
    return datetime.fromtimestamp(minute * 60, tz=UTC)


def minute_texts(minutes: npt.NDArray[np.int64]) -> list[str]:
    """`YYYY-MM-DD HH:MM:00.000000` for each minute since 1970. About 0.1 µs each."""
    days, rest = np.divmod(minutes, DAY)
    names = {day: f"{at(day * DAY):%Y-%m-%d} " for day in np.unique(days).tolist()}
    return [names[day] + _OF_DAY[minute] for day, minute in zip(days.tolist(), rest.tolist(), strict=True)]


def millisecond_texts(milliseconds: Iterable[int]) -> list[str]:
    """`YYYY-MM-DD HH:MM:SS.ffffff` for each millisecond since 1970."""
    return [microsecond_text(moment * 1000) for moment in milliseconds]


def microsecond_text(microseconds: int) -> str:
    """`YYYY-MM-DD HH:MM:SS.ffffff`, as the application binds a datetime."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{second_text(seconds)}.{rest:06}"


def second_text(seconds: int) -> str:
    """`YYYY-MM-DD HH:MM:SS`, as the server default CURRENT_TIMESTAMP gives it."""
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M:%S}"


class Clock:
    """The wall clock of the imagined collector: seconds since 1970, it only goes forward."""

    def __init__(self, second: int) -> None:
        self.second = second

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.second += seconds

    def until(self, second: int) -> None:
        """Wait for a moment, unless it is past."""
        self.second = max(self.second, second)

    @property
    def text(self) -> str:
        return second_text(self.second)


class Ids:
    """Ids of one table: dense from 1, but for two holes as a data reset leaves them.

    After a third and after two thirds of the rows a run of ids is missing: a hundredth
    of the rows, at least 1 and at most 5,000, as if a series had been deleted and
    collected anew behind what came after it. Fewer than 9 rows have no holes.
    """

    def __init__(self, rows: int) -> None:
        self._hole = min(max(rows // 100, 1), 5_000) if rows >= 9 else 0
        self._after = (rows // 3, 2 * rows // 3)
        self._taken = 0

    def take(self, count: int) -> list[int]:
        """The next ids, ascending."""
        first = self._taken
        self._taken += count
        low, high = self._after
        if first >= high or self._taken <= low or low <= first < self._taken <= high:
            shift = 1 + self._hole * ((first >= low) + (first >= high))
            return list(range(first + shift, self._taken + shift))
        return [n + 1 + self._hole * ((n >= low) + (n >= high)) for n in range(first, self._taken)]
