"""The end state that contestants share: hypertables, natural keys, compressed, analysed."""

from __future__ import annotations

from typing import Any

import psycopg

from trdinger.declaration import SERIES
from trdinger.engine.connect import Database
from trdinger.schema import bulk, keys
from trdinger.schema.apply import apply
from trdinger.schema.upgrade import upgrade


def prepare(database: Database) -> Database:
    """Empty tables as a move makes them, without the keys of the series: ready for a bulk load."""
    engine = database.engine()
    try:
        upgrade(engine)
    finally:
        engine.dispose()
    prepared = database.fresh()
    with prepared.connect() as connection:
        apply(connection)
    with prepared.connect() as connection:
        for table in SERIES:
            keys.drop_for_load(connection, table)
    return prepared.fresh()


def complete(connection: psycopg.Connection[Any], *, compression: bool) -> None:
    """Compress what is not compressed yet, make the keys, analyse: in the order that takes the least time."""
    for table in SERIES:
        if compression:
            with connection.transaction():
                bulk.compress_every(connection, table)
        keys.restore_after_load(connection, table)
        connection.execute(f"ANALYZE {table}")


def rows(connection: psycopg.Connection[Any]) -> int:
    """How many rows the series hold."""
    counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in SERIES]
    return sum(int(count[0]) for count in counts if count)
