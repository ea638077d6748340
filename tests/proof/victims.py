"""Small sound files of many makes, for damaging: page sizes, encodings, free pages, overflow, WAL."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from schema import legacy_application

# page_size, encoding, auto_vacuum, journal_mode of each make
MAKES = (
    (4096, "UTF-8", 0, "delete"),
    (512, "UTF-8", 0, "delete"),
    (1024, "UTF-16le", 0, "delete"),
    (512, "UTF-16be", 1, "delete"),
    (1024, "UTF-8", 2, "wal"),
)
SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT", "円/USDT")
_CANDLES = 24


def victims(folder: Path) -> list[bytes]:
    """One file of each make, some hundred rows in nine tables."""
    statements = _statements(folder / "plain.db")
    return [_victim(folder / f"{at}.db", make, statements) for at, make in enumerate(MAKES)]


def _statements(path: Path) -> list[str]:
    """The existing application's own declarations as SQLite keeps them."""
    engine = sa.create_engine(f"sqlite:///{path}")
    legacy_application.Base.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        return [row[0] for row in found]


def _victim(path: Path, make: tuple[int, str, int, str], statements: list[str]) -> bytes:
    size, encoding, vacuum, journal = make
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma, value in (("page_size", size), ("encoding", f"'{encoding}'"), ("auto_vacuum", vacuum)):
            connection.execute(f"PRAGMA {pragma} = {value}")
        connection.execute("BEGIN")
        for statement in statements:
            connection.execute(statement)
        _fill(connection)
        connection.execute("COMMIT")
        connection.execute("DELETE FROM ohlcv_data WHERE id % 5 = 0")  # leaves free blocks
        connection.execute("DELETE FROM data_collection_log WHERE id > 3")  # and free pages
        connection.execute(f"PRAGMA journal_mode = {journal}")
    return path.read_bytes()


def _fill(connection: sqlite3.Connection) -> None:
    def insert(table: str, *cells: object) -> None:
        marks = ", ".join("?" * len(cells))
        connection.execute(f"INSERT INTO {table} VALUES (NULL, {marks})", cells)

    made = "2024-02-01 10:20:30"
    for symbol in SYMBOLS:
        for at in range(_CANDLES):
            time = f"2024-01-{at // 24 + 1:02} {at % 24:02}:00:00.000000"
            insert("ohlcv_data", symbol, "1h", time, 1.5 + at, 2.5 + at, 0.1, 1 + at, 1e-7 * at, made, made)
        for at in range(6):
            time = f"2024-03-{at + 1:02} 08:00:00.000000"
            insert("funding_rate_data", symbol, -1e-4 * at, time, time, None, 3.25, None, made, made)
            insert("open_interest_data", symbol, 12345.678 * at, time, time, made, made)
    curve = json.dumps([{"timestamp": f"2024-01-{at + 1:02}", "equity": 1e4 + at / 3} for at in range(30)])
    for at in range(4):
        insert(
            "backtest_results", f"SMA {at}", SYMBOLS[0], "1h", made, made, 1e4, 0.001, "{}",
            '{"sharpe_ratio": 1.25, "名": "é"}', curve, "[]", 0.5, "completed", None, made, made,
        )  # fmt: skip
        insert("ga_experiments", f"run {at}", '{"a": [1, 2]}', "running", 0.5, None, 10, at, made, None)
    for at in range(4):
        insert("generated_strategies", at + 1, '{"id": "x"}', at, 0.25, "null", at + 1, made)
        insert(
            "strategy_showcase", f"show {at}", "text" * 200, "momentum", "[]", "{}", 1.0, 2.0, -3.0, 50.0,
            curve, None if at else 1, "low", "1h", at % 2, made, made,
        )  # fmt: skip
        insert("strategy_templates", f"template {at}", None, None, '{"deep": [[[1.0]]]}', 0, made)
    for at in range(40):
        insert("data_collection_log", SYMBOLS[0], "1d", made, made, at, "error", "x" * 300, made)
