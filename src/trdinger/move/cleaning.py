"""The removal of what an abandoned move left behind in a target.

Removed are a move's rows in Trdinger's tables and its lines in the ledger, in one transaction, and only
where the ledger proves that the tables hold what this move wrote and nothing else: a row and the line
of its unit were written by one transaction, so their `xmin` is the same. Rows in compressed chunks have
none; they must be as many as the ledger says, and equal to the move's backup, cell by cell. Files are
another matter: the backup stays unless its removal is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from trdinger.declaration import SERIES, TABLES
from trdinger.engine.connect import Database
from trdinger.errors import SourceError, TargetRefused
from trdinger.legacy.survey import survey
from trdinger.move import ledger, own, own_ledger
from trdinger.move.checking import accounted
from trdinger.move.history import Entry, is_there
from trdinger.move.ledger import SCHEMA
from trdinger.progress import Progress
from trdinger.schema import keys
from trdinger.verify.run import verify

# Off, a query sees those rows alone that lie outside compressed batches; until 2.22, and since.
_UNPACKING = ("timescaledb.enable_transparent_decompression", "timescaledb.enable_columnarscan")
_OTHERWISE = (
    "To empty Trdinger's tables whatever they hold, move again with --existing replace; to drop them:"
    " trdinger db downgrade base --yes"
)


@dataclass(frozen=True)
class Packed:
    """What is known of rows in compressed chunks: whether there are any, and which tables do not hold
    what the backup holds. None for the latter where there is no backup to tell.
    """

    there: bool
    differing: frozenset[str] | None = frozenset()

    def proves(self, table: str) -> bool:
        """Whether the rows of this table are the backup's."""
        return self.differing is not None and table not in self.differing


@dataclass(frozen=True)
class Cleaning:
    """What the removal of a move takes away: rows by table, and lines of the ledger. `backup` stays."""

    entry: Entry
    rows: dict[str, int]
    backup_there: bool
    backup_removed: bool = False
    removed: bool = False

    def as_json(self) -> dict[str, Any]:
        """The removal for programs."""
        return {
            "id": str(self.entry.id),
            "state": self.entry.state,
            "source": self.entry.source,
            "rows": self.rows,
            "removed": self.removed,
            "backup": {
                "path": str(self.entry.backup.path),
                "bytes": self.entry.backup.bytes,
                "there": self.backup_there,
                "removed": self.backup_removed,
            },
        }


def would_clean(database: Database, entry: Entry, progress: Progress) -> Cleaning:
    """What `clean` would remove; writes nothing. Raises TargetRefused where it would refuse."""
    packed = _packed(database, entry, progress)
    with database.connect() as connection:
        return Cleaning(entry, _proven(connection, entry, packed), entry.backup.path.is_file())


def clean(database: Database, entry: Entry, progress: Progress, *, backup: bool = False) -> Cleaning:
    """Remove what an abandoned move left in a target, and with `backup` its backup, too.

    All of it or nothing. Raises EngineBusy while a move is under way, TargetRefused where the ledger
    does not prove that the tables hold nothing but this move's rows, SourceError where the backup to
    remove is not the one that the move made.
    """
    with database.connect(autocommit=True) as connection, ledger.hold(connection):
        pass  # who is at work is told before anything is compared
    there = entry.backup.path.is_file()
    if backup and there:
        entry.backup.verify()
    packed = _packed(database, entry, progress)
    with database.connect(autocommit=True) as connection, ledger.hold(connection), connection.transaction():
        _keep_out_writers(connection)
        rows = _proven(connection, entry, packed)
        _remove(connection, entry, rows)
    if backup and there:
        for path in (entry.backup.path, entry.backup.path.with_name(f"{entry.backup.path.name}.sha256")):
            path.unlink(missing_ok=True)
    return Cleaning(entry, rows, there, backup_removed=backup and there, removed=True)


def _keep_out_writers(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET LOCAL lock_timeout = '10s'")
    for table in _there(connection):
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(table)))


def _proven(connection: psycopg.Connection[Any], entry: Entry, packed: Packed) -> dict[str, int]:
    """The rows that the move left, by table. Raises TargetRefused where anything else wrote there."""
    rows = {table: _count(connection, table) for table in _there(connection)}
    rows = {table: count for table, count in rows.items() if count}
    if entry.state == "finished" and rows:
        raise TargetRefused(
            f"The move {entry.short} is finished: its {sum(rows.values()):,} rows are your data."
            " Nothing was removed.",
            hint="To take Trdinger's tables out of this database: trdinger db downgrade base --yes",
        )
    told = {table.table: table.rows + table.replayed for table in entry.tables}
    own_names = _own(connection)
    for table, count in rows.items():
        wrote = told.get(own_names.get(table, table), 0)
        if count != wrote:
            raise _refused(
                f"{table} holds {count:,} rows; the move {entry.short} wrote {wrote:,}."
                " Something else wrote there or took rows away."
            )
        foreign, loose = _foreign(connection, entry, table, packed)
        if foreign:
            raise _refused(
                f"{table} holds {foreign:,} rows that something else than the move {entry.short} wrote or"
                " changed."
            )
        if loose < count and not packed.proves(own_names.get(table, table)):
            raise _refused(_of_packed(entry, table, count - loose, packed))
    return rows


