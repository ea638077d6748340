"""What a database holds of ours, from its catalog: revision, tables, hypertables, chunks, sizes."""

from __future__ import annotations

from typing import Any

import psycopg

from trdinger.declaration import TABLES
from trdinger.engine.connect import Database

_COUNTED = 1_000_000  # rows; fewer are counted, which takes a tenth of a second, more are estimated

_CHUNKS = """
SELECT hypertable_name, count(*), count(*) FILTER (WHERE is_compressed)
FROM timescaledb_information.chunks WHERE hypertable_schema = current_schema GROUP BY hypertable_name
"""


def status(database: Database) -> dict[str, Any]:
    """Server, edition, revision, and of each of our tables: rows, bytes, chunks.

    Takes a moment however many rows there are: of more than a million they are an estimate. Raises
    TargetError.
    """
    capabilities = database.capabilities
    with database.connect(autocommit=True) as connection:
        return {
            "server": str(capabilities),
            "edition": capabilities.edition,
            "time_zone": capabilities.time_zone,
            "revision": revision(connection),
            "tables": [
                each | {"rows_estimate": _rows(connection, each)}
                for each in tables(connection, hypertables=capabilities.has("hypertables"))
            ],
        }


def tables(connection: psycopg.Connection[Any], *, hypertables: bool) -> list[dict[str, Any]]:
    """Each of our tables that is there, in the declaration's order. Bytes include indexes and chunks."""
    chunks: dict[str, tuple[int, int]] = {}
    series: set[str] = set()
    if hypertables:
        rows = connection.execute(
            "SELECT hypertable_name FROM timescaledb_information.hypertables"
        ).fetchall()
        series = {row[0] for row in rows}
        chunks = {name: (count, packed) for name, count, packed in connection.execute(_CHUNKS)}
    found = []
    for table in TABLES:
        size = "hypertable_size" if table in series else "pg_total_relation_size"
        rows_of = "approximate_row_count(c.oid)" if table in series else "greatest(c.reltuples, 0)::bigint"
        row = connection.execute(
            f"SELECT {rows_of}, {size}(c.oid) FROM pg_class c WHERE c.oid = to_regclass('{table}')"
        ).fetchone()
        if row is None:
            continue
        count, packed = chunks.get(table, (0, 0))
        found.append(
            {
                "table": table,
                "rows_estimate": int(row[0] or 0),
                "bytes": int(row[1] or 0),
                "hypertable": table in series,
                "chunks": count,
                "compressed": packed,
                **_packed(connection, table, packed),
            }
        )
    return found


def _packed(connection: psycopg.Connection[Any], table: str, chunks: int) -> dict[str, int | None]:
    """What the compressed chunks of a table took before they were, and take now; None where there are none.

    Of rows that came straight into compressed chunks the server counts nothing before.
    """
    names = ("bytes_before_compression", "bytes_after_compression")
    if not chunks:
        return dict.fromkeys(names)
    row = connection.execute(
        "SELECT sum(before_compression_total_bytes)::bigint, sum(after_compression_total_bytes)::bigint"
        " FROM chunk_compression_stats(%s::regclass) WHERE before_compression_total_bytes > 0",
        (table,),
    ).fetchone()
    return dict(zip(names, row or (None, None), strict=True))


def revision(connection: psycopg.Connection[Any]) -> str | None:
    """The revision of our schema that the database is at; None before the first."""
    if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _rows(connection: psycopg.Connection[Any], table: dict[str, Any]) -> int:
    """A table's rows: counted up to a limit, since of a compressed chunk the catalog has only a guess."""
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {table['table']} LIMIT {_COUNTED}) AS held"
    ).fetchone()
    counted = int(row[0]) if row else 0
    return counted if counted < _COUNTED else max(counted, int(table["rows_estimate"]))
