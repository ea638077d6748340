"""What the ledger of a target knows of its moves. Writes nothing; removing one is `cleaning`'s."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

from trdinger.declaration import TABLES
from trdinger.engine.connect import Database
from trdinger.errors import UsageError
from trdinger.legacy.backup import Backup
from trdinger.move import ledger, ledger_version
from trdinger.move.ledger import SCHEMA

State = Literal["unfinished", "under way", "differs", "finished"]
_SHORT = 8  # letters of an id that people are shown


@dataclass(frozen=True)
class TableEntry:
    """What a move brought into one table: units and rows that are in, rows set aside, rows replayed."""

    table: str
    units: int
    rows: int
    rejects: int
    replayed: int


@dataclass(frozen=True)
class Entry:
    """One move as its ledger has it. `report` is the last that was kept of it, None before its end.

    state: `under way` while a process holds the target, `differs` when it came to its end and was not
    proven, `finished` once it was proven equal, else `unfinished`.
    """

    id: uuid.UUID
    state: State
    source: str
    backup: Backup
    started: datetime
    finished: datetime | None
    replacing: bool
    version: str
    worker: str
    tables: tuple[TableEntry, ...]
    steps: tuple[tuple[str, float, datetime], ...]
    report: dict[str, Any] | None

    @property
    def short(self) -> str:
        """Enough of its id to name it by."""
        return str(self.id)[:_SHORT]

    @property
    def rows(self) -> int:
        """Rows that are in."""
        return sum(table.rows + table.replayed for table in self.tables)

    def as_json(self, *, whole: bool = False) -> dict[str, Any]:
        """The move for programs; `whole` with its tables, steps and the kept report."""
        told: dict[str, Any] = {
            "id": str(self.id),
            "state": self.state,
            "source": self.source,
            "backup": {
                "path": str(self.backup.path),
                "sha256": self.backup.sha256,
                "bytes": self.backup.bytes,
                "there": self.backup.path.is_file(),
            },
            "started": self.started.isoformat(),
            "finished": self.finished.isoformat() if self.finished else None,
            "replacing": self.replacing,
            "trdinger": self.version,
            "worker": self.worker,
            "rows": self.rows,
            "units": sum(table.units for table in self.tables),
            "steps": len(self.steps),
            "rejects": sum(table.rejects for table in self.tables),
            "replayed": sum(table.replayed for table in self.tables),
        }
        if whole:
            told["tables"] = [vars(table) for table in self.tables]
            told["steps"] = [
                {"name": name, "seconds": round(seconds, 3), "done": done.isoformat()}
                for name, seconds, done in self.steps
            ]
            told["report"] = self.report
        return told


def known(database: Database) -> list[Entry]:
    """Every move that the ledger of a target knows, newest first. Writes nothing. Raises TargetError."""
    with database.connect(autocommit=True) as connection:
        return _known(connection)


def named(entries: list[Entry], name: str) -> Entry:
    """The move whose id begins with `name`. Raises UsageError for none, or for several."""
    found = [entry for entry in entries if str(entry.id).startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    ids = ", ".join(entry.short for entry in entries) or "none"
    what = "several moves begin" if found else "no move begins"
    raise UsageError(
        f"In this ledger {what} with {name!r}.", hint=f"It knows: {ids}. See: trdinger migrations list"
    )


def abandoned(entries: list[Entry]) -> Entry | None:
    """The newest move that did not come to a proven end; None where there is none."""
    return next((entry for entry in entries if entry.state != "finished"), None)


def is_there(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether the target has a table of that name, which is written as in SQL."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    return bool(row and row[0])


def _known(connection: psycopg.Connection[Any]) -> list[Entry]:
    if not ledger.exists(connection):
        return []
    ledger_version.require_known(connection, SCHEMA)
    held = ledger.held(connection)
    tables = {name: _by_table(connection, name) for name in ("unit", "reject", "replayed")}
    steps: dict[uuid.UUID, list[tuple[str, float, datetime]]] = {}
    for move, *step in connection.execute(
        f"SELECT move, name, seconds, done FROM {SCHEMA}.step ORDER BY done"
    ):
        steps.setdefault(move, []).append((step[0], step[1], step[2]))
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(f"SELECT * FROM {SCHEMA}.move ORDER BY started DESC")
        return [_entry(row, tables, steps.get(row["id"], []), held=held) for row in cursor]


def _by_table(connection: psycopg.Connection[Any], name: str) -> dict[tuple[uuid.UUID, str], tuple[int, int]]:
    """Lines and rows of a table of the ledger, by move and table; none where an older ledger lacks it."""
    if not is_there(connection, f"{SCHEMA}.{name}"):
        return {}
    move = "run" if name == "replayed" else "move"
    rows = {"unit": "sum(rows)", "reject": "count(*)", "replayed": "count(became)"}[name]
    found = connection.execute(
        f"SELECT {move}, table_name, count(*), {rows}::bigint FROM {SCHEMA}.{name} GROUP BY 1, 2"
    )
    return {(of, table): (lines, count) for of, table, lines, count in found}


def _entry(
    row: dict[str, Any],
    tables: dict[str, dict[tuple[uuid.UUID, str], tuple[int, int]]],
    steps: list[tuple[str, float, datetime]],
    *,
    held: bool,
) -> Entry:
    names = {table for found in tables.values() for move, table in found if move == row["id"]}
    ordered = [*filter(names.__contains__, TABLES), *sorted(names - set(TABLES))]
    counts = {
        kind: {table: found.get((row["id"], table), (0, 0)) for table in ordered}
        for kind, found in tables.items()
    }
    state: State = "finished"
    if row["finished"] is None:
        state = "under way" if held else "differs" if row["report"] is not None else "unfinished"
    return Entry(
        id=row["id"],
        state=state,
        source=row["source"],
        backup=Backup(Path(row["backup"]), row["sha256"], row["bytes"]),
        started=row["started"],
        finished=row["finished"],
        replacing=row["replacing"],
        version=row["version"],
        worker=row["worker"],
        tables=tuple(
            TableEntry(
                table,
                *counts["unit"][table],
                rejects=counts["reject"][table][1],
                replayed=counts["replayed"][table][1],
            )
            for table in ordered
        ),
        steps=tuple(steps),
        report=row["report"],
    )
