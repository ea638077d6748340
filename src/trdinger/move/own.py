"""A user's own tables around the copy: made before it, their keys after it, dropped for a replacement.

The ledger knows each table that a move made by its oid, so that no other of that name is taken for it.
A key that the rows do not have, or that the server cannot index, is left out and told.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from trdinger.engine.capabilities import Capabilities
from trdinger.errors import TargetRefused
from trdinger.legacy.survey import Survey
from trdinger.move import own_ledger
from trdinger.schema import bulk, timescale
from trdinger.schema.own import making
from trdinger.schema.own.description import OwnTable

Step = Callable[[str, Callable[[], object]], None]
"""Does something once in a move, in a transaction of its own, under a name."""


def described(held: Survey) -> list[OwnTable]:
    """The target's own tables of a file."""
    return [table.own.table for table in held.own if table.own is not None]


def make(connection: psycopg.Connection[Any], move: uuid.UUID, held: Survey) -> None:
    """Make the tables that are not there. Raises TargetRefused for one that no move made."""
    known = own_ledger.made(connection)
    for table in described(held):
        present = making.oid(connection, table.name)
        if present is not None and (table.name not in known or known[table.name].oid != present):
            raise clash(connection.info.dbname, [table.name])
        if present is None:
            with connection.transaction():
                making.create(connection, table)
                made = making.oid(connection, table.name)
                assert made is not None
                own_ledger.enter(connection, move, table.name, made)


def remove(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop the tables that former moves made, in the caller's transaction; their names."""
    return making.drop(connection, [made.oid for made in own_ledger.made(connection).values()])


def steps(held: Survey, capabilities: Capabilities) -> int:
    """How many steps `finish` takes."""
    tables = described(held)
    series = sum(table.series is not None for table in tables) if capabilities.has("compression") else 0
    return 4 * len(tables) + series


def finish(
    connection: psycopg.Connection[Any],
    move: uuid.UUID,
    held: Survey,
    capabilities: Capabilities,
    step: Step,
) -> None:
    """Keys, references, compression, next ids and statistics, as far as they are not done."""
    tables = described(held)
    for table in tables:
        step(f"keys of {table.name}", partial(_keys, connection, move, table, making.make_keys))
    for table in tables:
        step(f"references of {table.name}", partial(_keys, connection, move, table, making.make_references))
    for table in tables:
        step(f"ids of {table.name}", partial(making.restart_identity, connection, table))
        if table.series is not None and capabilities.has("compression"):
            step(f"compression of {table.name}", partial(_compression, connection, move, table))
            if timescale.hypertable(connection, table.name) is not None:
                compress(connection, table.name)
    for table in tables:
        analyse = sql.SQL("ANALYZE {}").format(sql.Identifier(table.name))
        step(f"statistics of {table.name}", partial(connection.execute, analyse))


def compress(connection: psycopg.Connection[Any], table: str) -> None:
    """Compress the chunks of a hypertable that are not, each in a transaction of its own."""
    state = timescale.hypertable(connection, table)
    if state is None or state.compression is None:
        return
    for chunk in uncompressed(connection, table):
        with connection.transaction():
            bulk.compress(connection, chunk)


def uncompressed(connection: psycopg.Connection[Any], table: str) -> list[str]:
    """The chunks of a hypertable that are not compressed, oldest first."""
    rows = connection.execute(
        "SELECT format('%%I.%%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks"
        " WHERE hypertable_name = %s AND hypertable_schema = current_schema AND NOT is_compressed"
        " ORDER BY range_start",
        (table,),
    ).fetchall()
    return [row[0] for row in rows]


def failures(connection: psycopg.Connection[Any]) -> dict[str, dict[str, str]]:
    """The keys that could not be made, by table and name, with the reasons."""
    return {name: made.failed for name, made in own_ledger.made(connection).items() if made.failed}


def sizes(connection: psycopg.Connection[Any], held: Survey) -> Iterator[tuple[str, int]]:
    """The bytes of each own table with its indexes and chunks."""
    for table in described(held):
        state = timescale.hypertable(connection, table.name)
        size = "pg_total_relation_size" if state is None else "hypertable_size"
        row = connection.execute(
            f"SELECT {size}(%s::text::regclass)", (timescale.quoted(table.name),)
        ).fetchone()
        yield table.name, int(row[0] or 0) if row else 0


def clash(database: object, names: list[str]) -> TargetRefused:
    """What there is to say of tables by names that a file's own would have."""
    return TargetRefused(
        f"{database} already holds {', '.join(names)}, which no move made; nothing was written.",
        hint="Name an empty database, or rename what is there, or leave the file's behind: "
        + " ".join(f"--leave-out {name}" for name in names),
    )


def _keys(
    connection: psycopg.Connection[Any],
    move: uuid.UUID,
    table: OwnTable,
    make_them: Callable[[psycopg.Connection[Any], OwnTable], dict[str, str]],
) -> None:
    failed = make_them(connection, table)
    if failed:
        own_ledger.fail(connection, move, table.name, failed)


def _compression(connection: psycopg.Connection[Any], move: uuid.UUID, table: OwnTable) -> None:
    why = making.set_compression(connection, table)
    if why is not None:
        own_ledger.fail(connection, move, table.name, {"compression": why})
