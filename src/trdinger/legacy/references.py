"""Rows whose parent is not in the file, or is rejected itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from trdinger.legacy.judging import BadValue, Row
from trdinger.legacy.source import quoted
from trdinger.legacy.survey import Survey, TableSurvey, fits
from trdinger.legacy.values import Stored, show
from trdinger.schema.shape import Reference


def orphans(
    connection: sqlite3.Connection,
    survey: Survey,
    table: TableSurvey,
    reference: Reference,
    rejected: Mapping[str, set[Row]],
) -> Iterator[BadValue]:
    """The rows of `table` that refer to no row, or to one of `rejected` (by table). A null refers to none."""
    if reference.column not in table.present:
        return
    name, column = quoted(table.shape.name), quoted(reference.column)
    orphan = f"{column} IS NOT NULL"
    parents = survey.table(reference.table)
    if parents is not None:
        found = f"SELECT 1 FROM {quoted(reference.table)} WHERE {quoted(reference.referred)}"
        orphan += f" AND NOT EXISTS ({found} = {name}.{column})"
    for rowid, stored in connection.execute(f"SELECT rowid, {column} FROM {name} WHERE {orphan}"):
        if fits(table.shape.column(reference.column), stored):  # else it was told for what it is
            reason = f"no such row in {reference.table}: {reference.referred} {show(stored)}"
            yield BadValue(table.shape.name, rowid, reference.column, show(stored), reason)
    if parents is not None and rejected.get(reference.table):
        gone = _values(connection, reference, rejected[reference.table])
        for rowid, stored in connection.execute(
            f"SELECT rowid, {column} FROM {name} WHERE {column} IS NOT NULL"
        ):
            if stored in gone:
                reason = f"its row in {reference.table} is rejected: {reference.referred} {show(stored)}"
                yield BadValue(table.shape.name, rowid, reference.column, show(stored), reason)


def _values(connection: sqlite3.Connection, reference: Reference, rows: set[Row]) -> set[Stored]:
    """The referred values of the rejected rows, less those that a row which stays has, too."""
    values: dict[Stored, bool] = {}
    for rowid, stored in connection.execute(
        f"SELECT rowid, {quoted(reference.referred)} FROM {quoted(reference.table)}"
    ):
        values[stored] = values.get(stored, True) and rowid in rows
    return {stored for stored, gone in values.items() if gone}
