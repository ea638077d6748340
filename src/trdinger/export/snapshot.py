"""Read a database as it is at one moment: every table in one transaction, over one connection.

Series come a page at a time, in the order of time, small tables as the server sends them; either
as Arrow in the types of their shape, so memory is that of one page. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from psycopg import sql

from trdinger.declaration import TABLES
from trdinger.engine.connect import Database
from trdinger.errors import TargetError
from trdinger.export.form import Unheld
from trdinger.legacy.source import quoted
from trdinger.progress import Progress
from trdinger.schema.shape import TableShape

PAGE_ROWS = 100_000  # rows of a page of a series: some 10 MB as Arrow
# The years that Python can name the times of.
_FIRST, _BEYOND = "0001-01-01 00:00:00+00", "10000-01-01 00:00:00+00"
_UPGRADE = "Bring it to this program's: trdinger db upgrade."
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Segment:
    """One series of a table: what names it, and how many rows it has."""

    values: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Held:
    """What the database holds of one table. segments: of a series, in order; () for any other table."""

    shape: TableShape
    rows: int
    segments: tuple[Segment, ...] = ()


class Snapshot:
    """A database at one moment. shared: by which other connections see the same; None on one session."""

    def __init__(self, connection: Any, database: Database, name: str | None) -> None:
        self._connection = connection
        self.database = database
        self.shared = name

    @property
    def source(self) -> str:
        """The database as people call it; no secrets."""
        return str(self.database)

    @property
    def server(self) -> str:
        """What its server runs."""
        return str(self.database.capabilities)

    def held(self, shapes: Sequence[TableShape]) -> tuple[Held, ...]:
        """What it holds of these tables. Raises TargetError where it lacks one, or a column.

        Counts every row, which takes the server a second for some ten million.
        """
        columns: dict[str, set[str]] = {}
        for table, column in self._rows(
            "SELECT table_name::text, column_name::text FROM information_schema.columns"
            " WHERE table_schema = current_schema"
        ):
            columns.setdefault(table, set()).add(column)
        there = [shape for shape in shapes if shape.name in columns]
        if not there:
            raise TargetError(
                f"{self.database} holds none of Trdinger's tables.",
                hint="Run trdinger migrate first, or name another database.",
            )
        if len(there) < len(shapes):
            lacking = [shape.name for shape in shapes if shape not in there]
            raise TargetError(
                f"{self.database} lacks {', '.join(lacking)}: a schema of another version.", hint=_UPGRADE
            )
        for shape in there:
            lacking = [name for name in shape.column_names if name not in columns[shape.name]]
            if lacking:
                raise TargetError(
                    f"{self.database}: {shape.name} lacks {', '.join(lacking)}: a schema of another version.",
                    hint=_UPGRADE,
                )
        return tuple(self._held(shape) for shape in there)

    def others(self) -> tuple[str, ...]:
        """The tables that are there besides Trdinger's: no export has them."""
        found = self._rows(
            "SELECT tablename::text FROM pg_tables t WHERE schemaname = current_schema"
            " AND tablename <> 'alembic_version' AND NOT EXISTS (SELECT 1 FROM pg_depend d"
            " WHERE d.deptype = 'e' AND d.objid = format('%I.%I', t.schemaname, t.tablename)::regclass)"
        )
        return tuple(sorted({name for (name,) in found} - set(TABLES)))

    def prepare(self, folder: Path, progress: Progress) -> list[Unheld]:
        """Nothing: what a database holds fits."""
        del folder, progress
        return []

    def pages(self, held: Held) -> Iterator[pa.Table]:
        """Every row of a table; times may be infinite, or in any year that PostgreSQL knows.

        Raises TargetError where they are not as many as were counted.
        """
        rows = 0
        for page in self._pages(held):
            rows += page.num_rows
            yield page
        if rows < held.rows and held.shape.series is not None:
            time = quoted(held.shape.series.time)
            for page in self._stream(held.shape, f"WHERE {time} < '{_FIRST}' OR {time} >= '{_BEYOND}'"):
                rows += page.num_rows
                yield page
        if rows != held.rows:
            raise TargetError(
                f"{self.database}: {held.shape.name} holds {held.rows:,} rows, reading them gave {rows:,}.",
                hint="Is a move into it unfinished? Finish that first. Else see: trdinger db check.",
            )

    def bytes(self, shape: TableShape) -> int:
        """What a table takes in the database, with its indexes and what lies beside it."""
        ((size,),) = self._rows(f"SELECT pg_total_relation_size({_literal(quoted(shape.name))})")
        return int(size)

    def _pages(self, held: Held) -> Iterator[pa.Table]:
        """The rows of a table; of a series those whose time is in a year from 1 to 9999."""
        if held.shape.series is None:
            yield from self._stream(held.shape, "ORDER BY id")
        for segment in held.segments:
            yield from self._series(held.shape, segment)

    def _held(self, shape: TableShape) -> Held:
        name = quoted(shape.name)
        if shape.series is None:
            ((rows,),) = self._rows(f"SELECT count(*) FROM {name}")
            return Held(shape, rows)
        segment = ", ".join(map(quoted, shape.series.segment_by))
        ordered = ", ".join(f'{quoted(column)} COLLATE "C"' for column in shape.series.segment_by)
        found = self._rows(f"SELECT {segment}, count(*) FROM {name} GROUP BY {segment} ORDER BY {ordered}")
        segments = tuple(Segment(tuple(values), rows) for *values, rows in found)
        return Held(shape, sum(one.rows for one in segments), segments)

    def _series(self, shape: TableShape, segment: Segment) -> Iterator[pa.Table]:
        series = shape.series
        assert series is not None
        time = quoted(series.time)
        where = " AND ".join(
            f"{quoted(name)} = {_literal(value)}"
            for name, value in zip(series.segment_by, segment.values, strict=True)
        )
        after = f"{time} >= '{_FIRST}'"
        while True:
            rest = f"WHERE {where} AND {after} AND {time} < '{_BEYOND}' ORDER BY {time} LIMIT {PAGE_ROWS}"
            parts = list(self._stream(shape, rest))
            if not parts:
                return
            page = pa.concat_tables(parts).combine_chunks()
            yield page
            if page.num_rows < PAGE_ROWS:
                return
            last = page.column(series.time)[-1].cast(pa.int64()).as_py()
            after = f"{time} > {_literal(_EPOCH + timedelta(microseconds=last))}"

    def _stream(self, shape: TableShape, rest: str) -> Iterator[pa.Table]:
        columns = ", ".join(
            f"{quoted(column.name)}::text" if column.kind == "json" else quoted(column.name)
            for column in shape.columns
        )
        schema = shape.arrow(shape.column_names)
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM {quoted(shape.name)} {rest}")
            for batch in cursor.fetch_record_batch():
                if batch.num_rows:
                    given = pa.Table.from_batches([batch])
                    yield given.rename_columns(list(shape.column_names)).cast(schema)

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()  # type: ignore[no-any-return]


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """The database at one moment, for as long as the block lasts. Raises TargetError."""
    many = database.capabilities.has("many_sessions")
    with database.arrow() as connection:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        name = None
        if many:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_export_snapshot()")
                name = cursor.fetchone()[0]
        yield Snapshot(connection, database, name)


def _literal(value: object) -> str:
    return sql.Literal(value).as_string()
