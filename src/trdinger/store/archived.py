"""A store's side together with its archive: a row that is in both comes once, as the database has it.

The database is asked first: a chunk is in the archive before it leaves the database, so whatever is not
there any more is here by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import pyarrow as pa

from trdinger.archive.archive import Archive
from trdinger.archive.rows import joined
from trdinger.declaration import OHLCV, Series
from trdinger.engine.borrowed import Borrowed
from trdinger.store.side import Between, Held, Side


class WithArchive:
    """A side of a store, and the rows that its archive has besides. Writing goes into the database."""

    def __init__(self, side: Side, archive: Archive) -> None:
        self._side = side
        self._archive = archive

    def rows(
        self, series: Series, segment: tuple[str, ...], between: Between, columns: Sequence[str]
    ) -> pa.Table:
        (found,) = self.rows_of(series, [(segment, between)], columns)
        return found

    def rows_of(
        self, series: Series, asked: Sequence[tuple[tuple[str, ...], Between]], columns: Sequence[str]
    ) -> list[pa.Table]:
        names = list(dict.fromkeys([*columns, series.time]))
        here = self._side.rows_of(series, asked, names)
        return [
            self._joined(series, segment, between, table, names).select(list(columns))
            for (segment, between), table in zip(asked, here, strict=True)
        ]

    def latest(
        self, series: Series, segment: tuple[str, ...], count: int, columns: Sequence[str]
    ) -> pa.Table:
        names = list(dict.fromkeys([*columns, series.time]))
        here = self._side.latest(series, segment, count, names)
        since = here.column(series.time)[0].cast(pa.int64()).as_py() if here.num_rows == count else None
        found = self._joined(series, segment, Between(since), here, names)
        return found.slice(max(0, found.num_rows - count)).select(list(columns))

    def kept(self, finer: Sequence[Held], between: Between, timeframe: str) -> list[pa.Table] | None:
        there = {one.segment: one for one in self._archived(OHLCV)}
        if any(_meets(there.get(one.segment), between) for one in finer):
            return None
        return self._side.kept(finer, between, timeframe)

    def bars(self, segment: tuple[str, ...], between: Between, timeframe: str) -> pa.Table | None:
        there = next((one for one in self._archived(OHLCV) if one.segment == segment), None)
        return None if _meets(there, between) else self._side.bars(segment, between, timeframe)

    def held(self, series: Series) -> list[Held]:
        found = {one.segment: one for one in self._side.held(series)}
        for old in self._archived(series):
            new = found.get(old.segment, old)
            found[old.segment] = Held(old.segment, min(old.first, new.first), max(old.last, new.last))
        return [found[segment] for segment in sorted(found)]

    def ends(self, series: Series, segment: tuple[str, ...]) -> Held | None:
        return next((one for one in self.held(series) if one.segment == segment), None)

    def symbols(self, series: Series) -> list[str]:
        return sorted({*self._side.symbols(series), *(one.segment[0] for one in self._archived(series))})

    def counts(self, series: Series) -> dict[tuple[str, ...], int]:
        segments = [one.segment for one in self.held(series)]
        tables = self.rows_of(series, [(segment, Between()) for segment in segments], (series.time,))
        return {segment: table.num_rows for segment, table in zip(segments, tables, strict=True)}

    def writing(self) -> AbstractContextManager[Borrowed]:
        return self._side.writing()

    def _joined(
        self,
        series: Series,
        segment: tuple[str, ...],
        between: Between,
        here: pa.Table,
        names: Sequence[str],
    ) -> pa.Table:
        old = self._archive.rows(series, segment, between.start, between.end).select(list(names))
        return joined(series, old, here)

    def _archived(self, series: Series) -> list[Held]:
        return [Held(one.segment, one.first, one.last) for one in self._archive.held(series)]


def _meets(held: Held | None, between: Between) -> bool:
    return (
        held is not None
        and (between.end is None or held.first < between.end)
        and (between.start is None or held.last >= between.start)
    )
