"""What a SQLite file declares about its tables, from its catalog and without a look at any row.

Virtual tables, the shadow tables behind them, and SQLite's own are told, not read: each as words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trdinger.legacy.source import quoted

HOUSEKEEPING = "alembic_version"  # a migration tool's own table: never moved, never missed
_GENERATED = (2, 3)  # table_xinfo's `hidden` of virtual and stored generated columns
_HIDDEN = 1  # of a virtual table's own
_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_UNREADABLE = "its name, or that of a column, is not UTF-8"


@dataclass(frozen=True)
class DeclaredColumn:
    """A column. declared: its type's text, may be empty; key: its place in the primary key, from 1, or 0."""

    name: str
    declared: str
    not_null: bool
    default: str | None
    key: int
    generated: bool

    @property
    def wants_value(self) -> bool:
        """Whether it should not be null: SQLite allows null in many a primary key, which nobody means."""
        return self.not_null or self.key > 0


@dataclass(frozen=True)
class Indexed:
    """A column of an index; `name` is None for an expression."""

    name: str | None
    descending: bool
    collation: str


@dataclass(frozen=True)
class DeclaredIndex:
    """An index. origin: "c" of CREATE INDEX, "u" of UNIQUE, "pk" of PRIMARY KEY."""

    name: str
    unique: bool
    origin: str
    partial: bool
    columns: tuple[Indexed, ...]


@dataclass(frozen=True)
class DeclaredReference:
    """A foreign key. `referred` is empty where the parent's primary key is meant."""

    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]
    on_update: str
    on_delete: str


@dataclass(frozen=True)
class DeclaredTable:
    """An ordinary table as declared. high_water: the highest id ever given, of AUTOINCREMENT; else 0."""

    name: str
    columns: tuple[DeclaredColumn, ...]
    indexes: tuple[DeclaredIndex, ...]
    references: tuple[DeclaredReference, ...]
    without_rowid: bool
    high_water: int
    sql: str

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key, in its order."""
        return tuple(
            column.name for column in sorted(self.columns, key=lambda column: column.key) if column.key
        )

    @property
    def alias(self) -> str | None:
        """The column that is the rowid itself: INTEGER PRIMARY KEY."""
        by_index = any(index.origin == "pk" for index in self.indexes)
        return None if self.without_rowid or by_index or len(self.key) != 1 else self.key[0]

    @property
    def rowid(self) -> str | None:
        """A name that gives the rowid; None for a table without one, or whose columns hide all its names."""
        if self.without_rowid:
            return None
        hidden = {column.name.lower() for column in self.columns}
        return next((name for name in _ROWID_NAMES if name not in hidden), self.alias)

    def column(self, name: str) -> DeclaredColumn | None:
        """The column of that name, as SQLite compares names."""
        return next((column for column in self.columns if folded(column.name) == folded(name)), None)


def tables(connection: sqlite3.Connection) -> tuple[list[DeclaredTable], list[str]]:
    """The ordinary tables in the order in which they were made; and the others, each in words."""
    kinds = {_text(row[1]): (_text(row[2]), bool(row[4])) for row in _rows(connection, "PRAGMA table_list")}
    high = _high_water(connection)
    found: list[DeclaredTable] = []
    others: list[str] = []
    statement = "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
    for raw, sql in _rows(connection, statement):
        name, text = _text(raw), _text(sql) if sql is not None else ""
        if name == HOUSEKEEPING or name.startswith("sqlite_"):
            others.append(f"table {name}, which is SQLite's or a migration tool's own")
            continue
        kind, without_rowid = kinds.get(name, ("", False))
        if text.upper().startswith("CREATE VIRTUAL"):
            others.append(f"virtual table {name}")
        elif kind == "shadow":
            others.append(f"table {name}, which is part of a virtual table")
        elif (
            not _readable(raw)
            or (table := _table(connection, name, text, without_rowid or not kinds, high)) is None
        ):
            others.append(f"table {name}: {_UNREADABLE}")
        else:
            found.append(table)
    return found, others


def folded(name: str) -> str:
    """A name as SQLite compares names: ASCII letters alike in both cases, no others."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _table(
    connection: sqlite3.Connection, name: str, sql: str, maybe_without: bool, high: dict[str, int]
) -> DeclaredTable | None:
    told = list(_rows(connection, f"PRAGMA table_xinfo({quoted(name)})"))
    if not all(_readable(row[1]) for row in told):
        return None
    columns = tuple(
        DeclaredColumn(
            name=_text(column),
            declared=_text(declared or b"").strip(),
            not_null=bool(not_null),
            default=None if default is None else _text(default),
            key=key,
            generated=hidden in _GENERATED,
        )
        for _, column, declared, not_null, default, key, hidden in told
        if hidden != _HIDDEN
    )
    # SQLite before 3.37 has no table_list: there the index of the key bears the table's own name.
    without_rowid = maybe_without and any(_rows(connection, f"PRAGMA index_info({quoted(name)})"))
    return DeclaredTable(
        name=name,
        columns=columns,
        indexes=tuple(_indexes(connection, name)),
        references=tuple(_references(connection, name)),
        without_rowid=without_rowid,
        high_water=high.get(name, 0),
        sql=sql,
    )


def _indexes(connection: sqlite3.Connection, table: str) -> Iterator[DeclaredIndex]:
    for _, name, unique, origin, partial in _rows(connection, f"PRAGMA index_list({quoted(table)})"):
        if not _readable(name):
            continue
        indexed = sorted(_rows(connection, f"PRAGMA index_xinfo({quoted(_text(name))})"))
        yield DeclaredIndex(
            name=_text(name),
            unique=bool(unique),
            origin=_text(origin),
            partial=bool(partial),
            columns=tuple(
                Indexed(None if column is None else _text(column), bool(descending), _text(collation).upper())
                for _, _, column, descending, collation, is_key in indexed
                if is_key
            ),
        )


def _references(connection: sqlite3.Connection, table: str) -> Iterator[DeclaredReference]:
    parts: dict[int, list[tuple[Any, ...]]] = {}
    for row in _rows(connection, f"PRAGMA foreign_key_list({quoted(table)})"):
        parts.setdefault(row[0], []).append(row)
    for _, rows in sorted(parts.items()):
        rows.sort(key=lambda row: row[1])
        referred = [row[4] for row in rows]
        yield DeclaredReference(
            columns=tuple(_text(row[3]) for row in rows),
            table=_text(rows[0][2]),
            referred=() if None in referred else tuple(map(_text, referred)),
            on_update=_text(rows[0][5]),
            on_delete=_text(rows[0][6]),
        )


def _high_water(connection: sqlite3.Connection) -> dict[str, int]:
    if not list(_rows(connection, "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")):
        return {}
    rows = _rows(connection, "SELECT name, seq FROM sqlite_sequence")
    return {_text(name): seq for name, seq in rows if isinstance(name, bytes) and isinstance(seq, int)}


def _rows(connection: sqlite3.Connection, statement: str) -> Iterator[tuple[Any, ...]]:
    return iter(connection.execute(statement).fetchall())


def _readable(raw: Any) -> bool:
    try:
        bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text(raw: object) -> str:
    return bytes(raw).decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
