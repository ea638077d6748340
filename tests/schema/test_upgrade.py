"""Migrations: the same end on every database, all the way up and all the way down."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from schema.conftest import Objects, differences, upgrade
from trdinger import declaration, schema
from trdinger.engine.connect import Database, sqlite_engine
from trdinger.errors import TargetRefused, UsageError
from trdinger.schema import SchemaDiffers, timescale
from trdinger.schema.models import Base


def test_migrations_on_sqlite_make_what_the_models_say(
    tmp_path: Path, objects: Callable[[Path], Objects]
) -> None:
    migrated, created = _sqlite(tmp_path / "migrated"), _sqlite(tmp_path / "created")
    schema.upgrade(migrated)
    Base.metadata.create_all(created)
    assert objects(tmp_path / "migrated") == objects(tmp_path / "created")
    schema.check(migrated)
    assert (schema.current(migrated),) == schema.heads()


def test_a_legacy_file_stamped_at_head_has_no_difference(legacy_file: Path) -> None:
    engine = _sqlite(legacy_file)
    schema.stamp(engine)
    schema.check(engine)
    with engine.connect() as connection:
        command.check(schema.config(connection))  # what `alembic check` runs


def test_a_legacy_file_is_adopted_as_it_is(legacy_file: Path, objects: Callable[[Path], Objects]) -> None:
    before, rows = objects(legacy_file), _count(legacy_file, "ohlcv_data")
    schema.upgrade(_sqlite(legacy_file))
    schema.check(_sqlite(legacy_file))
    assert objects(legacy_file) == before
    assert _count(legacy_file, "ohlcv_data") == rows


def test_an_older_file_gets_the_tables_that_it_lacks(
    legacy_file: Path, objects: Callable[[Path], Objects]
) -> None:
    complete = objects(legacy_file)
    connection = sqlite3.connect(legacy_file)
    connection.execute("DROP TABLE strategy_showcase")
    connection.execute("DROP TABLE open_interest_data")
    connection.close()
    schema.upgrade(_sqlite(legacy_file))
    assert objects(legacy_file) == complete


def test_downgrade_on_sqlite_takes_ours_and_leaves_the_rest(
    tmp_path: Path, objects: Callable[[Path], Objects]
) -> None:
    engine = _sqlite(tmp_path / "file")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE notes (text TEXT)"))
    schema.upgrade(engine)
    schema.downgrade(engine, "base")
    assert sa.inspect(engine).get_table_names() == ["notes"]


def test_check_says_in_sentences_what_differs_on_sqlite(tmp_path: Path) -> None:
    engine = _sqlite(tmp_path / "file")
    schema.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX idx_timestamp_symbol"))
        connection.execute(sa.text("DROP TABLE strategy_templates"))
    with pytest.raises(SchemaDiffers) as caught:
        schema.check(engine)
    assert caught.value.differences == (
        "Table strategy_templates is missing.",
        "Index idx_template_category on strategy_templates is missing, or differs.",
        "Index idx_template_created on strategy_templates is missing, or differs.",
        "Index idx_template_public on strategy_templates is missing, or differs.",
        "Index idx_timestamp_symbol on ohlcv_data is missing, or differs.",
    )
    assert caught.value.hint


def test_check_before_the_first_migration_says_where_it_stands(tmp_path: Path) -> None:
    with pytest.raises(SchemaDiffers, match="at revision none"):
        schema.check(_sqlite(tmp_path / "file"))


def test_an_unknown_revision_is_the_arguments_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nonsense"):
        schema.upgrade(_sqlite(tmp_path / "file"), "nonsense")


def test_upgrade_ends_where_check_finds_nothing(migrated: Database) -> None:
    assert differences(migrated) == ()
    engine = migrated.engine()
    with engine.connect() as connection:
        command.check(schema.config(connection))
    assert (schema.current(engine),) == schema.heads()
    schema.upgrade(engine)
    engine.dispose()


def test_a_server_without_timescaledb_is_no_difference(
    plain_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade(plain_database)
    assert differences(plain_database) == ()
    if plain_database.fresh().capabilities.timescaledb is None:
        assert "ohlcv_data stays a plain table" in caplog.text


def test_every_step_down_and_up_again_ends_at_the_same_schema(migrated: Database) -> None:
    engine = migrated.engine()
    for revision in ("0002", "0001"):
        schema.downgrade(engine, revision)
        assert schema.current(engine) == revision
    schema.upgrade(engine)
    assert schema.differences(engine) == ()
    engine.dispose()


def test_downgrade_leaves_nothing_of_ours_and_all_of_others(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE notes (text text)")
        extension = connection.execute("SELECT extname FROM pg_extension ORDER BY 1").fetchall()
    upgrade(database)
    engine = database.engine()
    schema.downgrade(engine, "base")
    engine.dispose()
    with database.connect() as connection:
        left = connection.execute(
            "SELECT relname FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')"
        ).fetchall()
        assert left == [("notes",)]
        assert timescale.database_time_zone(connection) is None
        assert connection.execute("SELECT extname FROM pg_extension ORDER BY 1").fetchall() == extension


def test_tables_that_no_migration_made_are_refused_and_left_alone(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE ohlcv_data (id integer PRIMARY KEY)")
    with pytest.raises(TargetRefused, match="ohlcv_data"):
        upgrade(database)
    with database.connect() as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
    assert tables == [("ohlcv_data",)]


def test_a_migration_that_fails_leaves_its_predecessors_end(database: Database) -> None:
    upgrade(database, "0001")
    with database.connect() as connection:
        connection.execute("DROP TABLE open_interest_data")
    if database.capabilities.has("hypertables"):
        with pytest.raises(Exception, match="open_interest_data"):
            upgrade(database)
        engine = database.engine()
        assert schema.current(engine) == "0001"
        engine.dispose()
        with database.connect() as connection:
            hypertables = connection.execute("SELECT FROM timescaledb_information.hypertables").fetchall()
        assert hypertables == []


def test_a_transaction_of_the_callers_is_the_callers_to_commit(database: Database) -> None:
    engine = database.engine()
    with engine.connect() as connection:
        transaction = connection.begin()
        schema.upgrade(connection)
        assert schema.differences(connection) == ()
        transaction.rollback()
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


@pytest.mark.many
def test_two_upgrades_at_once_wait_for_each_other(database: Database) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(database)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert differences(database) == ()


def test_two_upgrades_of_one_file_wait_for_each_other(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            schema.upgrade(_sqlite(tmp_path / "file"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    schema.check(_sqlite(tmp_path / "file"))


def test_series_have_their_natural_key_and_a_generated_id(migrated: Database) -> None:
    engine = migrated.engine()
    inspector = sa.inspect(engine)
    for table, series in declaration.SERIES.items():
        key = inspector.get_pk_constraint(table)
        assert (key["name"], tuple(key["constrained_columns"])) == (f"{table}_pkey", series.key)
        identity = next(column for column in inspector.get_columns(table) if column["name"] == "id")
        assert identity["nullable"] is False
        assert identity["identity"]["always"] is False
        assert not any("id" in index["column_names"] for index in inspector.get_indexes(table))
    engine.dispose()


def _sqlite(file: Path) -> sa.Engine:
    return sqlite_engine(sa.make_url(f"sqlite:///{file}"))


def _count(file: Path, table: str) -> int:
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()
