"""The ledger: what a move has done, kept in the target beside the data it tells of.

A unit's line is written in the transaction of its rows. A line is the claim: whoever
writes it first owns the unit, a second writer waits for that transaction and then skips.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

import trdinger
from trdinger.errors import EngineBusy
from trdinger.legacy.backup import Backup
from trdinger.legacy.judging import Row
from trdinger.legacy.own.choices import Choices, from_json
from trdinger.move import ledger_version, own_ledger
from trdinger.move.units import Sizes, Unit

SCHEMA = "trdinger_ledger"
_LOCK = 0x7472_6469  # "trdi": the advisory lock that a move holds on its target

_DDL = f"""
CREATE TABLE IF NOT EXISTS {SCHEMA}.move (
    id          uuid PRIMARY KEY,
    started     timestamptz NOT NULL DEFAULT now(),
    finished    timestamptz,
    source      text NOT NULL,
    backup      text NOT NULL,
    sha256      text NOT NULL,
    bytes       bigint NOT NULL,
    version     text NOT NULL,
    worker      text NOT NULL,
    sizes       jsonb NOT NULL,
    checked     jsonb NOT NULL,
    replacing   boolean NOT NULL,
    report      jsonb
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.unit (
    move        uuid NOT NULL REFERENCES {SCHEMA}.move ON DELETE CASCADE,
    table_name  text NOT NULL,
    number      integer NOT NULL,
    rows        bigint NOT NULL,
    committed   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (move, table_name, number)
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.step (
    move        uuid NOT NULL REFERENCES {SCHEMA}.move ON DELETE CASCADE,
    name        text NOT NULL,
    seconds     double precision NOT NULL,
    done        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (move, name)
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.reject (
    move        uuid NOT NULL REFERENCES {SCHEMA}.move ON DELETE CASCADE,
    table_name  text NOT NULL,
    row         text NOT NULL,
    PRIMARY KEY (move, table_name, row)
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.replayed (
    run         uuid NOT NULL,
    table_name  text NOT NULL,
    row         text NOT NULL,
    became      jsonb,
    done        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run, table_name, row)
);
"""


@dataclass(frozen=True)
class Move:
    """One move as the ledger knows it. `checked` is what the check of the backup found.

    replacing: it began by removing what the target held. ended: it came to its report, whatever
    that says; finished: when it was first proven equal.
    """

    id: uuid.UUID
    started: datetime
    finished: datetime | None
    source: str
    backup: Backup
    sizes: Sizes
    checked: dict[str, Any]
    worker: str
    replacing: bool
    ended: bool

    @property
    def choices(self) -> Choices:
        """Everything that was decided about the tables of a user's own."""
        return from_json(self.checked.get("own", {}))


def exists(connection: psycopg.Connection[Any]) -> bool:
    """Whether the target has a ledger."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.move",)).fetchone()
    return bool(row and row[0])


def create(connection: psycopg.Connection[Any]) -> None:
    """Make the ledger where it is not, and bring one of an older version up to date.

    Its schema may have been made for a user who may make none. Raises TargetRefused for a newer one.
    """
    if not has_schema(connection):
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
    ledger_version.require_known(connection, SCHEMA)
    connection.execute(_DDL)
    connection.execute(own_ledger.DDL)
    connection.execute(ledger_version.DDL.format(schema=SCHEMA))
    ledger_version.enter(connection, SCHEMA)


def has_schema(connection: psycopg.Connection[Any]) -> bool:
    """Whether the schema of the ledger is there, with or without a ledger in it."""
    row = connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", (SCHEMA,)).fetchone()
    return bool(row and row[0])


def moves(connection: psycopg.Connection[Any]) -> list[Move]:
    """Every move that the ledger knows, newest first; none where there is no ledger. Raises TargetRefused."""
    if not exists(connection):
        return []
    ledger_version.require_known(connection, SCHEMA)
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(f"SELECT * FROM {SCHEMA}.move ORDER BY started DESC")
        return [
            Move(
                id=row["id"],
                started=row["started"],
                finished=row["finished"],
                source=row["source"],
                backup=Backup(Path(row["backup"]), row["sha256"], row["bytes"]),
                sizes=Sizes(**row["sizes"]),
                checked=row["checked"],
                worker=row["worker"],
                replacing=row["replacing"],
                ended=row["report"] is not None,
            )
            for row in cursor
        ]


def begin(
    connection: psycopg.Connection[Any],
    move: uuid.UUID,
    source: Path,
    backup: Backup,
    *,
    sizes: Sizes,
    checked: dict[str, Any],
    rejected: Mapping[str, frozenset[Row]] | None = None,
    replacing: bool = False,
) -> None:
    """Enter a new move with the rows that it rejects, in the caller's transaction."""
    connection.execute(
        f"INSERT INTO {SCHEMA}.move"
        " (id, source, backup, sha256, bytes, version, worker, sizes, checked, replacing)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            move,
            str(source.resolve()),
            str(backup.path.resolve()),
            backup.sha256,
            backup.bytes,
            trdinger.__version__,
            worker(),
            Jsonb(asdict(sizes)),
            Jsonb(checked),
            replacing,
        ),
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {SCHEMA}.reject (move, table_name, row) FROM STDIN") as copy,
    ):
        for table, rows in (rejected or {}).items():
            for row in rows:
                copy.write_row((move, table, str(row)))


def rejected(connection: psycopg.Connection[Any], move: uuid.UUID) -> dict[str, frozenset[Row]]:
    """The rows that a move rejects, by table."""
    found: defaultdict[str, set[Row]] = defaultdict(set)
    if ledger_version.of(connection, SCHEMA) < ledger_version.WITH_REJECTS:
        return {}
    with connection.transaction(), connection.cursor(name="rejected") as cursor:
        cursor.execute(f"SELECT table_name, row FROM {SCHEMA}.reject WHERE move = %s", (move,))
        for table, row in cursor:
            found[table].add(_row(row))
    return {table: frozenset(rows) for table, rows in found.items()}


def replayed(connection: psycopg.Connection[Any], run: uuid.UUID) -> dict[str, frozenset[tuple[Any, ...]]]:
    """The keys of the rows that came later from the rejects of a run, by table."""
    found: defaultdict[str, set[tuple[Any, ...]]] = defaultdict(set)
    if ledger_version.of(connection, SCHEMA) < ledger_version.WITH_REJECTS:
        return {}
    for table, became in connection.execute(
        f"SELECT table_name, became FROM {SCHEMA}.replayed WHERE run = %s AND became IS NOT NULL", (run,)
    ):
        found[table].add(tuple(became))
    return {table: frozenset(keys) for table, keys in found.items()}


def claim_replay(
    connection: psycopg.Connection[Any], run: uuid.UUID, table: str, row: Row, became: Sequence[Any] | None
) -> bool:
    """Write the line of a replayed row in the running transaction. False: it was replayed before."""
    line = connection.execute(
        f"INSERT INTO {SCHEMA}.replayed (run, table_name, row, became) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        (run, table, str(row), None if became is None else Jsonb(list(became))),
    )
    return line.fetchone() is not None


def resume(connection: psycopg.Connection[Any], move: uuid.UUID) -> None:
    """Enter this process as the one at work."""
    connection.execute(f"UPDATE {SCHEMA}.move SET worker = %s WHERE id = %s", (worker(), move))


def claim(connection: psycopg.Connection[Any], move: uuid.UUID, unit: Unit, rows: int) -> bool:
    """Write the unit's line in the running transaction. False: it is there already, with its rows."""
    found = connection.execute(
        f"INSERT INTO {SCHEMA}.unit (move, table_name, number, rows) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        (move, unit.table.shape.name, unit.number, rows),
    ).fetchone()
    return found is not None


def settle(connection: psycopg.Connection[Any], move: uuid.UUID, unit: Unit, rows: int) -> None:
    """Enter how many rows a claimed unit has, in the running transaction."""
    connection.execute(
        f"UPDATE {SCHEMA}.unit SET rows = %s WHERE move = %s AND table_name = %s AND number = %s",
        (rows, move, unit.table.shape.name, unit.number),
    )


def committed(connection: psycopg.Connection[Any], move: uuid.UUID) -> dict[tuple[str, int], int]:
    """The units that are in, with their rows, by table and number."""
    rows = connection.execute(f"SELECT table_name, number, rows FROM {SCHEMA}.unit WHERE move = %s", (move,))
    return {(table, number): count for table, number, count in rows}


def steps(connection: psycopg.Connection[Any], move: uuid.UUID) -> set[str]:
    """The steps after the copy that are done."""
    return {row[0] for row in connection.execute(f"SELECT name FROM {SCHEMA}.step WHERE move = %s", (move,))}


def step_done(connection: psycopg.Connection[Any], move: uuid.UUID, name: str, seconds: float) -> None:
    """Enter a step after the copy as done, in the running transaction."""
    connection.execute(
        f"INSERT INTO {SCHEMA}.step (move, name, seconds) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (move, name, seconds),
    )


def finish(
    connection: psycopg.Connection[Any], move: uuid.UUID, report: dict[str, Any], *, proven: bool
) -> None:
    """Keep the report; a move once proven equal is finished, and stays so. Raises EngineBusy."""
    kept = connection.execute(
        f"UPDATE {SCHEMA}.move SET report = %s,"
        " finished = coalesce(finished, CASE WHEN %s THEN now() END) WHERE id = %s",
        (Jsonb(report), proven, move),
    )
    if kept.rowcount != 1:
        raise EngineBusy(
            "While this move was verified another one replaced it: what was compared is gone.",
            hint="Wait for the end of the other, then run trdinger verify.",
        )


def forget(connection: psycopg.Connection[Any]) -> None:
    """Remove every move from the ledger, and what was replayed: their data was removed on request."""
    if exists(connection):
        connection.execute(f"DELETE FROM {SCHEMA}.move")
        connection.execute(f"DELETE FROM {SCHEMA}.replayed")


@contextmanager
def hold(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Hold the target for this session inside the block. Raises EngineBusy, naming who is at work.

    A ledger of an older version is brought up to date: whoever holds it may.
    """
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    if not (row and row[0]):
        at_work = next((move.worker for move in moves(connection) if not move.ended), "another process")
        raise EngineBusy(
            f"A move into this database is under way, by {at_work}.",
            hint="Wait for its end, or end it; then run the same command again.",
        )
    try:
        if exists(connection) and ledger_version.of(connection, SCHEMA) < ledger_version.VERSION:
            create(connection)
        yield
    finally:
        # A lost session has let go of it.
        if connection.info.transaction_status == TransactionStatus.IDLE:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def held(connection: psycopg.Connection[Any]) -> bool:
    """Whether some session holds the target now. Takes nothing itself."""
    row = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0"
        " AND objid = %s AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (_LOCK,),
    ).fetchone()
    return bool(row and row[0])


def worker() -> str:
    """This process, for people."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def _row(text: str) -> Row:
    """A row's name as it was written."""
    return int(text) if text.removeprefix("-").isdecimal() else text
