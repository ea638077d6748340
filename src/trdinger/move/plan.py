"""What a move would do, as data: the same plan prints, serialises and runs.

Looks at both sides, writes to neither.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from trdinger.declaration import TABLES
from trdinger.engine.capabilities import POSTGRESQL_SINCE, Capabilities, Feature
from trdinger.engine.connect import Database
from trdinger.errors import MissingCapability, SourceError, TargetRefused
from trdinger.legacy.check import Duplicates
from trdinger.legacy.survey import Survey
from trdinger.legacy.values import STRICT, Rules
from trdinger.move import ledger, own_ledger
from trdinger.move.ledger import Move
from trdinger.move.own import clash
from trdinger.move.units import Sizes
from trdinger.schema import status as schema_status
from trdinger.schema.own.making import oid
from trdinger.schema.upgrade import require_known


class Existing(StrEnum):
    """What to do about a target that already holds something."""

    REFUSE = "refuse"
    KEEP = "keep"
    REPLACE = "replace"


@dataclass(frozen=True)
class Options:
    """How to move. `left_out` names strangers ("table" or "table.column") that may stay behind.

    rules: what may be read into a value; stays: which of the rows that share a key stays.
    strict: refuse to move a file with any row that does not fit; max_rejects: with more than so many.
    """

    existing: Existing = Existing.REFUSE
    left_out: tuple[str, ...] = ()
    rules: Rules = STRICT
    stays: Duplicates = "first"
    strict: bool = False
    max_rejects: int | None = None
    workdir: Path | None = None
    sizes: Sizes = field(default_factory=Sizes)


@dataclass(frozen=True)
class Target:
    """What the target holds: rows of our tables and of those that moves made, and what its ledger knows.

    others: tables of others; names: of everything that is in the way of a table of that name.
    """

    rows: dict[str, int]
    others: tuple[str, ...]
    names: frozenset[str]
    moves: tuple[Move, ...]

    @property
    def latest(self) -> Move | None:
        return self.moves[0] if self.moves else None


@dataclass(frozen=True)
class Plan:
    """A move as it would go. `resumed` is the unfinished or finished move that it goes on with."""

    survey: Survey
    database: Database
    capabilities: Capabilities
    target: Target
    options: Options
    workdir: Path
    resumed: Move | None
    skipped: tuple[str, ...]

    @property
    def left_out(self) -> list[str]:
        """What stays behind: columns that the options name, tables, and what has no counterpart."""
        return self.behind(self.survey)

    def behind(self, survey: Survey) -> list[str]:
        """What stays behind of a file that was looked at more closely."""
        columns = [name for name in self.options.left_out if f"table {name}" not in survey.others]
        return [*columns, *survey.others]

    def as_json(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "source": str(self.survey.source.path),
            "source_bytes": self.survey.bytes,
            "target": str(self.database),
            "server": str(self.capabilities),
            "workdir": str(self.workdir),
            "writes": False,
            "goes_on_with": str(self.resumed.id) if self.resumed else None,
            "tables": [
                {
                    "table": table.shape.name,
                    "rows": table.rows,
                    "hypertable": table.is_series and self.capabilities.has("hypertables"),
                    "own": table.own is not None,
                    "series": [series.as_json() for series in table.series],
                    "absent_columns": list(table.absent),
                }
                for table in self.survey.tables
            ],
            "missing_tables": list(self.survey.missing),
            "left_out": self.left_out,
            "otherwise": list(self.survey.said),
            "skipped": list(self.skipped),
            "backup_bytes": self.survey.bytes,
        }


_SAID: tuple[tuple[Feature, str], ...] = (
    ("hypertables", "The series become plain tables."),
    ("compression", "Chunks stay uncompressed."),
)


def plan(survey: Survey, database: Database, options: Options) -> Plan:
    """Plan a move. Raises SourceError; MissingCapability or TargetRefused where it must not go."""
    unknown = [
        name
        for name in survey.strangers
        if name not in options.left_out and name.split(".")[0] not in options.left_out
    ]
    if unknown:
        raise SourceError(
            f"{survey.source.path} holds what Trdinger does not know: {', '.join(unknown)}."
            " Nothing was moved.",
            hint="Leave it behind knowingly: "
            + " ".join(f"--leave-out {shlex.quote(name)}" for name in unknown),
        )
    capabilities = database.capabilities
    if capabilities.postgresql_number < POSTGRESQL_SINCE:
        raise MissingCapability(
            f"{database} runs PostgreSQL {capabilities.postgresql}; 14 or later is needed.",
            hint="Upgrade the server, or name another.",
        )
    if capabilities.encoding != "UTF8":
        raise MissingCapability(
            f"{database} stores text as {capabilities.encoding}, which cannot hold every character.",
            hint="Create the database with ENCODING 'UTF8'.",
        )
    capabilities.require("write")
    with database.connect(autocommit=True) as connection:
        if not capabilities.may_create and not ledger.has_schema(connection):
            user = connection.info.user
            raise MissingCapability(
                f"{user} may not create schemas in {capabilities.database}; a move keeps its ledger in one.",
                hint=f"As the owner of the database: CREATE SCHEMA {ledger.SCHEMA} AUTHORIZATION {user}",
            )
        require_known(schema_status.revision(connection), database)
        target = at_target(connection)
        _may_create_tables(connection, target)
    resumed = treat(survey, database, target, options)
    # A server that has TimescaleDB to install tells its edition only after that.
    comes = (
        capabilities.timescaledb is None and capabilities.installable is not None and capabilities.may_create
    )
    skipped = () if comes else without(capabilities)
    path = survey.source.path.resolve()
    workdir = options.workdir or path.with_name(f"{path.stem}-move")
    return Plan(survey, database, capabilities, target, options, workdir, resumed, skipped)


def _may_create_tables(connection: psycopg.Connection[Any], target: Target) -> None:
    """Raise MissingCapability unless the tables that are not there yet may be made."""
    if len(target.rows) == len(TABLES):
        return
    row = connection.execute(
        "SELECT current_schema, current_user, has_schema_privilege(current_schema, 'CREATE')"
    ).fetchone()
    schema, user, may = row or (None, None, False)
    if may:
        return
    raise MissingCapability(
        f"{user} may not create tables in the schema {schema} of {connection.info.dbname}.",
        hint=f"As the owner of the database: GRANT CREATE ON SCHEMA {schema} TO {user}",
    )


def without(capabilities: Capabilities) -> tuple[str, ...]:
    """What a move into this server leaves undone, and why, in sentences."""
    return tuple(
        f"{capabilities.reason(feature)} {what}" for feature, what in _SAID if not capabilities.has(feature)
    )


def at_target(connection: psycopg.Connection[Any]) -> Target:
    """What the target holds. Reads its catalog and at most one row of each of our tables."""
    tables = [
        row[0]
        for row in connection.execute(
            "SELECT tablename FROM pg_tables t"
            " WHERE schemaname = current_schema AND tablename <> 'alembic_version'"
            " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.deptype = 'e'"
            " AND d.objid = format('%I.%I', t.schemaname, t.tablename)::regclass)"
        )
    ]
    rows = {}
    for table in TABLES:
        if table in tables:
            found = connection.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1) AS any_row"
            ).fetchone()
            rows[table] = int(found[0]) if found else 0
    made = {name for name, each in own_ledger.made(connection).items() if each.oid == oid(connection, name)}
    for table in sorted(made):
        name = sql.Identifier(table)
        filled = connection.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(name)).fetchone()
        rows[table] = int(filled[0]) if filled else 0
    others = tuple(sorted(name for name in tables if name not in TABLES and name not in made))
    relations = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace"
    ).fetchall()
    names = frozenset(row[0] for row in relations) - made
    return Target(rows, others, names, tuple(ledger.moves(connection)))


def treat(survey: Survey, database: Database, target: Target, options: Options) -> Move | None:
    """The move to go on with, None for a new one. Raises TargetRefused."""
    source = str(survey.source.path.resolve())
    latest = target.latest
    if latest is not None and latest.finished is not None and not any(target.rows.values()):
        latest = None  # its tables were taken back or emptied: nothing is left to go on with
    if options.existing is Existing.REPLACE:
        if latest is not None and _replacing(latest, source):
            return latest
        _unmistaken(survey, database, target)
        return None
    if latest is not None and latest.source == source:
        return latest
    if latest is not None and latest.finished is None:
        raise TargetRefused(
            f"{database} holds an unfinished move of {latest.source}; nothing was written.",
            hint=f"Finish it (trdinger migrate {shlex.quote(latest.source)}), or remove its rows:"
            " --existing replace.",
        )
    full = [name for name, rows in target.rows.items() if rows]
    if full:
        raise TargetRefused(
            f"{database} already holds rows in {', '.join(full)}; nothing was written.",
            hint="Name an empty database, or have these tables emptied first: --existing replace.",
        )
    if target.others and options.existing is not Existing.KEEP:
        shown = ", ".join(target.others[:5]) + ("…" if len(target.others) > 5 else "")
        raise TargetRefused(
            f"{database} already holds {len(target.others)} other table(s) ({shown}); nothing was written.",
            hint="Name an empty database, or move in beside them, which leaves them alone: --existing keep.",
        )
    _unmistaken(survey, database, target)
    return None


def _unmistaken(survey: Survey, database: Database, target: Target) -> None:
    """Raise TargetRefused where a table of a user's own has the name of something that no move made."""
    taken = [table.shape.name for table in survey.own if table.shape.name in target.names]
    if taken:
        raise clash(database, taken)


def _replacing(move: Move, source: str) -> bool:
    """Whether a move that replaces was stopped on its way: it goes on, else each kill would start it over.

    One that came to its end, with differences or without, is replaced itself; so is one without its backup.
    """
    if not move.replacing or move.ended or move.source != source:
        return False
    try:
        move.backup.verify()
    except SourceError:
        return False
    return True
