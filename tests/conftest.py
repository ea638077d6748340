"""What every test stands on: the engines, a clean environment, the legacy file, and the marks.

pytest                        everything that can run here; the rest says why not
pytest --engine native        on one engine only (may be repeated); absent means failed
pytest --long                 the long tests too
TRDINGER_REQUIRE_ENGINES=embedded,native   an absent engine fails instead of being skipped
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import ByUrl, Embedded, EngineUnderTest, Native
from trdinger.engine.connect import Database

REPOSITORY = Path(__file__).resolve().parent.parent
LEGACY = REPOSITORY.parent / "shared" / "data" / "trdinger-legacy.db"
NAMES = ("embedded", "native", "url")

pytest_plugins = ["faults.full_disk", "faults.kill_at", "faults.locked_source", "faults.proxy"]


class Engines:
    """The engines of one run: started when first asked for, all stopped at its end."""

    def __init__(self, chosen: tuple[str, ...], required: frozenset[str]) -> None:
        root = os.environ.get("TRDINGER_NATIVE_ROOT")
        self.all: dict[str, EngineUnderTest] = {
            "embedded": Embedded(),
            "native": Native(Path(root) if root else None),
            "url": ByUrl(os.environ.get("TRDINGER_TEST_DATABASE_URL")),
        }
        self.chosen = chosen
        self.required = required
        self._started: set[str] = set()

    def running(self, name: str) -> EngineUnderTest:
        """The engine, started. Skips in its own words where it is absent, or fails where it is required."""
        engine = self.all[name]
        if name not in self._started:
            if reason := engine.absent():
                if name in self.required:
                    pytest.fail(f"{name}: {reason}", pytrace=False)
                pytest.skip(f"{name}: {reason}")
            self._started.add(name)
            engine.start()
        return engine

    def stop(self) -> None:
        for name in self._started:
            self.all[name].stop()


ENGINES = pytest.StashKey[Engines]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("trdinger")
    group.addoption(
        "--engine", action="append", choices=NAMES, help="run on this engine only; may be repeated"
    )
    group.addoption("--long", action="store_true", help="run the tests marked long, too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs(*features): leave out engines that lack any of these (trdinger.engine.capabilities)",
    )
    config.addinivalue_line("markers", "many: needs an engine that serves many connections at once")
    config.addinivalue_line("markers", "long: takes more than half a minute; runs with --long")
    named = tuple(config.getoption("--engine") or ())
    demanded = os.environ.get("TRDINGER_REQUIRE_ENGINES", "").split(",")
    required = {*named, *filter(None, demanded)}
    if unknown := required - set(NAMES):
        raise pytest.UsageError(f"TRDINGER_REQUIRE_ENGINES: no such engine: {', '.join(sorted(unknown))}")
    if not named:
        # Nobody asked for a server by URL: the header says so, once.
        named = NAMES if os.environ.get("TRDINGER_TEST_DATABASE_URL") else NAMES[:-1]
    config.stash[ENGINES] = Engines(named, frozenset(required))


def pytest_unconfigure(config: pytest.Config) -> None:
    if ENGINES in config.stash:
        config.stash[ENGINES].stop()


def pytest_report_header(config: pytest.Config) -> list[str]:
    engines = config.stash[ENGINES]
    lines = []
    for name in NAMES:
        engine = engines.all[name]
        if reason := engine.absent():
            said = f"absent: {reason}"
        elif name not in engines.chosen:
            said = "left out by --engine"
        else:
            said = engine.describe()
        lines.append(f"engine {name}: {said}")
    lines.append(f"legacy file: {LEGACY if LEGACY.exists() else f'absent: {LEGACY}'}")
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        chosen = metafunc.config.stash[ENGINES].chosen
        metafunc.parametrize("engine", chosen, indirect=True)


def pytest_collection_finish() -> None:
    """What was loaded until now stays to the end: the collector need not look through it time and again."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("long") and not item.config.getoption("--long"):
        pytest.skip("a long test: run it with --long")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The developer's database, settings and .env never reach a test: it starts in a folder of its own."""
    for name in list(os.environ):
        if name.upper() == "DATABASE_URL" or name.upper().startswith(("DB_", "TRDINGER_", "PG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRDINGER_CACHE_DIRECTORY", str(tmp_path / "months"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def engines(pytestconfig: pytest.Config) -> Engines:
    """The engines of this run, for fixtures that keep one for longer than a test."""
    return pytestconfig.stash[ENGINES]


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> EngineUnderTest:
    """Each chosen engine in turn, running."""
    return request.config.stash[ENGINES].running(request.param)


@pytest.fixture
def native(request: pytest.FixtureRequest) -> Native:
    """The native engine alone, running: for tests of what only a server of our own can show."""
    engines = request.config.stash[ENGINES]
    if "native" not in engines.chosen:
        pytest.skip("native: left out by --engine")
    found = engines.running("native")
    assert isinstance(found, Native)
    return found


@pytest.fixture
def database(engine: EngineUnderTest, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database (TimescaleDB in it, no user tables) on each engine in turn.

    Leaves out, in the server's words, what the test's marks `needs` and `many` ask for in vain.
    """
    with engine.empty() as empty:
        _leave_out(request, empty)
        yield empty


@pytest.fixture
def plain_database(engine: EngineUnderTest, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty PostgreSQL database without TimescaleDB, where the engine can give one."""
    with engine.empty(timescaledb=False) as empty:
        _leave_out(request, empty)
        yield empty


@pytest.fixture
def legacy_file(tmp_path: Path) -> Path:
    """A private, writable copy of the real legacy file, which lies beside the checkout."""
    if not LEGACY.exists():
        pytest.skip(f"the real legacy file is not here: {LEGACY}")
    copy = tmp_path / "legacy" / LEGACY.name
    copy.parent.mkdir()
    shutil.copyfile(LEGACY, copy)
    return copy


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'trdinger.db'}"


def _leave_out(request: pytest.FixtureRequest, database: Database) -> None:
    wanted = [feature for mark in request.node.iter_markers("needs") for feature in mark.args]
    if request.node.get_closest_marker("many"):
        wanted.append("many_sessions")
    for feature in wanted:
        if reason := database.capabilities.reason(feature):
            pytest.skip(reason)
