"""PostgreSQL alone, and a user who may do little: the same rows in plain tables, and that is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engines import Native
from move.moving import Heard, move, planned
from move.oracle import SERIES, count_equal_cells
from trdinger.engine.connect import Database
from trdinger.errors import MissingCapability
from trdinger.move.plan import Existing


@pytest.fixture
def limited(native: Native) -> Iterator[Database]:
    """A database without TimescaleDB, as a user who may make tables in it and nothing else."""
    with native.empty(timescaledb=False) as database:
        name = database.capabilities.database
        native.statement(f"CREATE ROLE {name} LOGIN PASSWORD 'of-no-use'")
        native.statement(f"ALTER DATABASE {name} SET timezone TO 'UTC'")
        with native.admin(name).connect() as connection:
            connection.execute(f"GRANT CREATE ON SCHEMA public TO {name}")
        yield Database(native.owner.set(database=name, username=name, password="of-no-use"))
        with native.admin(name).connect() as connection:
            connection.execute(f"DROP OWNED BY {name}")
        native.statement(f"DROP ROLE {name}")


def test_a_user_who_may_make_no_schema_is_told_what_is_needed(limited: Database, source: Path) -> None:
    with pytest.raises(MissingCapability, match="may not create schemas") as refused:
        planned(source, limited)
    assert "CREATE SCHEMA trdinger_ledger AUTHORIZATION" in (refused.value.hint or "")


def test_the_series_become_plain_tables_and_it_is_said(
    limited: Database, native: Native, source: Path
) -> None:
    name = str(limited.url.database)
    with native.admin(name).connect() as connection:
        connection.execute(f"CREATE SCHEMA trdinger_ledger AUTHORIZATION {name}")
    plan = planned(source, limited)
    assert any(sentence.endswith("The series become plain tables.") for sentence in plan.skipped)
    assert not any(table["hypertable"] for table in plan.as_json()["tables"])
    heard = Heard()
    report = move(source, limited, heard=heard)
    assert report.equal
    assert any(sentence.endswith("The series become plain tables.") for sentence in heard.sentences)
    assert report.skipped == heard.sentences
    assert "without TimescaleDB" in report.server
    assert count_equal_cells(source, limited)
    with psycopg.connect(limited.conninfo) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchone() == (0,)
        keys = connection.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND conrelid::regclass::text = ANY(%s)",
            (list(SERIES),),
        ).fetchone()
    assert keys == (3,)
    again = move(source, limited, existing=Existing.REPLACE)
    assert again.equal


def test_a_server_that_offers_timescaledb_gets_it(plain_database: Database, source: Path) -> None:
    if plain_database.capabilities.installable is None:
        pytest.skip("this server has no TimescaleDB to install")
    plan = planned(source, plain_database)
    assert plan.skipped == (), "its edition is known after the schema stage"
    assert move(source, plain_database).equal
    assert plain_database.fresh().capabilities.has("hypertables")
