"""One migrated database an engine, and candles of which some are old; emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engines import EngineUnderTest
from schema.conftest import upgrade
from trdinger.archive.place import Place, place
from trdinger.declaration import SERIES
from trdinger.engine.connect import Database

OLD = datetime(2024, 1, 20, tzinfo=UTC)  # two chunks of candles begin near it: before and after 2024-03-18
SYMBOLS = ("BTC/USDT:USDT", "日本 100%")
KEEP: dict[str, timedelta | None] = dict.fromkeys(SERIES, timedelta(days=400))


@dataclass(frozen=True)
class Aged:
    """A database with old rows and new ones, and a place for an archive. rows: what is in it, by table."""

    database: Database
    place: Place
    root: Path

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement without our own code; its rows."""
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            connection.execute("SET TIME ZONE 'UTC'")
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def rows(self, table: str) -> set[tuple[Any, ...]]:
        """Every row of a table, each value as text."""
        return set(self.ask(f"SELECT t::text FROM {table} t"))


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, engines: Any) -> EngineUnderTest:
    return engines.running(request.param)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def migrated(engine: EngineUnderTest) -> Iterator[Database]:
    with engine.empty() as database:
        upgrade(database)
        fresh = database.fresh()
        assert fresh.capabilities
        yield fresh


@pytest.fixture
def aged(migrated: Database, tmp_path: Path) -> Aged:
    """700 old candles in two chunks, some new ones, old funding rates; compressed where that can be."""
    made = Aged(migrated, place(str(tmp_path / "archive")), tmp_path / "archive")
    fill(made)
    if migrated.capabilities.has("compression"):
        made.ask(
            "SELECT compress_chunk(c) FROM show_chunks('ohlcv_data', older_than => now() - interval '1 y') c"
        )
    return made


def fill(aged: Aged) -> None:
    """The rows, in place of whatever was there."""
    aged.ask(f"TRUNCATE {', '.join(SERIES)}")
    for at, symbol in enumerate(SYMBOLS):
        for start, hours, step in ((OLD, 2_100, 6), (datetime.now(UTC) - timedelta(days=9), 20, 1)):
            aged.ask(
                "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
                " SELECT %s, '1h', date_trunc('hour', %s + n * interval '1 hour'), 1.1 + n, 2e5, 1e-7,"
                " CASE n % 5 WHEN 0 THEN 'NaN' ELSE 2.2 / (n + 1) END, -0.0"
                " FROM generate_series(0, %s, %s) AS n".replace("n % 5", "n %% 5"),
                symbol,
                start + timedelta(hours=at),
                hours,
                step,
            )
    aged.ask(
        "INSERT INTO funding_rate_data (symbol, funding_rate, funding_timestamp, timestamp, mark_price)"
        " SELECT %s, n / 3.0, %s + n * interval '8 hours', now(), nullif(n, 3)"
        " FROM generate_series(1, 20) AS n",
        SYMBOLS[0],
        OLD,
    )
