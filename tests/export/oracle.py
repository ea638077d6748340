"""Whether two SQLite files hold the same, found out with sqlite3 alone: storage class and value of each cell.

Times are equal as instants: the application's form may stand for SQLite's own, which has no fraction.
JSON is equal as values, every number to its last digit; where a bare number is JSON, its class is SQLite's.
"""

from __future__ import annotations

import json
import re
import sqlite3
import struct
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

from schema import legacy_application

TABLES = tuple(legacy_application.Base.metadata.tables)
APPLICATION = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")


def count_equal_cells(ours: Path, theirs: Path) -> int:
    """The cells that were compared; fails at the first that differs."""
    compared = 0
    with _opened(ours) as first, _opened(theirs) as second:
        for table in TABLES:
            declared = [(row[1], row[2]) for row in first.execute(f"PRAGMA table_info({table})")]
            assert declared == [(row[1], row[2]) for row in second.execute(f"PRAGMA table_info({table})")]
            cells = ", ".join(f'typeof("{name}"), "{name}"' for name, _ in declared)
            select = f"SELECT {cells} FROM {table} ORDER BY id"
            for mine, other in zip_longest(first.execute(select), second.execute(select)):
                assert mine is not None, f"{table}: a row more: {other}"
                assert other is not None, f"{table}: a row is missing: {mine}"
                for at, (name, kind) in enumerate(declared):
                    one, two = mine[2 * at : 2 * at + 2], other[2 * at : 2 * at + 2]
                    assert _plain(kind, *one) == _plain(kind, *two), (table, mine[1], name, one, two)
                    compared += 1
    return compared


def forms_of_times(path: Path) -> set[bool]:
    """Whether times are in the application's own form, over every time of the file."""
    with _opened(path) as file:
        return {
            APPLICATION.fullmatch(text) is not None
            for table in TABLES
            for _, name, kind, *_ in file.execute(f"PRAGMA table_info({table})").fetchall()
            if kind == "DATETIME"
            for (text,) in file.execute(f'SELECT DISTINCT "{name}" FROM {table} WHERE "{name}" NOT NULL')
        }


def schema(path: Path) -> tuple[dict[tuple[str, str], str], list[Any]]:
    """Every object of a file by type and name, with its SQL; and the settings that lie in the file."""
    with _opened(path) as file:
        objects = file.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
        pragmas = ("page_size", "journal_mode", "user_version", "encoding", "auto_vacuum", "integrity_check")
        return (
            {(kind, name): re.sub(r"\s+", " ", text).strip() for kind, name, text in objects},
            [file.execute(f"PRAGMA {name}").fetchall() for name in pragmas],
        )


def _opened(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def _plain(kind: str, stored_as: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "DATETIME":
        assert stored_as == "text"
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if kind == "JSON":
        text = value if stored_as == "text" else repr(value)
        return json.loads(text, parse_float=Decimal, parse_int=Decimal)
    if kind == "FLOAT":
        assert stored_as == "real"
        return struct.pack("<d", value)
    return stored_as, value
