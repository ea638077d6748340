"""A store's side on a SQLite file of the application: read as a move reads it, whatever forms its times have.

Slower than a server: every value is brought to its type here. It writes rows as the application does.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pyarrow as pa

from trdinger.declaration import Series
from trdinger.engine.borrowed import Borrowed
from trdinger.errors import SourceError
from trdinger.legacy.reading import SeriesReader, Span, series_reader
from trdinger.legacy.source import Source, locked
from trdinger.legacy.values import convert
from trdinger.schema.shape import shape
from trdinger.store.side import Between, Held

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WAIT = 5.0  # seconds for a lock, as the application waits


@contextmanager
def sqlite_side(source: Source) -> Iterator[Sqlite]:
    """One file. Raises SourceError."""
    source.check()
    with ExitStack() as opened:
        yield Sqlite(source, opened.enter_context(source.connect()), opened)


class Sqlite:
    """What is asked of a file. opened: what is let go of with it."""

    def __init__(self, source: Source, connection: sqlite3.Connection, opened: ExitStack) -> None:
        self._source = source
        self._opened = opened
        self._connection = connection
        self._columns = {
            name.lower(): tuple(columns) for name, columns in source.tables(self._connection).items()
        }
        self._readers: dict[str, SeriesReader] = {}

    def rows(
        self, series: Series, segment: tuple[str, ...], between: Between, columns: Sequence[str]
    ) -> pa.Table:
        span = Span(segment, _before(between.start), _before(between.end))
        held = self._reader(series).read(span, rows=1)
        if held.found.bad:
            bad = held.found.bad[0]
            raise SourceError(
                f"{self._source.path}: {bad}.",
                hint="trdinger inspect tells all such values; mend them first.",
            )
        return _with_segment(held.table, series, segment).select(list(columns))

    def rows_of(
        self, series: Series, asked: Sequence[tuple[tuple[str, ...], Between]], columns: Sequence[str]
    ) -> list[pa.Table]:
        return [self.rows(series, segment, between, columns) for segment, between in asked]

    def latest(
        self, series: Series, segment: tuple[str, ...], count: int, columns: Sequence[str]
    ) -> pa.Table:
        where = " AND ".join(f"{name} = ?" for name in series.segment_by)
        found = self._connection.execute(
            f"SELECT {series.time} FROM {series.table} WHERE {where}"
            f" ORDER BY {series.time} DESC LIMIT 1 OFFSET {count - 1:d}",
            segment,
        ).fetchone()
        since = Between(_moment(series, found[0])) if found else Between()
        table = self.rows(series, segment, since, columns)
        return table.slice(max(0, table.num_rows - count))

    def kept(self, finer: Sequence[Held], between: Between, timeframe: str) -> list[pa.Table] | None:
        return None

    def bars(self, segment: tuple[str, ...], between: Between, timeframe: str) -> pa.Table | None:
        return None

    def held(self, series: Series) -> list[Held]:
        names = series.segment_by
        listed = ", ".join(names)
        marks = ", ".join("?" * len(names))
        found: list[Held] = []
        # The key's index is asked for the next series after the last one: no scan, no DISTINCT.
        first = f"SELECT {listed} FROM {series.table} ORDER BY {listed} LIMIT 1"
        row = self._connection.execute(first).fetchone()
        while row is not None:
            segment = tuple(bytes(name).decode() for name in row)
            held = self.ends(series, segment)
            assert held is not None
            found.append(held)
            row = self._connection.execute(
                f"SELECT {listed} FROM {series.table} WHERE ({listed}) > ({marks}) ORDER BY {listed} LIMIT 1",
                segment,
            ).fetchone()
        return found

    def ends(self, series: Series, segment: tuple[str, ...]) -> Held | None:
        same = " AND ".join(f"{name} = ?" for name in series.segment_by)
        first, last = (
            self._connection.execute(
                f"SELECT {end}({series.time}) FROM {series.table} WHERE {same}", segment
            ).fetchone()[0]
            for end in ("min", "max")
        )
        return None if first is None else Held(segment, _moment(series, first), _moment(series, last))

    def symbols(self, series: Series) -> list[str]:
        return sorted({held.segment[0] for held in self.held(series)})

    def counts(self, series: Series) -> dict[tuple[str, ...], int]:
        listed = ", ".join(series.segment_by)
        return {
            tuple(name.decode() for name in names): rows
            for *names, rows in self._connection.execute(
                f"SELECT {listed}, count(*) FROM {series.table} GROUP BY {listed}"
            )
        }

    @contextmanager
    def writing(self) -> Iterator[Borrowed]:
        path = self._source.path
        address = f"file:{quote(os.fsencode(path.resolve()))}?mode=rw"
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)
            ) as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield Borrowed(connection)
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            if (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF in {
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            }:
                raise locked(path) from None
            raise SourceError(
                f"{path} cannot be written: {error}.", hint="Nothing of this was stored."
            ) from None

    def _reader(self, series: Series) -> SeriesReader:
        if series.table not in self._readers:
            if series.table not in self._columns:
                raise SourceError(
                    f"{self._source.path} has no table {series.table}.",
                    hint="Name the file that Trdinger wrote.",
                )
            reader = series_reader(self._source, shape(series.table), self._columns[series.table])
            self._readers[series.table] = self._opened.enter_context(reader)
        return self._readers[series.table]


def _with_segment(table: pa.Table, series: Series, segment: tuple[str, ...]) -> pa.Table:
    for name, value in zip(series.segment_by, segment, strict=True):
        table = table.append_column(name, pa.repeat(pa.scalar(value, pa.string()), table.num_rows))
    return table


def _before(moment: int | None) -> str | None:
    """The moment just before, as the application writes times: what bounds of text are compared with."""
    if moment is None:
        return None
    return f"{_EPOCH + timedelta(microseconds=moment - 1):%Y-%m-%d %H:%M:%S.%f}"


def _moment(series: Series, stored: object) -> int:
    value, _ = convert(shape(series.table).column(series.time), stored)  # type: ignore[arg-type]
    assert isinstance(value, int)
    return value
