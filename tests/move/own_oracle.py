"""Whether a table of a file and one of a target hold the same rows, found out without the program's readers.

sqlite3's rows against psycopg's, column by column in their order, each row as often as it is there.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from trdinger.engine.connect import Database

_MILLISECONDS = 1e11  # epoch numbers from here on are milliseconds


def rows_that_are_equal(file: Path, database: Database, stored: str, table: str | None = None) -> int:
    """How many rows of a table are on both sides; fails where the sides differ."""
    name = table or stored
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as ours, _session(database) as theirs:
        kinds = types(theirs, name)
        held = Counter(
            tuple(_source(kind, cell) for kind, cell in zip(kinds.values(), row, strict=True))
            for row in ours.execute(f'SELECT * FROM "{stored.replace(chr(34), chr(34) * 2)}"')
        )
        columns = sql.SQL(", ").join(
            sql.SQL("{}::text" if kind == "jsonb" else "{}").format(sql.Identifier(column))
            for column, kind in kinds.items()
        )
        found = Counter(
            tuple(_target(kind, cell) for kind, cell in zip(kinds.values(), row, strict=True))
            for row in theirs.execute(sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(name)))
        )
    assert held - found == Counter(), f"{stored}: missing"
    assert found - held == Counter(), f"{stored}: surplus"
    return held.total()


def types(connection: psycopg.Connection[Any], table: str) -> dict[str, str]:
    """The types of a table's columns, in their order."""
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attnum > 0"
        " AND NOT attisdropped AND attrelid = %s::text::regclass ORDER BY attnum",
        ('"' + table.replace('"', '""') + '"',),
    )
    return dict(rows.fetchall())


def _session(database: Database) -> psycopg.Connection[Any]:
    connection = psycopg.connect(database.conninfo, autocommit=True)
    connection.execute("SET TIME ZONE 'Asia/Tokyo'")  # an instant is the same in any zone
    return connection


def _source(kind: str, cell: Any) -> Any:
    if cell is None:
        return None
    plain: dict[str, Callable[[Any], Any]] = {
        "bigint": int,
        "double precision": lambda value: struct.pack("<d", value),
        "boolean": bool,
        "timestamp with time zone": _instant,
        "date": date.fromisoformat,
        "jsonb": _document,
        "bytea": bytes,
    }
    return plain.get(kind, lambda value: value if isinstance(value, str) else repr(value))(cell)


def _target(kind: str, cell: Any) -> Any:
    if cell is None:
        return None
    if kind == "double precision":
        return struct.pack("<d", cell)
    if kind == "timestamp with time zone":
        return cell.astimezone(UTC)
    return _document(cell) if kind == "jsonb" else bytes(cell) if kind == "bytea" else cell


def _instant(cell: Any) -> datetime:
    if isinstance(cell, str):
        moment = datetime.fromisoformat(cell)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return datetime.fromtimestamp(cell / 1000 if cell >= _MILLISECONDS else cell, UTC)


def _document(text: Any) -> str:
    return repr(_sorted(json.loads(str(text), parse_float=Decimal, parse_int=Decimal)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value.normalize() if isinstance(value, Decimal) else value
