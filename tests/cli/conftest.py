"""A small file, the targets that commands may name, and one move that many tests look at."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from sqlalchemy.engine import make_url

from cli.command import Done, here
from engines import EngineUnderTest, Native, laid
from engines.native import AWKWARD
from trdinger.declaration import TABLES
from trdinger.engine.connect import Database
from trdinger.engine.embedded import running, stop
from trdinger.sample import SampleOptions, write_sample

ROWS = 500  # candles of the small file
SECRETS = (AWKWARD, quote(AWKWARD), quote(AWKWARD, safe=""), quote_plus(AWKWARD))


@dataclass(frozen=True)
class Target:
    """A database that commands reach by `address`, password included; `shown` is what people may see."""

    address: str
    shown: str
    database: Database

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement without our own code; its rows."""
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Moved:
    """A file, where it was moved to, and what the command said."""

    source: Path
    target: Target
    done: Done

    @property
    def rows(self) -> str:
        """How many rows the file holds, as people read it."""
        with closing(sqlite3.connect(self.source)) as connection:
            counts = [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES]
        return f"{sum(counts):,} rows"

    @property
    def workdir(self) -> Path:
        return self.source.with_name(f"{self.source.stem}-move")


def server_target(database: Database) -> Target:
    """A database of a server as a target."""
    url = database.url.set(drivername="postgresql")
    return Target(
        url.render_as_string(hide_password=False), url.render_as_string(hide_password=True), database
    )


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of some hundred rows in nine tables and of few series, written once: copy it."""
    path = tmp_path_factory.mktemp("cli") / "trdinger.db"
    write_sample(
        path, SampleOptions(rows=ROWS, symbols=("BTC/USDT:USDT", "ETH/USDT:USDT"), timeframes=("15m", "1h"))
    )
    return path


@pytest.fixture
def source(small_file: Path, tmp_path: Path) -> Path:
    """A private copy of the small file, in the folder that the test runs in."""
    return Path(shutil.copy(small_file, tmp_path / "trdinger.db"))


@pytest.fixture(scope="module", params=["embedded", "native"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """An empty target of each kind, kept for a module: a directory of the embedded engine, a database."""
    engine = _engine(request, request.param)
    if isinstance(engine, Native):
        with engine.empty() as database:
            yield server_target(database)
        return
    directory = tmp_path_factory.mktemp("embedded") / "data"
    with running(laid(directory)) as server:
        database = Database(make_url(server.url), sessions=1)
        yield Target(f"embedded:{directory}", f"embedded:{directory}", database)


@pytest.fixture(scope="module")
def moved(target: Target, small_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """The small file, moved into each target by the command."""
    source = Path(shutil.copy(small_file, tmp_path_factory.mktemp("moved") / "trdinger.db"))
    return Moved(source, target, here("migrate", source, "--to", target.address))


@pytest.fixture
def server(native: Native) -> Iterator[Target]:
    """An empty database of the native server."""
    with native.empty() as database:
        yield server_target(database)


@pytest.fixture(scope="session")
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory of the embedded engine, which runs; each test leaves it without our tables."""
    _engine(request, "embedded")
    path = tmp_path_factory.mktemp("embedded") / "data"
    with running(laid(path)):
        yield path
    stop(path)  # `db start` let it outlive whoever uses it


def _engine(request: pytest.FixtureRequest, name: str) -> EngineUnderTest:
    """The engine, running; skips where it is absent or was not chosen."""
    engines = request.getfixturevalue("engines")
    if name not in engines.chosen:
        pytest.skip(f"{name}: left out by --engine")
    found: EngineUnderTest = engines.running(name)
    return found
