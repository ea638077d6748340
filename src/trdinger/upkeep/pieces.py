"""What is past its age: chunks of hypertables, or ranges of time of a plain table.

A piece is whole: no row of it is younger than the age, and none is before the year 1. Ages are told by the
server's clock and by ours, whichever is behind, so that a clock that runs ahead drops nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from trdinger.declaration import Series
from trdinger.schema import timescale

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_CHUNKS = """
SELECT format('%%I.%%I', chunk_schema, chunk_name), range_start, range_end, is_compressed
  FROM timescaledb_information.chunks
 WHERE to_regclass(format('%%I.%%I', hypertable_schema, hypertable_name)) = to_regclass(%s)
   AND range_start >= '0001-01-01' AND range_end <= %s
 ORDER BY range_start
"""


@dataclass(frozen=True)
class Piece:
    """The rows of a table with start <= time < end. relation: the chunk that has them, or the plain table."""

    series: Series
    relation: str
    start: datetime
    end: datetime
    chunk: bool
    compressed: bool = False

    def __str__(self) -> str:
        return f"{self.series.table} from {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


def now(connection: psycopg.Connection[Any]) -> datetime:
    """The server's time or ours, whichever is earlier."""
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    server: datetime = row[0].astimezone(UTC)
    return min(server, datetime.now(UTC))


def past(connection: psycopg.Connection[Any], series: Series, age: timedelta) -> list[Piece]:
    """The pieces of a table whose rows are all older than `age`, the oldest first."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (series.table,)).fetchone()
    if not (row and row[0]):
        return []
    until = now(connection) - age
    if timescale.hypertable(connection, series.table) is None:
        return _ranges(connection, series, until)
    return [
        Piece(series, relation, start, end, chunk=True, compressed=compressed)
        for relation, start, end, compressed in connection.execute(_CHUNKS, (series.table, until))
    ]


def rows(connection: psycopg.Connection[Any], piece: Piece) -> int:
    """How many rows a piece has."""
    row = connection.execute(f"SELECT count(*) FROM {within(piece)}".encode()).fetchone()
    return int(row[0]) if row else 0


def within(piece: Piece) -> str:
    """What follows FROM for all rows of a piece. Of a chunk without a condition: whatever it has."""
    if piece.chunk:
        return piece.relation
    return (
        sql.SQL("{} WHERE {time} >= {} AND {time} < {}")
        .format(
            sql.Identifier(piece.relation), piece.start, piece.end, time=sql.Identifier(piece.series.time)
        )
        .as_string()
    )


def _ranges(connection: psycopg.Connection[Any], series: Series, until: datetime) -> list[Piece]:
    """Ranges as long as chunks would be that have rows."""
    found, size = [], series.chunk_interval
    start = _floor(_first(connection, series, None), size)
    while start is not None and start + size <= until:
        found.append(Piece(series, series.table, start, start + size, chunk=False))
        start = _floor(_first(connection, series, start + size), size)
    return found


def _first(connection: psycopg.Connection[Any], series: Series, since: datetime | None) -> datetime | None:
    row = connection.execute(
        f"SELECT min({series.time}) FROM {series.table} WHERE {series.time} < 'infinity'"
        f" AND {series.time} >= %s AND {series.time} > '-infinity'".encode(),
        (_EARLIEST if since is None else since,),
    ).fetchone()
    return row[0] if row else None


def _floor(moment: datetime | None, size: timedelta) -> datetime | None:
    return None if moment is None else _EPOCH + (moment - _EPOCH) // size * size
