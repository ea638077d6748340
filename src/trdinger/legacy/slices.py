"""The rows of a table that is no series, in slices of about so many, each row with its name.

A row is named by its rowid, or in a table without one by its primary key: as JSON. A slice lies
between two such places, and together the slices hold every row once, as long as nobody writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trdinger.legacy.rejects import decode, encode
from trdinger.legacy.source import Text, quoted
from trdinger.legacy.survey import TableSurvey
from trdinger.legacy.values import Stored

Place = int | tuple[Stored, ...]
_COLLATIONS = frozenset({"BINARY", "NOCASE", "RTRIM"})  # SQLite's own; a program's are not here


@dataclass(frozen=True)
class Slice:
    """The rows with `after` < place <= `until`; None leaves that end open."""

    after: Place | None = None
    until: Place | None = None


WHOLE = Slice()


def slices(connection: sqlite3.Connection, table: TableSurvey, rows: int) -> Iterator[tuple[Slice, int]]:
    """Cut a table into slices, each with how many rows it holds; the last one has no end."""
    place = _Place(table)
    after: Place | None = None
    left = table.rows
    while left > rows:
        where, values = place.between(Slice(after))
        found = connection.execute(
            f"SELECT {place.columns} FROM {quoted(table.stored)}{where}"
            f" ORDER BY {place.order} LIMIT 1 OFFSET {rows - 1}",
            values,
        ).fetchone()
        if found is None:
            break
        until = place.of(found)
        yield Slice(after, until), rows
        after, left = until, left - rows
    if left:
        yield Slice(after), left


def rows(
    connection: sqlite3.Connection, table: TableSurvey, within: Slice = WHOLE
) -> Iterator[tuple[int | str, list[Stored]]]:
    """The rows of a slice in the order of their places: a name, and the cells as `present` has them."""
    place = _Place(table)
    where, values = place.between(within)
    columns = ", ".join(map(quoted, table.columns))
    for row in connection.execute(
        f"SELECT {place.columns}, {columns} FROM {quoted(table.stored)}{where} ORDER BY {place.order}", values
    ):
        yield place.name(row), list(row[place.width :])


def row(connection: sqlite3.Connection, table: TableSurvey, name: int | str) -> list[Stored] | None:
    """The cells of the row of that name, as `present` has them; None if there is none."""
    where, values = _Place(table).at(name)
    columns = ", ".join(map(quoted, table.columns))
    found = connection.execute(f"SELECT {columns} FROM {quoted(table.stored)}{where}", values).fetchone()
    return None if found is None else list(found)


class _Place:
    """How the rows of a table are named, ordered, and cut."""

    def __init__(self, table: TableSurvey) -> None:
        self._key = () if table.rowid is not None or table.own is None else table.own.key
        names = [quoted(name) for name, _ in self._key] or [str(table.rowid)]
        compared = [
            f'{quoted(name)} COLLATE "{collation if collation in _COLLATIONS else "BINARY"}"'
            for name, collation in self._key
        ] or names
        self.width = len(names)
        self.columns = ", ".join(names)
        self.order = ", ".join(compared)
        self._compared = f"({self.order})"

    def of(self, row: tuple[Any, ...]) -> Place:
        """Where a row is, from what `columns` gave."""
        return tuple(row[: self.width]) if self._key else int(row[0])

    def name(self, row: tuple[Any, ...]) -> int | str:
        """What a row is called, from what `columns` gave."""
        return json.dumps([encode(cell) for cell in row[: self.width]]) if self._key else int(row[0])

    def at(self, name: int | str) -> tuple[str, list[Any]]:
        """The condition for the row of that name, with a blank before it, and its values."""
        told = [decode(cell) for cell in json.loads(name)] if isinstance(name, str) else [name]
        cells = [_bound(cell) for cell in told]
        return f" WHERE {self._compared} = ({', '.join(sign for sign, _ in cells)})", [
            value for _, value in cells
        ]

    def between(self, within: Slice) -> tuple[str, list[Any]]:
        """The condition of a slice, with a blank before it, and its values."""
        conditions: list[str] = []
        values: list[Any] = []
        for mark, place in ((">", within.after), ("<=", within.until)):
            if place is not None:
                cells = [_bound(cell) for cell in (place if isinstance(place, tuple) else (place,))]
                conditions.append(f"{self._compared} {mark} ({', '.join(sign for sign, _ in cells)})")
                values += [value for _, value in cells]
        return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values


def _bound(cell: Stored) -> tuple[str, Any]:
    """A stored value as a parameter: what stands for it in a statement, and what is bound."""
    if not isinstance(cell, Text):
        return "?", cell
    try:
        return "?", cell.decode("utf-8")
    except UnicodeDecodeError:
        return "CAST(? AS TEXT)", bytes(cell)
