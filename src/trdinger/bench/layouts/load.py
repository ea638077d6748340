"""Candles into a table of one layout, by a move's own statements, and proven to be there.

The table has a schema of its own. Rows go straight into compressed chunks where the server can and a segment
is one series, since then they come in its order; otherwise they are compressed afterwards.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from trdinger.bench.clock import Clock
from trdinger.bench.layouts.candles import VALUES, Candles
from trdinger.bench.layouts.layout import Layout
from trdinger.crew import crew
from trdinger.declaration import OHLCV
from trdinger.engine.connect import Database
from trdinger.errors import ValuesDiffer
from trdinger.move.encoding import encode
from trdinger.move.workers import connections
from trdinger.schema import bulk, keys, timescale
from trdinger.schema.upgrade import upgrade

_PROVEN_ROWS = 50_000  # rows of a slice that is read back: not a number that chunks or batches end at

_Encoded = list[tuple[tuple[str, ...], bytearray | memoryview]]


def prepare(database: Database) -> Database:
    """The schema of a move, whose table of candles the layouts' are made like. Raises MissingCapability."""
    engine = database.engine()
    try:
        upgrade(engine)
    finally:
        engine.dispose()
    prepared = database.fresh()
    prepared.capabilities.require("compression")
    return prepared


def schema(layout: Layout) -> str:
    """Where the table of a layout is."""
    return f"layout_{layout.name}"


def table(layout: Layout) -> str:
    """The table of a layout, as SQL reads it."""
    return f"{timescale.quoted(schema(layout))}.{OHLCV.table}"


@contextmanager
def at_home(connection: psycopg.Connection[Any], layout: Layout, *, undone: bool = False) -> Iterator[None]:
    """A transaction in which the table of candles is that of the layout; `undone` at its end."""
    with connection.transaction(force_rollback=undone):
        connection.execute(f"SET LOCAL search_path TO {timescale.quoted(schema(layout))}, public")
        yield


def directly(database: Database, layout: Layout) -> bool:
    """Whether its rows are compressed as they come."""
    return layout.batch_rows is not None and layout.by_series and database.capabilities.has("direct_compress")


def load(database: Database, server: int | None, layout: Layout, candles: Candles) -> Clock:
    """Make the table, send the candles, compress, make the keys, analyse. Raises TargetError."""
    encoded = [_encoded(layout, segment, parts) for segment, parts in candles.units.items()]
    with database.connect(autocommit=True) as connection:
        _make(connection, layout)
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute("CHECKPOINT")  # none pays for the one before it
    clock = Clock(server)
    clock.stage("Copy")
    for _ in crew(encoded, _sending(database, layout), hands=connections(database.capabilities), name="load"):
        pass
    with database.connect(autocommit=True) as connection:
        if layout.batch_rows is not None:
            clock.stage("Compress")
            with at_home(connection, layout):
                bulk.compress_every(connection, table(layout), layout.batch_rows)
        clock.stage("Keys")
        with at_home(connection, layout):
            keys.restore_after_load(connection, OHLCV.table)
        connection.execute(f"ANALYZE {table(layout)}".encode())
        clock.end()
        connection.execute(f"VACUUM {table(layout)}".encode())  # so that none comes while it is asked
    return clock


def prove(database: Database, layout: Layout, candles: Candles) -> None:
    """Raise ValuesDiffer unless the table holds what was sent, read as the store reads it, and no more."""
    listed = ", ".join(VALUES)
    statement = (
        f"SELECT {listed} FROM {table(layout)} WHERE symbol = $1 AND timeframe = $2"
        f" AND {OHLCV.time} >= $3 AND {OHLCV.time} < $4 ORDER BY {OHLCV.time}"
    )
    with database.reading() as reader:
        for segment, sent in candles.series.items():
            bounds = ["-infinity", *_inner(sent), "infinity"]
            found = [reader.ask(statement, (*segment, since, until)) for since, until in pairwise(bounds)]
            there = pa.concat_tables(part.cast(sent.schema) for part in found).combine_chunks()
            if not there.equals(sent):
                raise ValuesDiffer(
                    f"Layout {layout.name}: {' '.join(segment)} gives {there.num_rows:,} candles that are not"
                    f" the {sent.num_rows:,} that were sent.",
                    hint="Is this version known to lose rows? Figures of it are worth nothing.",
                )
        count = reader.ask(f"SELECT count(*) FROM {table(layout)}").column(0)[0].as_py()
    if count != candles.rows:
        raise ValuesDiffer(
            f"Layout {layout.name} holds {count:,} candles, {candles.rows:,} were sent.",
            hint="There are candles in it that nobody sent.",
        )


def held(connection: psycopg.Connection[Any], layout: Layout) -> tuple[int, int]:
    """Chunks, and bytes with indexes."""
    row = connection.execute(
        "SELECT count(*), hypertable_size(%s::text::regclass) FROM show_chunks(%s::text::regclass)",
        (table(layout), table(layout)),
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _encoded(layout: Layout, segment: tuple[str, ...], parts: list[pa.Table]) -> _Encoded:
    """The units of a series as they are sent: in the order of the layout's segments."""
    if layout.by_series and layout.descending:
        parts = [part.take(np.arange(part.num_rows)[::-1]) for part in reversed(parts)]
    return [encode(OHLCV, part, segment) for part in parts]


def _make(connection: psycopg.Connection[Any], layout: Layout) -> None:
    connection.execute(f"CREATE SCHEMA {timescale.quoted(schema(layout))}".encode())
    with at_home(connection, layout):
        alike = " ".join(f"INCLUDING {what}" for what in ("DEFAULTS", "IDENTITY", "CONSTRAINTS", "STORAGE"))
        connection.execute(f"CREATE TABLE {table(layout)} (LIKE public.{OHLCV.table} {alike})".encode())
        timescale.create_hypertable(connection, OHLCV.table, by=OHLCV.time, chunk_interval=layout.chunk)
        if layout.batch_rows is not None:
            settings = sql.SQL(
                "ALTER TABLE {} SET (timescaledb.compress,"
                " timescaledb.compress_segmentby = {}, timescaledb.compress_orderby = {})"
            )
            connection.execute(
                settings.format(
                    sql.Identifier(OHLCV.table),
                    sql.Literal(", ".join(layout.segment_by)),
                    sql.Literal(", ".join(layout.order_by)),
                )
            )


def _sending(database: Database, layout: Layout) -> Any:
    capabilities, direct = database.capabilities, directly(database, layout)

    def send(own: Iterator[_Encoded]) -> Generator[None, None, None]:
        with database.connect(autocommit=True) as connection:
            for units in own:
                for columns, data in units:
                    with connection.transaction():
                        if direct:
                            assert layout.batch_rows is not None
                            bulk.direct(connection, capabilities, ordered=True, batch_rows=layout.batch_rows)
                        _copy(connection, layout, columns, memoryview(data))
                    yield

    return send


def _copy(
    connection: psycopg.Connection[Any], layout: Layout, columns: tuple[str, ...], data: memoryview
) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(schema(layout), OHLCV.table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    bulk.send(connection, statement, data)


def _inner(sent: pa.Table) -> list[Any]:
    """Times of a series at which it is cut to be read back."""
    moments = sent.column(OHLCV.time)
    return [moments[at].as_py() for at in range(_PROVEN_ROWS, sent.num_rows, _PROVEN_ROWS)]
