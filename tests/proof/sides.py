"""A file, a target, and what a move told of them, as plain values: without any code of trdinger.

The file is read by sqlite3, the target by psycopg in the server's own binary forms, rejects and
changes by their documented forms.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from proof.declared import SERIES, TABLES
from proof.meaning import Cell, document, plain

SINCE_2000 = 946_684_800_000_000  # microseconds from 1970 to the server's own beginning of time

Row = dict[str, Cell]
Values = tuple[Any, ...]


@dataclass(frozen=True)
class Rejected:
    """One line of a rejects file: the row's cells, and the columns that its reasons name."""

    row: int | str
    cells: Row
    columns: tuple[str, ...]
    reasons: tuple[str, ...]


def reader(file: Path) -> sqlite3.Connection:
    """A connection that gives text as its bytes and changes nothing."""
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.text_factory = bytes
    return connection


def stored(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, Row]]:
    """Every row of a table by its rowid, each cell with its storage class; none where there is no table."""
    there = {
        str(row[1], "utf-8", "replace").lower()
        for row in connection.execute(f'PRAGMA table_xinfo("{table}")')
    }
    names = [field.name for field in TABLES[table] if field.name in there]
    if not names:
        return
    asked = ", ".join(f'typeof("{name}"), "{name}"' for name in names)
    for rowid, *cells in connection.execute(f'SELECT rowid, {asked} FROM "{table}" NOT INDEXED'):
        pairs = zip(cells[::2], cells[1::2], strict=True)
        yield (
            rowid,
            {name: Cell(str(kind, "ascii"), raw) for name, (kind, raw) in zip(names, pairs, strict=True)},
        )


def arrived(server: psycopg.Connection[Any], table: str) -> list[Values]:
    """Every row of a target's table in the order of its declared columns; none where there is no table.

    A series is read a second time as the application reads it, which must give the same rows.
    """
    if server.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
        return []
    asked = ", ".join(_ASKED.get(field.kind, '"{}"').format(field.name) for field in TABLES[table])
    whole = f'SELECT {asked} FROM "{table}"'
    rows = [_values(table, row) for row in server.execute(whole)]
    if table in SERIES:
        again = [_values(table, row) for row in _by_predicates(server, table, whole)]
        assert Counter(rows) == Counter(again), f"{table}: the application's predicates give other rows"
    return rows


def _by_predicates(server: psycopg.Connection[Any], table: str, whole: str) -> Iterator[Values]:
    """One series, one of two ranges of time after the other."""
    segment, time = SERIES[table]
    columns = ", ".join(f'"{name}"' for name in segment)
    where = " AND ".join(f'"{name}" = %s' for name in segment)
    least, most = f'min("{time}")', f'max("{time}")'
    for *names, first, middle, last in server.execute(
        f"SELECT {columns}, {least}::text, ({least} + ({most} - {least}) / 2)::text, {most}::text"
        f' FROM "{table}" GROUP BY {columns}'
    ).fetchall():
        for bounds, values in (
            (f'"{time}" >= %s AND "{time}" <= %s', (first, middle)),
            (f'"{time}" > %s AND "{time}" <= %s', (middle, last)),
        ):
            yield from server.execute(f"{whole} WHERE {where} AND {bounds}", (*names, *values))


_ASKED = {"F": 'float8send("{}")', "T": 'timestamptz_send("{}")', "J": '"{}"::text'}


def _values(table: str, row: Values) -> Values:
    return tuple(
        cell if cell is None or field.kind not in _READ else _READ[field.kind](cell)
        for field, cell in zip(TABLES[table], row, strict=True)
    )


_READ: dict[str, Any] = {
    "F": bytes,
    "T": lambda cell: struct.unpack(">q", cell)[0] + SINCE_2000,
    "J": lambda cell: plain(document(cell)),
}


def rejected(path: Path | None) -> dict[str, list[Rejected]]:
    """A rejects file by table, each value as the file held it."""
    lines: dict[str, list[Rejected]] = {}
    if path is None or not path.exists():
        return lines
    header, *rest = path.read_text("utf-8").splitlines()
    head = json.loads(header)
    assert (head["trdinger"], head["version"]) == ("rejects", 1), header
    for line in rest:
        told = json.loads(line)
        assert set(told) == {"table", "row", "reasons", "values"}, line
        assert told["reasons"], line
        lines.setdefault(told["table"], []).append(
            Rejected(
                told["row"],
                {name: decoded(value) for name, value in told["values"].items()},
                tuple(one["column"] for one in told["reasons"]),
                tuple(one["reason"] for one in told["reasons"]),
            )
        )
    return lines


def decoded(value: Any) -> Cell:
    """A value of a rejects file as SQLite held it."""
    if value is None:
        return Cell("null", None)
    if isinstance(value, int):
        return Cell("integer", value)
    if isinstance(value, float):
        return Cell("real", value)
    if isinstance(value, str):
        return Cell("text", value.encode("utf-8"))
    ((kind, inner),) = value.items()
    if kind == "real":
        return Cell("real", {"Infinity": float("inf"), "-Infinity": float("-inf")}[inner])
    data = base64.b64decode(inner, validate=True)
    return Cell({"text_base64": "text", "blob_base64": "blob"}[kind], data)


def changed(path: Path | None) -> Iterator[tuple[str, int, str, str]]:
    """What is listed as changed: table, row, column and path of each value that became null."""
    if path is None or not path.exists():
        return
    _, *rest = path.read_text("utf-8").splitlines()
    for line in rest:
        told = json.loads(line)
        yield told["table"], told["row"], told["column"], told["path"]
