"""What a store asks of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from trdinger.declaration import Series
from trdinger.engine.borrowed import Borrowed


@dataclass(frozen=True)
class Held:
    """One series that is there. first and last in microseconds since 1970 UTC."""

    segment: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Between:
    """start <= time < end, in microseconds since 1970 UTC; None leaves that end open."""

    start: int | None = None
    end: int | None = None


class Side(Protocol):
    """A database with series. Rows come sorted by time, oldest first, in the declaration's types."""

    def rows(
        self, series: Series, segment: tuple[str, ...], between: Between, columns: Sequence[str]
    ) -> pa.Table:
        """The rows of one series in a range of time."""

    def rows_of(
        self, series: Series, asked: Sequence[tuple[tuple[str, ...], Between]], columns: Sequence[str]
    ) -> list[pa.Table]:
        """The rows of several series, a table each; a server is asked in one round trip."""

    def latest(
        self, series: Series, segment: tuple[str, ...], count: int, columns: Sequence[str]
    ) -> pa.Table:
        """The newest `count` rows of one series."""

    def kept(self, finer: Sequence[Held], between: Between, timeframe: str) -> list[pa.Table] | None:
        """Bars as `bars` makes them, of several series of one timeframe, where the database keeps them and
        they are right; else None."""

    def bars(self, segment: tuple[str, ...], between: Between, timeframe: str) -> pa.Table | None:
        """Bars of a coarser timeframe, as `series.bars.derived` gives them; None if it cannot make them."""

    def held(self, series: Series) -> list[Held]:
        """Every series of a table, by its segment. A walk over the key: as long as there are series."""

    def ends(self, series: Series, segment: tuple[str, ...]) -> Held | None:
        """One series, if it is there."""

    def symbols(self, series: Series) -> list[str]:
        """The symbols of a table, sorted."""

    def counts(self, series: Series) -> dict[tuple[str, ...], int]:
        """The rows of each series."""

    def writing(self) -> AbstractContextManager[Borrowed]:
        """A transaction of the store's own: committed at the end of the block, undone when it raises."""
