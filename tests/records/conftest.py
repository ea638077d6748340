"""Sessions over each engine and over a file that the existing application's own models made, all empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from conftest import ENGINES
from schema import legacy_application as application
from schema.conftest import upgrade
from trdinger.declaration import TABLES

Ask = Callable[[str], list[tuple[Any, ...]]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "home" in metafunc.fixturenames:
        homes = [*metafunc.config.stash[ENGINES].chosen, "sqlite"]
        metafunc.parametrize("home", homes, indirect=True, scope="module")


@pytest.fixture(scope="module")
def home(
    request: pytest.FixtureRequest, engines: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Engine]:
    """A database with all tables, on each engine and in a file; the tests of a module share it."""
    if request.param == "sqlite":
        engine = sa.create_engine(f"sqlite:///{tmp_path_factory.mktemp('home') / 'trdinger.db'}")
        application.Base.metadata.create_all(engine)
        yield engine
        engine.dispose()
        return
    with engines.running(request.param).empty() as database:
        upgrade(database)
        engine = database.engine()
        yield engine
        engine.dispose()


@pytest.fixture
def session(home: sa.Engine) -> Iterator[Session]:
    """A session as the application's are: no autoflush. Every table is empty."""
    with Session(home, autoflush=False) as session:
        for table in reversed(TABLES):
            session.execute(sa.text(f"DELETE FROM {table}"))
        session.commit()
        yield session
        session.rollback()


@pytest.fixture
def ask(session: Session) -> Ask:
    """What plain SQL says, in the session's transaction."""
    return lambda statement: [tuple(row) for row in session.execute(sa.text(statement))]
