"""Damages a copy of a `trdinger.db`, value by value, and says what it did.

For trying out what judges values; never for a file that somebody needs. `damages` holds
the kinds. The tables stay sound for SQLite itself: the values are at fault, not the pages.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trdinger.errors import SourceError, UsageError
from trdinger.legacy.source import Source, quoted, reading
from trdinger.sample.damages import KINDS, Kind, Place


@dataclass(frozen=True)
class Damage:
    """One bad value: where it is, and its kind (a name in KINDS)."""

    table: str
    rowid: int
    column: str
    kind: str


def spoil(path: Path, kinds: Iterable[str] | None = None, *, seed: int = 7, each: int = 1) -> list[Damage]:
    """Put bad values into the file, in place, and return where each is.

    kinds: names in KINDS; None is all of them. each: how many values of a kind go into each of
    its places. Rows are drawn by `seed`; no row gets two damages. A kind that cannot be put into
    a sound table changes the table first: `null` removes NOT NULL from the declaration of its
    columns, `duplicate-key` drops the unique indexes of its tables; both are done for good.
    All in one transaction. Raises UsageError for an unknown kind or when a table has
    too few rows, SourceError when the file is missing or is no trdinger.db.
    """
    names = list(KINDS) if kinds is None else list(dict.fromkeys(kinds))
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: no kind of damage.", hint=f"Kinds are: {', '.join(KINDS)}.")
    Source(path).check()
    with reading(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
        file = _File(path, connection, seed)
        connection.execute("BEGIN IMMEDIATE")
        _prepare(file, [KINDS[name] for name in names])
        done = [
            Damage(place.table, file.put(place, copied=KINDS[name].copied), place.column, name)
            for name in names
            for place in KINDS[name].places
            for _ in range(each)
        ]
        connection.execute("COMMIT")
    return done


def _prepare(file: _File, kinds: list[Kind]) -> None:
    """Take away the constraints that the damages would break."""
    for kind in kinds:
        if kind.repeated:
            for table in dict.fromkeys(place.table for place in kind.places):
                file.drop_unique(table)
    for place in [place for kind in kinds if kind.nullable for place in kind.places]:
        file.drop_not_null(place.table, place.column)


class _File:
    """A file that is being spoiled, and which of its rows are used up."""

    def __init__(self, path: Path, connection: sqlite3.Connection, seed: int) -> None:
        self._path = path
        self._connection = connection
        self._rng = np.random.default_rng(seed)
        self._used: dict[str, set[int]] = {}

    def put(self, place: Place, *, copied: bool) -> int:
        """Put the value into a row that is still sound, or into a copy of it; its rowid."""
        rowid = self._draw(place)
        if copied:
            return self._copy(place, rowid)
        self._connection.execute(
            f"UPDATE {quoted(place.table)} SET {quoted(place.column)} = {place.value} WHERE rowid = ?",
            (rowid,),
        )
        return rowid

    def drop_unique(self, table: str) -> None:
        """Drop the indexes that say which rows of a table must not repeat."""
        for _, name, unique, origin, _ in self._connection.execute(
            f"PRAGMA index_list({quoted(table)})"
        ).fetchall():
            if unique and origin == "c":
                self._connection.execute(f"DROP INDEX {quoted(name)}")

    def drop_not_null(self, table: str, column: str) -> None:
        """Remove NOT NULL from a column's declaration; rows and indexes stay as they are."""
        row = self._connection.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
        ).fetchone()
        declared = row[0] if row else ""
        freed = re.sub(rf"([(,]\s*{re.escape(column)} [^,]*?) NOT NULL", r"\1", declared, count=1)
        if freed == declared:
            return
        self._connection.execute("PRAGMA writable_schema = on")
        self._connection.execute(
            "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", (freed, table)
        )
        self._connection.execute("PRAGMA writable_schema = reset")  # and read the schema anew

    def _draw(self, place: Place) -> int:
        table, used = quoted(place.table), self._used.setdefault(place.table, set())
        (last,) = self._connection.execute(f"SELECT max(rowid) FROM {table}").fetchone()
        from_here = int(self._rng.integers(1, (last or 0) + 2))
        for begin in (from_here, 1):
            for (rowid,) in self._connection.execute(
                f"SELECT rowid FROM {table} WHERE rowid >= ? AND {quoted(place.column)} IS NOT NULL "
                "ORDER BY rowid",
                (begin,),
            ):
                if rowid not in used:
                    used.add(rowid)
                    return int(rowid)
        raise UsageError(
            f"{self._path}: {place.table} has too few rows for that many damages.",
            hint="Ask for fewer kinds, or fewer of each.",
        )

    def _copy(self, place: Place, rowid: int) -> int:
        table = quoted(place.table)
        values = {place.column: place.value, **place.changes}
        names = [row[1] for row in self._connection.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        chosen = ", ".join(values.get(name, quoted(name)) for name in names)
        into = f"{table} ({', '.join(map(quoted, names))})"
        cursor = self._connection.execute(
            f"INSERT INTO {into} SELECT {chosen} FROM {table} WHERE rowid = ?", (rowid,)
        )
        if cursor.lastrowid is None:
            raise SourceError(f"{self._path}: a row of {place.table} could not be copied.")
        self._used[place.table].add(cursor.lastrowid)
        return cursor.lastrowid
