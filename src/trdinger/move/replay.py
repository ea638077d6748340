"""Rows that were rejected and mended since, each put in exactly once.

A row's line in the ledger claims it and is committed together with it. What still does not fit,
or has no place, stays where it is, and is told with its reason.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from trdinger.declaration import TABLES
from trdinger.engine.connect import Database
from trdinger.errors import TargetError, UsageError
from trdinger.legacy import rejects
from trdinger.legacy.judging import BadValue, Found, Reject, judge
from trdinger.legacy.values import Rules, Value
from trdinger.move import ledger, own_ledger
from trdinger.progress import Progress
from trdinger.schema import keys
from trdinger.schema.own import catalog
from trdinger.schema.shape import TableShape, shape
from trdinger.verify import cells

_BATCH = 500  # rows of one transaction
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Replay:
    """What became of the rows of a rejects file, by table: put in now, in before, and what stays out."""

    file: str
    target: str
    writes: bool = True
    replayed: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    left: list[BadValue] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The replay for programs."""
        return {
            "file": self.file,
            "target": self.target,
            "writes": self.writes,
            "replayed": dict(self.replayed),
            "known": dict(self.known),
            "left": [vars(bad) for bad in self.left],
        }


def replay(
    path: Path, database: Database, rules: Rules, progress: Progress, *, writes: bool = True
) -> Replay:
    """Put the rows of a rejects file into the target. With `writes` false all is tried and taken back.

    Raises UsageError for a file that is none, TargetError.
    """
    run = _run(path)
    told = Replay(str(path), str(database), writes)
    # Parents before children, whatever the order of the lines: one reading of the file for each table.
    tables = Counter(reject.table for reject in rejects.read(path))
    progress.stage("Replay", total=tables.total())
    with database.connect(autocommit=True) as connection:
        if not ledger.exists(connection):
            raise TargetError(
                f"{database} has no ledger, so nothing was moved into it.",
                hint="Name the target of the move with --to.",
            )
        shapes = _shapes(connection, path, tables)
        replaying = _Replaying(connection, run, rules, told)
        with nullcontext() if writes else connection.transaction(force_rollback=True):
            for name, table in shapes.items():
                rows = (reject for reject in rejects.read(path) if reject.table == name)
                while batch := list(islice(rows, _BATCH)):
                    with connection.transaction():
                        for reject in batch:
                            replaying.row(table, reject)
                    progress.advance(len(batch), detail=name)
                if writes and told.replayed[name]:
                    restart = keys.restart_identity if name in TABLES else catalog.restart_identity
                    restart(connection, name)
    progress.end()
    return told


def _run(path: Path) -> uuid.UUID:
    try:
        return uuid.UUID(rejects.header(path).run)
    except ValueError:
        raise UsageError(
            f"{path} is no rejects file: its first line does not name the run that wrote it.",
            hint="Take the first line from the file as it was written.",
        ) from None


def _shapes(
    connection: psycopg.Connection[Any], path: Path, tables: Collection[str]
) -> dict[str, TableShape]:
    """The shape of each table that the file has rows of, parents before children. Raises UsageError."""
    made = own_ledger.made(connection)
    if unknown := [name for name in tables if name not in TABLES and name not in made]:
        raise UsageError(
            f"{path} has rows of {', '.join(unknown)}, which no table of Trdinger is and no move made.",
            hint="Take these lines out, or put the tables' names right.",
        )
    own = catalog.parents_first(connection, [name for name in tables if name not in TABLES])
    ours = {name: shape(name) for name in TABLES if name in tables}
    return ours | {name: catalog.shape(connection, name) for name in own}


class _Replaying:
    def __init__(
        self, connection: psycopg.Connection[Any], run: uuid.UUID, rules: Rules, told: Replay
    ) -> None:
        self._connection = connection
        self._run = run
        self._rules = rules
        self._told = told

    def row(self, table: TableShape, reject: Reject) -> None:
        """Put in one row, or say why it stays out; in the running transaction."""
        row = self._judged(table, reject)
        if row is None:
            return
        try:
            with self._connection.transaction():
                if not ledger.claim_replay(
                    self._connection, self._run, table.name, reject.row, _key(table, row)
                ):
                    self._told.known[table.name] += 1
                    return
                if not self._insert(table, row):
                    raise _TakenError
        except _TakenError:
            keys = " or ".join(f"({', '.join(key)})" for key in table.unique)
            self._leave(reject, keys, "a row of this key is there already")
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError) as error:
            said = error.diag.message_primary or str(error)
            self._leave(reject, error.diag.column_name or error.diag.constraint_name or "", said)
        else:
            self._told.replayed[table.name] += 1

    def _judged(self, table: TableShape, reject: Reject) -> dict[str, Value] | None:
        names = tuple(name for name in table.column_names if name in reject.values)
        strange = sorted(set(reject.values) - set(names))
        lacking = [c.name for c in table.columns if not c.nullable and c.name not in names and not c.default]
        if strange or lacking:
            what = f"no such column: {', '.join(strange)}" if strange else "null where none may be"
            self._leave(reject, (strange or lacking)[0], what)
            return None
        found = Found()
        cells = [reject.values[name] for name in names]
        row = judge(table, names, reject.row, cells, found=found, rules=self._rules)
        self._told.left += found.bad
        return None if row is None else dict(zip(names, row, strict=True))

    def _insert(self, table: TableShape, row: dict[str, Value]) -> bool:
        """Whether the row went in; its key may be taken."""
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        values = list(_parameters(table, row))
        return self._connection.execute(statement, values).rowcount == 1

    def _leave(self, reject: Reject, column: str, reason: str) -> None:
        self._told.left.append(BadValue(reject.table, reject.row, column, "", reason))


class _TakenError(Exception):
    """The row's key is another row's."""


def _key(table: TableShape, row: dict[str, Value]) -> Sequence[Value] | None:
    """What names the row in the target; times in microseconds. A user's own row: its fingerprint."""
    if table.name not in TABLES:
        if set(row) != set(table.column_names):
            return None
        return [cells.fingerprint(table.columns, [row[name] for name in table.column_names]).hex()]
    names = table.series.key if table.series else ("id",)
    return [row[name] for name in names] if all(name in row for name in names) else None


def _parameters(table: TableShape, row: dict[str, Value]) -> Iterator[object]:
    for name, value in row.items():
        if value is not None and table.column(name).kind == "time":
            assert isinstance(value, int)
            yield _EPOCH + timedelta(microseconds=value)
        else:
            yield value
