"""What upkeep keeps in a database, in the schema trdinger_upkeep: who it is, what it dropped, how jobs went.

about     one line: a name of this database for archives
dropped   a line for each chunk, entered in the transaction that dropped it
job       a line for each job of ours: when it ran, when it last went well, and what went wrong since
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from trdinger.errors import EngineBusy

SCHEMA = "trdinger_upkeep"
_LOCK = 0x7472_6475  # of one upkeep at a time in a database: "trdu"
_DDL = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.about (name uuid NOT NULL);
INSERT INTO {SCHEMA}.about SELECT gen_random_uuid() WHERE NOT EXISTS (SELECT FROM {SCHEMA}.about);
CREATE TABLE IF NOT EXISTS {SCHEMA}.dropped (
    token       uuid PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    relation    text NOT NULL,
    first       timestamptz NOT NULL,
    beyond      timestamptz NOT NULL,
    rows        bigint NOT NULL,
    archive     text NOT NULL
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.job (
    name        text PRIMARY KEY,
    started     timestamptz NOT NULL,
    seconds     double precision NOT NULL,
    succeeded   timestamptz,
    failures    bigint NOT NULL DEFAULT 0,
    error       text
);
"""


def prepare(connection: psycopg.Connection[Any]) -> str:
    """Make the record where it is not there; the name of this database for archives.

    A copy of the database has another one: its own oid is a part of it.
    """
    if not present(connection):
        with connection.transaction():
            connection.execute(_DDL)
    row = connection.execute(
        f"SELECT name || ':' || d.oid FROM {SCHEMA}.about, pg_database d WHERE datname = current_database()"
    ).fetchone()
    assert row is not None
    return str(row[0])


def present(connection: psycopg.Connection[Any]) -> bool:
    """Whether there is a record."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.job",)).fetchone()
    return bool(row and row[0])


@contextmanager
def hold(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """The lock of upkeep, on this connection for the block. Raises EngineBusy where another has it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    if not (row and row[0]):
        raise EngineBusy(
            f"Another process sees to the upkeep of {connection.info.dbname}.", hint="Wait for its end."
        )
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def was_dropped(connection: psycopg.Connection[Any], token: str, relation: str) -> bool:
    """Whether this database dropped the chunk of that token, or has it no more for another reason."""
    row = connection.execute(
        f"SELECT EXISTS (SELECT FROM {SCHEMA}.dropped WHERE token = %s) OR to_regclass(%s) IS NULL",
        (token, relation),
    ).fetchone()
    return bool(row and row[0])


def dropping(
    token: uuid.UUID, relation: str, *, first: datetime, beyond: datetime, rows: int, archive: str
) -> str:
    """The statement that enters a chunk as dropped."""
    values = sql.SQL(", ").join(map(sql.Literal, (token, relation, first, beyond, rows, archive)))
    return (
        sql.SQL("INSERT INTO {}.dropped (token, relation, first, beyond, rows, archive) VALUES ({})")
        .format(sql.Identifier(SCHEMA), values)
        .as_string()
    )


@dataclass(frozen=True)
class Dropped:
    """A chunk that this database dropped, and the archive that has its rows."""

    relation: str
    first: datetime
    rows: int
    archive: str


def dropped(connection: psycopg.Connection[Any]) -> list[Dropped]:
    """Every chunk that was dropped into an archive, the oldest drop first."""
    if not present(connection):
        return []
    rows = connection.execute(f"SELECT relation, first, rows, archive FROM {SCHEMA}.dropped ORDER BY at")
    return [Dropped(*row) for row in rows]


def least(went: list[Dropped]) -> int:
    """How many rows an archive has at least: of chunks of the same range only the largest counts."""
    ranges: dict[tuple[str, datetime], int] = {}
    for one in went:
        at = (one.relation.rpartition("_chunk")[0].rpartition("_")[0], one.first)
        ranges[at] = max(ranges.get(at, 0), one.rows)
    return sum(ranges.values())


def ran(connection: psycopg.Connection[Any], name: str, seconds: float, error: str | None = None) -> None:
    """Enter that a job ran just now, and what went wrong."""
    connection.execute(
        f"""
        INSERT INTO {SCHEMA}.job AS j (name, started, seconds, succeeded, failures, error)
        VALUES (%(name)s, now() - %(seconds)s * interval '1 second', %(seconds)s,
                CASE WHEN %(error)s::text IS NULL THEN now() END,
                CASE WHEN %(error)s::text IS NULL THEN 0 ELSE 1 END, %(error)s)
        ON CONFLICT (name) DO UPDATE SET started = excluded.started, seconds = excluded.seconds,
            succeeded = coalesce(excluded.succeeded, j.succeeded), error = excluded.error,
            failures = CASE WHEN excluded.error IS NULL THEN 0 ELSE j.failures + 1 END
        """,
        {"name": name, "seconds": seconds, "error": error},
    )


def jobs(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """How our own jobs went last. failures: since the last that went well."""
    if not present(connection):
        return []
    rows = connection.execute(
        f"SELECT name, started, seconds, succeeded, failures, error FROM {SCHEMA}.job ORDER BY name"
    )
    names = ("job", "last_run", "seconds", "last_success", "failures", "error")
    return [dict(zip(names, row, strict=True)) for row in rows]
