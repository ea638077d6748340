"""The application's engine and sessions: which database, its tables made when they lack."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engines import Native
from trdinger.declaration import TABLES

NAME = "trdinger.compat.database.connection"


@pytest.fixture
def importing() -> Iterator[Any]:
    """The module as a program imports it that starts now."""
    made = []

    def fresh() -> Any:
        sys.modules.pop(NAME, None)
        made.append(importlib.import_module(NAME))
        return made[-1]

    yield fresh
    for module in made:
        module.engine.dispose()
    sys.modules.pop(NAME, None)


def test_without_a_setting_it_is_the_file_in_the_working_directory(importing: Any, tmp_path: Path) -> None:
    module = importing()
    assert module.DATABASE_URL == "sqlite:///./trdinger.db"
    assert module.test_connection()
    assert not module.check_db_initialized()
    assert module.ensure_db_initialized()
    assert module.check_db_initialized()
    module.init_db()  # alters nothing
    assert (tmp_path / "trdinger.db").exists()
    assert set(sa.inspect(module.engine).get_table_names()) == set(TABLES)
    pool: Any = module.engine.pool
    assert (pool.size(), pool._max_overflow, bool(module.engine.echo)) == (10, 20, False)
    given = module.get_db()
    session = next(given)
    assert session.get_bind() is module.engine
    assert not session.autoflush
    assert session.execute(sa.text("SELECT count(*) FROM ohlcv_data")).scalar() == 0
    assert session.in_transaction()
    given.close()
    assert not session.in_transaction()


def test_dot_env_and_the_parts_of_an_address_are_heard(
    importing: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:///other.db\n", encoding="utf-8")
    assert importing().DATABASE_URL == "sqlite:///other.db"
    (tmp_path / ".env").write_text("DB_HOST=127.0.0.1\nDB_PORT=1\nDB_PASSWORD=s3cret\n", encoding="utf-8")
    module = importing()
    assert module.DATABASE_URL == "postgresql://postgres:s3cret@127.0.0.1:1/trdinger"
    assert not module.test_connection()
    assert not module.check_db_initialized()
    assert not module.ensure_db_initialized()
    monkeypatch.setenv("DATABASE_URL", "sqlite:///third.db")
    assert importing().DATABASE_URL == "sqlite:///third.db"


def test_on_a_server_the_tables_are_our_schema_and_times_are_utc(
    native: Native, importing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with native.empty() as database:
        url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        monkeypatch.setenv("DATABASE_URL", url)
        module = importing()
        assert url == module.DATABASE_URL
        assert module.ensure_db_initialized()
        with module.SessionLocal() as session:
            assert session.execute(sa.text("SHOW timezone")).scalar() == "UTC"
            hypertables = "SELECT count(*) FROM timescaledb_information.hypertables"
            assert session.execute(sa.text(hypertables)).scalar() == 3
        module.init_db()  # alters nothing
        with module.engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE alembic_version"))
        with pytest.raises(Exception, match="no migration made"):
            module.init_db()
        module.engine.dispose()