def _refused(sentence: str) -> TargetRefused:
    return TargetRefused(f"{sentence} Nothing was removed.", hint=_OTHERWISE)


def _of_packed(entry: Entry, table: str, rows: int, packed: Packed) -> str:
    held = f"{table} holds {rows:,} rows in compressed chunks"
    if packed.differing is not None:
        return f"{held}, and they are not what the backup {entry.backup.path} holds."
    return (
        f"{held}. That they came from the move {entry.short} and stayed as they were, only its backup can"
        f" prove, and it is not there as it was: {entry.backup.path}."
    )


def _foreign(
    connection: psycopg.Connection[Any], entry: Entry, table: str, packed: Packed
) -> tuple[int, int]:
    """Of the rows outside compressed chunks: those that no transaction of the move wrote, and all of them."""
    lines = sql.SQL("SELECT xmin FROM {}.unit WHERE move = {}").format(sql.Identifier(SCHEMA), entry.id)
    if is_there(connection, f"{SCHEMA}.replayed"):
        lines += sql.SQL(" UNION ALL SELECT xmin FROM {}.replayed WHERE run = {}").format(
            sql.Identifier(SCHEMA), entry.id
        )
    question = sql.SQL("SELECT count(*) FILTER (WHERE xmin NOT IN ({})), count(*) FROM {}").format(
        lines, sql.Identifier(table)
    )
    if packed.there:  # rows that come out of a compressed chunk have no xmin of their own
        for name in _UNPACKING:
            connection.execute(f"SET LOCAL {name} = off")
    try:
        with connection.transaction():
            row = connection.execute(question).fetchone()
    except psycopg.errors.InvalidColumnReference:  # they came out all the same: then the backup alone proves
        row = None
    finally:
        if packed.there:
            for name in _UNPACKING:
                connection.execute(f"SET LOCAL {name} = on")
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _packed(database: Database, entry: Entry, progress: Progress) -> Packed:
    """Whether compressed chunks hold what the backup holds. Rows that are not in yet are no difference."""
    if not _has_compressed(database):
        return Packed(there=False)
    try:
        entry.backup.verify()
        held, _ = accounted(survey(entry.backup.source, look=False), database)
        proof = verify(held, database, progress)
    except SourceError:
        return Packed(there=True, differing=None)
    return Packed(
        there=True,
        differing=frozenset(table.table for table in proof.tables if set(table.counts) - {"missing"}),
    )


def _has_compressed(database: Database) -> bool:
    if not database.capabilities.has("compression"):
        return False
    with database.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM timescaledb_information.chunks"
            " WHERE hypertable_schema = current_schema AND is_compressed"
        ).fetchone()
    return bool(row and row[0])


def _remove(connection: psycopg.Connection[Any], entry: Entry, rows: dict[str, int]) -> None:
    """Take the rows and the lines away, and leave the tables as an empty schema has them."""
    there = _there(connection)
    for table in reversed(there):
        if not rows.get(table):
            continue
        word = sql.SQL("TRUNCATE {}" if table in SERIES else "DELETE FROM {}")
        try:
            with connection.transaction():
                connection.execute(word.format(sql.Identifier(table)))
        except psycopg.errors.ForeignKeyViolation as error:
            raise TargetRefused(
                f"Rows of {table} are referred to by {error.diag.table_name or 'another table'}, which this"
                " move did not write. Nothing was removed.",
                hint="Take these references away first.",
            ) from None
    for table in there:
        if table in SERIES:
            keys.restore_after_load(connection, table)
        if table in TABLES:
            keys.restart_identity(connection, table)
    if is_there(connection, f"{SCHEMA}.replayed"):
        connection.execute(f"DELETE FROM {SCHEMA}.replayed WHERE run = %s", (entry.id,))
    try:
        own.remove(connection)
    except psycopg.errors.DependentObjectsStillExist as error:
        raise TargetRefused(
            f"What hangs on the file's own tables keeps them: {error.diag.message_detail or error}."
            " Nothing was removed.",
            hint="Take that away first.",
        ) from None
    connection.execute(f"DELETE FROM {SCHEMA}.move WHERE id = %s", (entry.id,))


def _there(connection: psycopg.Connection[Any]) -> list[str]:
    """Those of Trdinger's tables that are there, parents first, and the own tables that moves made."""
    return [*(table for table in TABLES if is_there(connection, table)), *_own(connection)]


def _own(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The own tables that moves made and that are there: the name that each has now, and the ledger's."""
    made = {each.oid: name for name, each in own_ledger.made(connection).items()}
    rows = connection.execute(
        "SELECT oid, relname FROM pg_class WHERE oid = ANY(%s)", (list(made),)
    ).fetchall()
    return {str(name): made[int(oid)] for oid, name in rows}


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    return int(row[0]) if row else 0
