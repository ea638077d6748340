"""Made-up rows for any schema: by the declared types, each reference to a row that is there."""

from __future__ import annotations

import random
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

BEGIN = datetime(2024, 1, 1)  # noqa: DTZ001 (as programs store it, without an offset)
EPOCH = 1_704_067_200  # the same, in seconds
ALWAYS = {"last_updated_ts", "start_ts"}  # that the programs give to every row


def rebuilt(path: Path, schema: Path, rows: int = 25, seed: int = 5) -> dict[str, int]:
    """A file of that schema with so many rows in each table, parents first; the rows of each."""
    chance = random.Random(seed)
    with sqlite3.connect(path) as file:
        file.executescript(schema.read_text(encoding="utf-8"))
        tables = [
            name
            for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
            if not name.startswith("sqlite_")
        ]
        for table in tables:
            for number in range(1, rows + 1):
                _insert(file, table, number, chance)
        held = {table: file.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}
    file.close()
    return held


def _insert(file: sqlite3.Connection, table: str, number: int, chance: random.Random) -> None:
    references = {
        row[3]: (row[2], row[4]) for row in file.execute(f'PRAGMA foreign_key_list("{table}")').fetchall()
    }
    row: dict[str, Any] = {}
    for _, name, declared, required, _, key in file.execute(f'PRAGMA table_info("{table}")').fetchall():
        if name in references:
            row[name] = _parent(file, *references[name], chance)
        elif not required and not key and name not in ALWAYS and chance.random() < 0.2:
            row[name] = None
        else:
            row[name] = _value(name, declared.upper(), number, chance)
    columns = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    file.execute(f'INSERT OR IGNORE INTO "{table}" ({columns}) VALUES ({marks})', [*row.values()])


def _parent(file: sqlite3.Connection, table: str, column: str, chance: random.Random) -> Any:
    known = file.execute(f'SELECT "{column}" FROM "{table}"').fetchall()
    return chance.choice(known)[0] if known else None


def _value(name: str, declared: str, number: int, chance: random.Random) -> Any:
    if name.endswith("_ts"):
        return EPOCH + number * 3600 + chance.randrange(10**6) / 10**6
    moment = BEGIN + timedelta(hours=number, microseconds=chance.randrange(1, 10**6))
    amount = chance.choice([round(chance.uniform(0, 100), 2), float(number), chance.random()])
    by_type = {
        "DATE": moment.strftime("%Y-%m-%d"),
        "DATETIME": str(moment),
        "BOOLEAN": number % 2,
        "BLOB": chance.randbytes(16),
        "FLOAT": amount,
        "REAL": amount,
        "NUMERIC": amount,
        "NUMERIC(10,2)": amount,
        "CHAR(0)": "",
    }
    return by_type.get(declared, number if "INT" in declared else f"{name[:8]} {number} é")
