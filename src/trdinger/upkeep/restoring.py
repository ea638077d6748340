"""Rows out of the archive back into the database: those that are not there, exactly as they were.

Running it again changes nothing: a key that is there stays as it is. The archive stays as it is, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from pgpq import ArrowToPostgresBinaryEncoder

from trdinger.archive.archive import Archive
from trdinger.archive.manifest import File
from trdinger.archive.rows import named
from trdinger.declaration import Series
from trdinger.engine.connect import Database
from trdinger.errors import TargetError
from trdinger.progress import Progress
from trdinger.schema.shape import Kind, shape

_TYPES: dict[Kind, str] = {"text": "text", "time": "timestamptz", "float": "float8", "integer": "bigint"}
_GIVEN = "trdinger_archived"


@dataclass(frozen=True)
class Restored:
    """A file of the archive whose rows are in the database now. new: those that were not there before."""

    file: File
    rows: int
    new: int


def choose(
    archive: Archive,
    tables: Sequence[str],
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[File]:
    """The files that have rows of these tables, of a series if one is named, with start <= time < end."""
    named_by = {"symbol": symbol, "timeframe": timeframe}
    return [
        file
        for file in archive.manifest().files
        if file.partition.table in tables
        and (start is None or file.last >= _microseconds(start))
        and (end is None or file.first < _microseconds(end))
        and all(
            named_by.get(name) in (None, value)
            for name, value in zip(file.partition.series.segment_by, file.partition.segment, strict=True)
        )
        and (timeframe is None or "timeframe" in file.partition.series.segment_by)
    ]


def restore(
    database: Database,
    archive: Archive,
    files: Sequence[File],
    progress: Progress,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Iterator[Restored]:
    """Put the rows of these files into the database, a file a transaction.

    Raises TargetError, ArchiveError.
    """
    database.capabilities.require("write")
    progress.stage("Restore", total=sum(file.rows for file in files))
    with database.connect(autocommit=True) as connection:
        for file in files:
            series = file.partition.series
            rows = _between(series, named(file.partition, archive.fresh(file)), start, end)
            new = 0
            if rows.num_rows:
                with connection.transaction():
                    new = _insert(connection, series, rows)
            progress.advance(file.rows, detail=file.path, size=rows.nbytes)
            yield Restored(file, rows.num_rows, new)


def _insert(connection: psycopg.Connection[Any], series: Series, rows: pa.Table) -> int:
    """Insert rows with every column; those whose key is there stay as they are."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (series.table,)).fetchone()
    if not (row and row[0]):
        raise TargetError(
            f"{connection.info.dbname} has no table {series.table}.", hint="Make it: trdinger db upgrade."
        )
    names = rows.column_names
    listed = ", ".join(names)
    typed = ", ".join(f"{name} {_TYPES[shape(series.table).column(name).kind]}" for name in names)
    connection.execute(f"CREATE TEMPORARY TABLE {_GIVEN} ({typed}) ON COMMIT DROP".encode())
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    with connection.cursor().copy(
        f"COPY pg_temp.{_GIVEN} ({listed}) FROM STDIN (FORMAT binary)".encode()
    ) as copy:
        copy.write(encoder.write_header())
        for batch in rows.to_batches():
            copy.write(encoder.write_batch(batch))
        copy.write(encoder.finish())
    done = connection.execute(
        f"INSERT INTO {series.table} ({listed}) OVERRIDING SYSTEM VALUE SELECT {listed} FROM pg_temp.{_GIVEN}"
        f" ON CONFLICT ({', '.join(series.key)}) DO NOTHING".encode()
    )
    return done.rowcount


def _between(series: Series, rows: pa.Table, start: datetime | None, end: datetime | None) -> pa.Table:
    time = rows.column(series.time)
    for moment, compare in ((start, pc.greater_equal), (end, pc.less)):
        if moment is not None:
            rows = rows.filter(compare(time, pa.scalar(moment, time.type)))
            time = rows.column(series.time)
    return rows


def _microseconds(moment: datetime) -> int:
    return int(pa.scalar(moment, pa.timestamp("us", tz="UTC")).value)
