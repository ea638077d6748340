"""Keys, indexes and references of a user's table, where PostgreSQL has their like; the others in words.

SQLite's NOCASE becomes an index of the lower-case ASCII letters, which is the same comparison.
A hypertable's unique keys must hold its time, so they are widened by it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from trdinger.legacy.own.catalog import DeclaredIndex, DeclaredReference, DeclaredTable, folded
from trdinger.legacy.source import quoted
from trdinger.schema.own.description import ForeignKey, IndexColumn, OwnIndex, OwnSeries, OwnTable
from trdinger.schema.shape import Column, TableShape

_INDEXED = 32  # columns, at most, of an index in PostgreSQL
_NO_CASE = "NOCASE"
_KEYS = {"u": "its UNIQUE key", "pk": "its primary key"}


@dataclass
class Keys:
    """What became of a table's keys. left: what has no counterpart; said: what is otherwise than it was."""

    primary: tuple[str, ...] = ()
    indexes: list[OwnIndex] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def keys(
    table: DeclaredTable,
    columns: Mapping[str, Column],
    names: Mapping[str, str],
    series: OwnSeries | None,
) -> Keys:
    """The keys of a table. columns: the target's, by the file's names, folded; names: of indexes."""
    found = Keys()
    own = next((index for index in table.indexes if index.origin == "pk"), None)
    if table.key:
        key = tuple(columns[folded(name)] for name in table.key)
        wide = _widened(tuple(column.name for column in key), series, "primary key", found)
        if any(column.nullable for column in key):
            found.said.append("its primary key holds nulls, as SQLite allows: it becomes a unique index")
            assert own is not None  # the rowid itself is never null
            indexed = tuple(IndexColumn(name) for name in wide)
            found.indexes.append(OwnIndex(names[own.name], indexed, unique=True))
        else:
            found.primary = wide
            if own is not None and any(each.folded for each in _columns(own, columns, found) or ()):
                _add(own, columns, names, series, found)
    for index in table.indexes:
        if index.origin != "pk":
            _add(index, columns, names, series, found)
    return found


def reference(
    wanted: DeclaredReference, table: OwnTable, columns: Mapping[str, Column], parent: TableShape | OwnTable
) -> str | ForeignKey:
    """A reference of `table` to a parent that moves, too; or why it cannot be made, in words.

    columns: the target's, of both tables, by the file's name, folded, after "child." or "parent.".
    """
    shape = parent.shape if isinstance(parent, OwnTable) else parent
    series = parent.series is not None
    referred = wanted.referred
    if series:
        return f"{shape.name} is a hypertable"
    mine = [columns.get(f"child.{folded(name)}") for name in wanted.columns]
    theirs = [columns.get(f"parent.{folded(name)}") for name in referred]
    if not referred or len(mine) != len(theirs) or None in mine or None in theirs:
        return "it names columns that are not there"
    held = [column for column in mine if column is not None]
    other = [column for column in theirs if column is not None]
    if any(one.kind != another.kind for one, another in zip(held, other, strict=True)):
        return f"its columns and those of {shape.name} have different types"
    target = tuple(column.name for column in other)
    unique = parent.unique_on(target) if isinstance(parent, OwnTable) else target in parent.unique
    if not unique:
        return f"({', '.join(referred)}) of {shape.name} is no key"
    return ForeignKey(
        name="",
        columns=tuple(column.name for column in held),
        table=shape.name,
        referred=target,
        on_delete=wanted.on_delete,
        on_update=wanted.on_update,
    )


def orphans(
    connection: sqlite3.Connection,
    table: str,
    wanted: DeclaredReference,
    parent: str,
) -> int:
    """How many rows refer to no row of `parent`: SQLite does not ask unless it is told to."""
    child, name = quoted(table), quoted(parent)
    there = " AND ".join(f"{child}.{quoted(column)} IS NOT NULL" for column in wanted.columns)
    same = " AND ".join(
        f"parent.{quoted(theirs)} = {child}.{quoted(ours)}"
        for ours, theirs in zip(wanted.columns, wanted.referred, strict=True)
    )
    statement = (
        f"SELECT count(*) FROM {child} WHERE {there}"
        f" AND NOT EXISTS (SELECT 1 FROM {name} AS parent WHERE {same})"
    )
    (count,) = connection.execute(statement).fetchone()
    return int(count)


def _add(
    index: DeclaredIndex,
    columns: Mapping[str, Column],
    names: Mapping[str, str],
    series: OwnSeries | None,
    found: Keys,
) -> None:
    label = f"index {index.name}" if index.origin == "c" else _KEYS[index.origin]
    indexed = _columns(index, columns, found)
    if index.partial or indexed is None or len(indexed) >= _INDEXED:
        why = "partial" if index.partial else "of an expression" if indexed is None else "of too many columns"
        found.left.append(f"{label}, which is {why}")
        return
    if index.unique and series is not None and series.time not in {each.column for each in indexed}:
        found.said.append(f"{label} is widened by {series.time}, as those of a hypertable must be")
        indexed = (*indexed, IndexColumn(series.time))
    found.indexes.append(OwnIndex(names[index.name], indexed, index.unique))


def _columns(
    index: DeclaredIndex, columns: Mapping[str, Column], found: Keys
) -> tuple[IndexColumn, ...] | None:
    indexed = []
    for each in index.columns:
        column = columns.get(folded(each.name)) if each.name is not None else None
        if column is None:
            return None
        text = column.kind == "text"
        if text and each.collation not in {"BINARY", _NO_CASE}:
            found.said.append(f"index {index.name} compared {each.name} by {each.collation}: now exactly")
        indexed.append(IndexColumn(column.name, each.descending, text and each.collation == _NO_CASE))
    return tuple(indexed)


def _widened(key: tuple[str, ...], series: OwnSeries | None, label: str, found: Keys) -> tuple[str, ...]:
    if series is None or series.time in key:
        return key
    found.said.append(f"its {label} is widened by {series.time}, as those of a hypertable must be")
    return (*key, series.time)
