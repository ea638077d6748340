"""The API over the real file, on each engine that it was moved into and over the file itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from conftest import ENGINES, LEGACY
from move.moving import move
from trdinger.api.application import application
from trdinger.api.home import Home, open_home
from trdinger.engine.address import parse_address
from trdinger.engine.connect import ConnectionOptions

FRONT_END = "http://front.example:3000"


@dataclass(frozen=True)
class Asked:
    """An API, and the database behind it."""

    client: TestClient
    engine: sa.Engine
    aware: bool
    """Whether its times have an offset."""

    def __call__(self, path: str, method: str = "GET", **more: Any) -> Any:
        return self.client.request(method, path, **more)


def over(engine: sa.Engine) -> Asked:
    """The API over a database."""
    app = application(Home(engine, "here"), name="Trdinger Trading API", version="1.0.0", origins=[FRONT_END])
    return Asked(TestClient(app, "http://127.0.0.1:8000"), engine, engine.dialect.name != "sqlite")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "moved" in metafunc.fixturenames:
        homes = [*metafunc.config.stash[ENGINES].chosen, "sqlite"]
        metafunc.parametrize("moved", homes, indirect=True, scope="module")


@pytest.fixture(scope="module")
def moved(
    request: pytest.FixtureRequest, engines: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Engine]:
    """What the real file holds, on each engine and in a copy of it; a module's tests share it."""
    if not LEGACY.exists():
        pytest.skip(f"the real legacy file is not here: {LEGACY}")
    file = Path(shutil.copy(LEGACY, tmp_path_factory.mktemp("api") / "trdinger.db"))
    file.chmod(0o644)
    if request.param == "sqlite":
        address = parse_address(f"sqlite:///{file}")
        with open_home(address, ConnectionOptions()) as home:
            yield home._engine
        return
    with engines.running(request.param).empty() as database:
        assert move(file, database).equal
        engine = database.fresh().engine()
        yield engine
        engine.dispose()


@pytest.fixture
def api(moved: sa.Engine) -> Asked:
    """The API over all of the file's rows; for tests that change nothing."""
    return over(moved)


@pytest.fixture
def undone(moved: sa.Engine, tmp_path: Path) -> Iterator[Asked]:
    """The API over all of the file's rows; what a test changes, the next one finds as it was."""
    if moved.dialect.name == "sqlite":
        copy = shutil.copy(str(moved.url.database), tmp_path / "copy.db")
        with open_home(parse_address(f"sqlite:///{copy}"), ConnectionOptions()) as home:
            yield over(home._engine)
        return
    with moved.connect() as connection:
        outer = connection.begin()
        asked = over(moved)
        home = asked.client.app.state.home  # type: ignore[attr-defined]
        home._sessions.configure(bind=connection, join_transaction_mode="create_savepoint")
        yield asked
        outer.rollback()
