"""Writing much at once: COPY, and compressed chunks. Settings are for the transaction alone."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from trdinger.declaration import BATCH_ROWS
from trdinger.engine.capabilities import Capabilities

_BATCHES = """
SELECT set_config(name, %s, true) FROM pg_settings
 WHERE name = 'timescaledb.compression_batch_size_limit' AND setting::int <> %s
"""
_WRITE_BYTES = 4 << 20  # of one CopyData message
_DIRECT = "timescaledb.enable_direct_compress_copy"


def batches(connection: psycopg.Connection[Any], rows: int = BATCH_ROWS) -> None:
    """Compress in batches of the declared size, or another, where the server lets one choose."""
    connection.execute(_BATCHES, (str(rows), rows))


def send(connection: psycopg.Connection[Any], statement: sql.Composed, data: memoryview) -> int:
    """Send the bytes of a binary COPY a piece at a time; how many rows the server took."""
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for start in range(0, len(data), _WRITE_BYTES):
                copy.write(data[start : start + _WRITE_BYTES])
        return cursor.rowcount


def compress(connection: psycopg.Connection[Any], chunk: str, rows: int = BATCH_ROWS) -> None:
    """Compress one chunk by its name as SQL reads it, in batches of the declared size or another."""
    batches(connection, rows)
    connection.execute("SELECT compress_chunk(%s::text::regclass, if_not_compressed => true)", (chunk,))


def compress_every(connection: psycopg.Connection[Any], table: str, rows: int = BATCH_ROWS) -> None:
    """Compress every chunk of a hypertable by its name as SQL reads it, as `compress` does."""
    batches(connection, rows)
    connection.execute(
        "SELECT compress_chunk(chunk, if_not_compressed => true)"
        " FROM show_chunks(%s::text::regclass) AS chunk",
        (table,),
    )


def direct(
    connection: psycopg.Connection[Any],
    capabilities: Capabilities,
    *,
    ordered: bool,
    batch_rows: int = BATCH_ROWS,
) -> None:
    """COPY straight into compressed chunks, where the server can.

    ordered: the rows come in the declared order. The server does not check that, and loses rows where it is
    not so: assert it on every batch.
    """
    if capabilities.has("direct_compress"):
        batches(connection, batch_rows)
        connection.execute(f"SET LOCAL {_DIRECT} = on")
        connection.execute(f"SET LOCAL {_DIRECT}_client_sorted = {'on' if ordered else 'off'}")
