"""What a transaction that writes compressed chunks asks of the server. For that transaction alone."""

from __future__ import annotations

from typing import Any

import psycopg

from trdinger.declaration import BATCH_ROWS
from trdinger.engine.capabilities import Capabilities

_BATCHES = """
SELECT set_config(name, %s, true) FROM pg_settings
 WHERE name = 'timescaledb.compression_batch_size_limit' AND setting::int <> %s
"""
_DIRECT = "timescaledb.enable_direct_compress_copy"


def batches(connection: psycopg.Connection[Any], rows: int = BATCH_ROWS) -> None:
    """Compress in batches of the declared size, or another, where the server lets one choose."""
    connection.execute(_BATCHES, (str(rows), rows))


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
