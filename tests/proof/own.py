"""Tables that Trdinger does not know, of any declaration and any values, and the judge of their move.

What a target's column holds is read off its type there: that type must hold each value as it is, or the
value's row must be among the rejects, whole.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from hypothesis import strategies as st

from proof.declared import Field
from proof.meaning import Cell, bits, meaning, plain
from proof.meaning import document as parsed
from proof.sides import SINCE_2000, reader, rejected
from proof.values import ANYTHING, DOCUMENTS, TIMES, Raw

TABLES = ("prices", "Prices of a day", "select")
COLUMNS = ("a", "B", "group", "d e")
DECLARED = (
    "", "INTEGER", "INT", "REAL", "NUMERIC", "DECIMAL(10,2)", "TEXT", "VARCHAR(5)", "BLOB", "DATETIME",
    "TIMESTAMP", "DATE", "BOOLEAN", "JSON", "FLOAT", "TEXT COLLATE NOCASE",
)  # fmt: skip
TAG = "tag"  # names each row

# Many values of one kind, so that a type of its own is found for a column, and a few of any other.
_ALIKE: tuple[st.SearchStrategy[Any], ...] = (
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-9, 9),
    st.floats(width=64),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.sampled_from([0, 1]),
    st.sampled_from(TIMES),
    st.dates().map(str),
    st.sampled_from(DOCUMENTS),
)


@dataclass
class Table:
    """One table: how its columns are declared, whether the tag is its key without a rowid, its rows."""

    declared: dict[str, str]
    without_rowid: bool
    rows: list[list[Any]]

    def write(self, connection: sqlite3.Connection, name: str) -> None:
        """Make the table."""
        columns = "".join(f', "{column}" {declared}' for column, declared in self.declared.items())
        key = " PRIMARY KEY" if self.without_rowid else ""
        connection.execute(
            f'CREATE TABLE "{name}" ({TAG} TEXT NOT NULL{key}{columns})'
            + " WITHOUT ROWID" * self.without_rowid
        )
        for number, row in enumerate(self.rows):
            marks = "".join(", CAST(? AS TEXT)" if isinstance(cell, Raw) else ", ?" for cell in row)
            cells = [cell.data if isinstance(cell, Raw) else cell for cell in row]
            connection.execute(f'INSERT INTO "{name}" VALUES (?{marks})', [f"row {number}", *cells])


@dataclass
class Tables:
    """A file of such tables."""

    tables: list[Table]

    def write(self, path: Path) -> None:
        """Make the file."""
        with closing(sqlite3.connect(path)) as connection:
            for name, table in zip(TABLES, self.tables, strict=False):
                table.write(connection, name)
            connection.commit()


@st.composite
def _table(draw: st.DrawFn) -> Table:
    declared = {
        name: draw(st.sampled_from(DECLARED))
        for name in draw(st.lists(st.sampled_from(COLUMNS), unique=True))
    }
    alike = [draw(st.sampled_from(_ALIKE)) for _ in declared]
    cells = [kind | kind | kind | ANYTHING for kind in alike] if draw(st.booleans()) else alike
    rows = draw(st.lists(st.tuples(*cells).map(list), max_size=8))
    return Table(declared, draw(st.booleans()), rows)


def tables() -> st.SearchStrategy[Tables]:
    """Files of one table to three."""
    return st.builds(Tables, st.lists(_table(), min_size=1, max_size=len(TABLES)))


def account_own(file: Path, target: str, rejects: Path) -> tuple[int, int, list[str]]:
    """Rows moved, rows rejected, and what is wrong, which must be nothing."""
    moved, problems, lines = 0, [], rejected(rejects)
    with closing(reader(file)) as source, psycopg.connect(target, autocommit=True) as server:
        for name in TABLES:
            stored = _stored(source, name)
            if stored is None:
                continue
            types, there = _arrived(server, name)
            gone = {bytes(one.cells[TAG].raw).decode(): one for one in lines.get(name, [])}
            moved += len(there)
            if sorted([*there, *gone]) != sorted(stored):
                problems.append(
                    f"{name}: rows {sorted(stored)}: moved {sorted(there)}, rejected {sorted(gone)}"
                )
                continue
            for tag, row in stored.items():
                fits = {column: _fits(types[column], cell) for column, cell in row.items()}
                if tag in gone:
                    if repr(sorted(row.items())) != repr(sorted(gone[tag].cells.items())):
                        problems.append(f"{name} {tag} is {row}, its line has {gone[tag].cells}")
                    if all(each is not None for each in fits.values()):
                        problems.append(f"{name} {tag} would fit {types}: {row}: {gone[tag].reasons}")
                    continue
                problems += [
                    f"{name} {tag} {column} ({types[column]}): {row[column]} became {there[tag][column]!r}"
                    for column, each in fits.items()
                    if each is None or not _equal(each, there[tag][column])
                ]
    return moved, sum(map(len, lines.values())), problems


def _stored(source: sqlite3.Connection, name: str) -> dict[str, dict[str, Cell]] | None:
    columns = [str(row[1], "utf-8") for row in source.execute(f'PRAGMA table_info("{name}")')]
    if not columns:
        return None
    asked = ", ".join(f'typeof("{column}"), "{column}"' for column in columns)
    rows = {}
    for cells in source.execute(f'SELECT {asked} FROM "{name}"'):
        pairs = zip(cells[::2], cells[1::2], strict=True)
        row = {
            column: Cell(str(kind, "ascii"), raw) for column, (kind, raw) in zip(columns, pairs, strict=True)
        }
        rows[bytes(row[TAG].raw).decode()] = row
    return rows


def _arrived(
    server: psycopg.Connection[Any], name: str
) -> tuple[dict[str, tuple[str, int | None]], dict[str, dict[str, Any]]]:
    types = {
        column: (kind, length)
        for column, kind, length in server.execute(
            "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns"
            " WHERE table_schema = current_schema AND table_name = %s",
            (name,),
        )
    }
    asked = ", ".join(_ASKED.get(kind, '"{}"').format(column) for column, (kind, _) in types.items())
    rows = {}
    for cells in server.execute(f'SELECT {asked} FROM "{name}"'.encode()):
        row = dict(zip(types, cells, strict=True))
        rows[row[TAG]] = row
    return types, rows


_ASKED = {
    "double precision": 'float8send("{}")',
    "timestamp with time zone": 'timestamptz_send("{}")',
    "jsonb": '"{}"::text',
    "date": '"{}"::text',
}
_KINDS = {
    "double precision": "F",
    "bigint": "ID",
    "integer": "I",
    "boolean": "B",
    "timestamp with time zone": "T",
    "jsonb": "J",
    "text": "S",
    "character varying": "S",
}


def _fits(kind: tuple[str, int | None], cell: Cell) -> tuple[str, Any] | None:
    """What the cell has to be in a column of this type, None for what it cannot hold."""
    name, length = kind
    if cell.storage == "null":
        return name, None
    if name == "bytea":
        return (name, cell.raw) if cell.storage == "blob" else None
    if name == "text" and cell.storage in ("integer", "real"):
        return "number as text", cell.raw
    if name == "date":
        return (name, bytes(cell.raw).decode("utf-8", "replace")) if cell.storage == "text" else None
    found = meaning(Field("", _KINDS[name], length, nullable=True), cell)
    return None if found.fits is False else (name, found.value)


def _equal(meant: tuple[str, Any], there: Any) -> bool:
    name, value = meant
    if value is None or there is None:
        return value is there or (name == "jsonb" and there == "null")
    if name == "number as text":  # of a float the digits that give it again
        return bits(float(there)) == bits(value) if isinstance(value, float) else int(there) == value
    if name == "jsonb":
        return bool(plain(parsed(there)) == value)
    if name == "timestamp with time zone":
        return int.from_bytes(there, "big", signed=True) + SINCE_2000 == value
    return type(there) is type(value) and bool(there == value)
