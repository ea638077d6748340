"""What a plan refuses, in words, and that it writes nothing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engines import Native
from move.moving import Heard, move, planned
from move.oracle import TABLES
from trdinger.engine.connect import Database
from trdinger.errors import MissingCapability, SourceError, TargetRefused
from trdinger.move.plan import Existing
from trdinger.move.run import migrate


def test_a_plan_says_what_would_happen_and_writes_nothing(database: Database, source: Path) -> None:
    before = _catalog(database)
    files = sorted(source.parent.iterdir())
    told = json.loads(json.dumps(planned(source, database).as_json()))
    assert [table["table"] for table in told["tables"]] == list(TABLES)
    candles = told["tables"][0]
    assert (candles["rows"], len(candles["series"])) == (3_000, 4)
    assert sum(series["rows"] for series in candles["series"]) == 3_000
    assert candles["hypertable"] is database.capabilities.has("hypertables")
    assert told["goes_on_with"] is None
    assert told["backup_bytes"] >= source.stat().st_size
    assert bool(told["skipped"]) is not database.capabilities.has("compression")
    assert _catalog(database) == before
    assert sorted(source.parent.iterdir()) == files


def test_a_target_with_tables_of_others_is_refused_unless_told_to_keep_them(
    database: Database, source: Path
) -> None:
    _execute(
        database, "CREATE TABLE orders (id int)", "INSERT INTO orders VALUES (7)", 'CREATE TABLE "a b" ()'
    )
    with pytest.raises(TargetRefused, match=r"already holds 2 other table\(s\) \(a b, orders\)") as refused:
        planned(source, database)
    assert refused.value.hint
    assert "--existing keep" in refused.value.hint
    assert move(source, database, existing=Existing.KEEP).equal
    assert _value(database, "SELECT id FROM orders") == 7


def test_a_target_with_rows_of_another_file_is_refused_and_can_be_replaced(
    database: Database, source: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "trdinger.db"
    other.parent.mkdir()
    other.write_bytes(source.read_bytes())
    with closing(sqlite3.connect(other)) as file:
        file.execute("DELETE FROM ohlcv_data WHERE symbol LIKE 'ETH%'")
        file.commit()
    assert move(other, database).equal
    for existing in (Existing.REFUSE, Existing.KEEP):
        with pytest.raises(
            TargetRefused, match="already holds rows in ohlcv_data, funding_rate_data"
        ) as full:
            planned(source, database, existing=existing)
        assert "--existing replace" in (full.value.hint or "")
    _execute(database, "UPDATE trdinger_ledger.move SET finished = NULL")
    with pytest.raises(
        TargetRefused, match=r"holds an unfinished move of .*other/trdinger\.db"
    ) as unfinished:
        planned(source, database)
    assert f"trdinger migrate {other}" in (unfinished.value.hint or "")
    assert _value(database, "SELECT count(*) FROM ohlcv_data") < 3_000
    report = move(source, database, existing=Existing.REPLACE)
    assert report.equal
    assert _value(database, "SELECT count(*) FROM ohlcv_data") == 3_000
    assert list(other.with_name("trdinger-move").glob("*.db")), "the other's backup stays"


def test_tables_by_our_names_that_no_migration_made_are_refused_even_to_replace(
    database: Database, source: Path
) -> None:
    _execute(database, "CREATE TABLE ohlcv_data (mine text)", "INSERT INTO ohlcv_data VALUES ('kept')")
    with pytest.raises(TargetRefused, match="already holds rows in ohlcv_data"):
        planned(source, database)
    plan = planned(source, database, existing=Existing.REPLACE)
    with pytest.raises(TargetRefused, match="no migration made"):
        migrate(plan, Heard())
    assert _value(database, "SELECT mine FROM ohlcv_data") == "kept"


def test_a_column_that_trdinger_does_not_know_is_refused_until_it_is_left_out_knowingly(
    database: Database, source: Path
) -> None:
    with closing(sqlite3.connect(source)) as file:
        file.execute('CREATE TABLE "my notes" (text)')
        file.execute("ALTER TABLE ga_experiments ADD COLUMN mood TEXT")
        file.execute("CREATE VIEW newest AS SELECT max(timestamp) FROM ohlcv_data")
    with pytest.raises(SourceError, match=r"does not know: ga_experiments\.mood\.") as unknown:
        planned(source, database)
    assert unknown.value.hint
    assert "--leave-out ga_experiments.mood" in unknown.value.hint
    assert planned(source, database, left_out=("ga_experiments",)).left_out[0] == "ga_experiments"
    report = move(source, database, left_out=("my notes", "ga_experiments.mood"))
    assert report.equal
    assert report.as_json()["left_out"] == ["ga_experiments.mood", "view newest", "table my notes"]


def test_a_file_without_some_tables_and_columns_moves_with_what_it_has(
    database: Database, source: Path
) -> None:
    with closing(sqlite3.connect(source)) as file:
        file.execute("DROP TABLE strategy_templates")
        file.execute("ALTER TABLE funding_rate_data DROP COLUMN index_price")
        file.execute("ALTER TABLE strategy_showcase DROP COLUMN win_rate")
        file.commit()
    told = planned(source, database).as_json()
    assert told["missing_tables"] == ["strategy_templates"]
    assert {
        table["table"]: table["absent_columns"] for table in told["tables"] if table["absent_columns"]
    } == {
        "funding_rate_data": ["index_price"],
        "strategy_showcase": ["win_rate"],
    }
    assert move(source, database).equal
    assert _value(database, "SELECT count(*) FROM funding_rate_data WHERE index_price IS NULL") == 360
    assert _value(database, "SELECT bool_and(win_rate IS NULL) FROM strategy_showcase")


def test_a_database_that_cannot_hold_every_character_is_refused(native: Native, source: Path) -> None:
    name = native.unused_name()
    native.statement(
        f"CREATE DATABASE {name} TEMPLATE template0 OWNER trdinger"
        " ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    try:
        with pytest.raises(MissingCapability, match="stores text as LATIN1") as refused:
            planned(source, Database(native.owner.set(database=name)))
        assert refused.value.hint == "Create the database with ENCODING 'UTF8'."
    finally:
        native.drop(name)


def test_a_database_that_is_read_only_is_refused(native: Native, source: Path) -> None:
    with native.empty() as database:
        name = database.capabilities.database
        _execute(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        with pytest.raises(MissingCapability, match="is read-only"):
            planned(source, database)


def _catalog(database: Database) -> list[Any]:
    """Everything that a plan could have made: relations, schemas, functions, settings, extensions."""
    with psycopg.connect(database.conninfo) as connection:
        return [
            connection.execute(query).fetchall()
            for query in (
                "SELECT oid, relname FROM pg_class ORDER BY oid",
                "SELECT oid, nspname FROM pg_namespace ORDER BY oid",
                "SELECT oid, proname FROM pg_proc ORDER BY oid",
                "SELECT setdatabase, setconfig FROM pg_db_role_setting ORDER BY 1",
                "SELECT extname, extversion FROM pg_extension ORDER BY 1",
            )
        ]


def _execute(database: Database, *statements: str) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _value(database: Database, query: str) -> Any:
    with psycopg.connect(database.conninfo) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
