"""Databases that hold something to be exported, and the oracle's files."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest

from move.moving import move
from move.samples import small_sample
from schema.conftest import upgrade
from trdinger.engine.connect import Database

FEW = r"""
INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)
SELECT 'BTC/USDT', '1h', '2024-01-01'::timestamptz + n * interval '1 hour', n, n + 2, n - 1, n + 0.1, 1e-7
FROM generate_series(1, 6) AS n;
INSERT INTO funding_rate_data (symbol, funding_rate, funding_timestamp, timestamp, mark_price)
VALUES ('ETH/USDT', 0.0001, '2024-01-01 08:00:00.017', '2024-01-01 09:00', 2000.5);
INSERT INTO ga_experiments (name, status, progress, current_generation, config)
VALUES ('one', 'done', 1, 3, '{"a": [1, 2.50, 1e-9, "\u00e9\ud83d\ude00"], "b": null}'),
       ('two', 'done', 1, 3, '7')
"""


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample with rows in every table, written once: copy it."""
    return small_sample(tmp_path_factory.mktemp("sample") / "trdinger.db")


@pytest.fixture
def source(small_file: Path, tmp_path: Path) -> Path:
    """A private copy of the small sample."""
    return Path(shutil.copy(small_file, tmp_path / "source.db"))


@pytest.fixture
def moved(source: Path, database: Database) -> Database:
    """Each engine's database, with the small sample moved into it."""
    assert move(source, database).equal
    return database.fresh()


@pytest.fixture
def few(database: Database) -> Database:
    """Each engine's database, with the schema and a handful of rows that PostgreSQL alone wrote."""
    upgrade(database)
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        for statement in FEW.split(";"):
            connection.execute(statement.encode())
    return database.fresh()
