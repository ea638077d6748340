"""Legacy files of a few rows, made by the existing application's own declarations, to be bent at will."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from schema import legacy_application
from trdinger.legacy.reading import SeriesReader, Span
from trdinger.legacy.source import Source
from trdinger.sample import SampleOptions, write_sample

CANDLE: dict[str, Any] = {
    "symbol": "BTC/USDT:USDT",
    "timeframe": "1m",
    "timestamp": "2024-01-01 00:00:00.000000",
    "open": 10.0,
    "high": 12.5,
    "low": 9.5,
    "close": 11.0,
    "volume": 100.25,
    "created_at": "2024-01-02 03:04:05",
    "updated_at": "2024-01-02 03:04:05",
}


@dataclass(frozen=True)
class File:
    """A SQLite file that a test writes to. Every call has a connection of its own."""

    path: Path

    @property
    def source(self) -> Source:
        return Source(self.path)

    def run(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """Run one statement and commit; its rows."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows, in one transaction."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for row in rows:
                columns = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", [*row.values()])

    def candles(self, *changes: dict[str, Any]) -> None:
        """Insert a candle for each of these changes to CANDLE."""
        self.insert("ohlcv_data", *(CANDLE | change for change in changes))

    def untyped(self, table: str = "ohlcv_data") -> None:
        """Make a table anew without types, constraints or indexes, so that it keeps what it is given."""
        columns = [row[1] for row in self.run(f"PRAGMA table_info({table})")]
        self.run(f"DROP TABLE {table}")
        declared = ", ".join(f'"{name}"' + " INTEGER PRIMARY KEY" * (name == "id") for name in columns)
        self.run(f"CREATE TABLE {table} ({declared})")

    def state(self) -> tuple[str, int]:
        """The file's SHA-256 and when it was changed: what no reader may touch."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest(), self.path.stat().st_mtime_ns


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nine tables as the application creates them. Not to be written to."""
    path = tmp_path_factory.mktemp("legacy") / "empty.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    legacy_application.Base.metadata.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of 4,000 candles. Not to be written to."""
    path = tmp_path_factory.mktemp("sample") / "sample.db"
    write_sample(path, SampleOptions(rows=4_000, seed=3))
    return path


@pytest.fixture
def file(empty_file: Path, tmp_path: Path) -> File:
    """The nine tables, empty, as the application creates them."""
    return File(Path(shutil.copyfile(empty_file, tmp_path / "trdinger.db")))


@pytest.fixture
def sample(sample_file: Path, tmp_path: Path) -> File:
    """A sample of 4,000 candles to write to."""
    return File(Path(shutil.copyfile(sample_file, tmp_path / "sample.db")))


@pytest.fixture
def fast_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Once called, a span that cannot be read without a Python object per cell fails the test."""

    def forbid() -> None:
        def fail(_: SeriesReader, span: Span) -> None:
            pytest.fail(f"{span} was read cell by cell")

        monkeypatch.setattr(SeriesReader, "_cell_by_cell", fail)

    return forbid
