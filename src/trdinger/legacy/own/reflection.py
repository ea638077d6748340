"""A user's tables together: which ones move, their names, and what they refer to.

Reads the catalog, and with `look` what the columns hold; the same file and the same choices give the
same answer. What changes on the way and what stays behind is told, in words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace

from trdinger.errors import UsageError
from trdinger.legacy.own.catalog import DeclaredReference, DeclaredTable, folded
from trdinger.legacy.own.choices import Choices
from trdinger.legacy.own.keys import orphans, reference
from trdinger.legacy.own.names import Names, table_names
from trdinger.legacy.own.table import Own, Reflecting
from trdinger.schema.own.description import ForeignKey, reserved
from trdinger.schema.shape import Column, TableShape

_COLUMNS = 1600  # that a table of PostgreSQL may have


def reflect(
    connection: sqlite3.Connection,
    declared: list[DeclaredTable],
    choices: Choices,
    parents: Mapping[str, TableShape],
    *,
    look: bool = True,
) -> tuple[list[Own], list[str]]:
    """What becomes of the declared tables, in their order, and those that do not move, in words.

    parents: the shapes of Trdinger's tables that the file has, by their names, folded. look: read what
    the columns hold; otherwise the types are as declared. Raises UsageError for choices that cannot be.
    """
    _known(declared, choices, parents)
    moving, left = [], []
    for table in declared:
        if not choices.of(table.name).move:
            left.append(f"table {table.name}")
        elif len(table.columns) > _COLUMNS:
            left.append(f"table {table.name}: PostgreSQL's tables have at most {_COLUMNS:,} columns")
        elif table.rowid is None and not table.without_rowid:
            left.append(f"table {table.name}: its columns hide the rowid, so that its rows have no name")
        else:
            moving.append(table)
    names = Names(reserved())
    named = table_names([table.name for table in moving], names)
    indexes = _index_names(moving, names)
    found = [
        Reflecting(connection, table, named[table.name], choices.of(table.name), look=look).own(
            indexes[table.name], names
        )
        for table in moving
    ]
    _references(connection, found, parents, look=look)
    return found, left


def _known(declared: list[DeclaredTable], choices: Choices, parents: Mapping[str, TableShape]) -> None:
    """Raise UsageError for decisions about tables that are Trdinger's, or not there at all."""
    there = {folded(table.name) for table in declared}
    for name, choice in choices.tables.items():
        if folded(name) in parents:
            raise UsageError(
                f"{name} is one of Trdinger's own tables, about which there is nothing to decide.",
                hint="Take it out of the plan and of the arguments.",
            )
        if choice.move and folded(name) not in there and not choices.kept:
            raise UsageError(
                f"The file has no table {name}.",
                hint=f"Tables of its own: {', '.join(table.name for table in declared) or 'none'}.",
            )


def _index_names(tables: list[DeclaredTable], names: Names) -> dict[str, dict[str, str]]:
    """The target's names of all indexes, by table and the file's name; given ones first."""
    given: dict[str, dict[str, str]] = {table.name: {} for table in tables}
    for table in tables:
        for index in table.indexes:
            if index.origin == "c":
                given[table.name][index.name] = names.give(index.name)
    for table in tables:
        for index in table.indexes:
            if index.origin != "c":
                columns = "_".join(each.name or "" for each in index.columns)
                given[table.name][index.name] = names.give(f"{table.name}_{columns}_key")
    return given


def _references(
    connection: sqlite3.Connection,
    found: list[Own],
    parents: Mapping[str, TableShape],
    *,
    look: bool,
) -> None:
    owns = {folded(own.stored): own for own in found}
    for own in found:
        names, made = Names(), []
        for wanted in own.declared.references:
            parent = owns.get(folded(wanted.table))
            whole = (
                wanted if wanted.referred or parent is None else replace(wanted, referred=parent.declared.key)
            )
            key = _reference(connection, own, whole, parent or parents.get(folded(wanted.table)), look=look)
            if isinstance(key, str):
                told = f"the reference ({', '.join(wanted.columns)}) to {wanted.table}: {key}"
                own.left.append(told)
                continue
            name = names.give(f"{own.table.name}_{'_'.join(key.columns)}_fkey")
            made.append(replace(key, name=name))
        own.table = replace(own.table, foreign=tuple(made))


def _reference(
    connection: sqlite3.Connection,
    own: Own,
    wanted: DeclaredReference,
    parent: Own | TableShape | None,
    *,
    look: bool,
) -> str | ForeignKey:
    if parent is None:
        return f"{wanted.table} does not move"
    if isinstance(parent, Own):
        theirs, name = _by_name("parent", parent), parent.stored
        key = reference(wanted, own.table, _by_name("child", own) | theirs, parent.table)
    else:
        wanted = wanted if wanted.referred else replace(wanted, referred=("id",))
        columns = {f"parent.{folded(column.name)}": column for column in parent.columns}
        key, name = reference(wanted, own.table, _by_name("child", own) | columns, parent), parent.name
    if look and not isinstance(key, str):
        lost = orphans(connection, own.stored, wanted, name)
        if lost:
            return f"some rows refer to a row that is not there: {lost:,}"
    return key


def _by_name(side: str, own: Own) -> dict[str, Column]:
    return {
        f"{side}.{folded(stored)}": column
        for stored, column in zip(own.columns, own.table.shape.columns, strict=True)
    }
