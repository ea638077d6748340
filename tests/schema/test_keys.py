"""Keys and indexes around a bulk load, and the ids after it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from schema.conftest import differences
from trdinger import declaration
from trdinger.engine.connect import Database
from trdinger.errors import UsageError
from trdinger.schema import keys

ROW = (
    "INSERT INTO ohlcv_data (id, symbol, timeframe, timestamp, open, high, low, close, volume)"
    " VALUES ({id}, 'BTC/USDT', '1h', '2025-01-01 {hour:02}:00+00', 1, 2, 1, 1.5, 3)"
)
NEXT = "SELECT nextval(pg_get_serial_sequence('ohlcv_data', 'id'))"
ROW_WITHOUT_ID = ROW.replace("(id, ", "(").replace("({id}, ", "(")


@pytest.mark.parametrize("table", list(declaration.SERIES))
def test_what_is_dropped_for_a_load_is_back_after_it(migrated: Database, table: str) -> None:
    with migrated.connect() as connection:
        dropped = keys.drop_for_load(connection, table)
        assert set(dropped) == {f"{table}_pkey", *keys.index_ddl(table)}
        assert keys.drop_for_load(connection, table) == []
        assert _indexes(connection, table) == []
    assert any("no primary key" in sentence for sentence in differences(migrated))
    with migrated.connect() as connection:
        assert keys.restore_after_load(connection, table) == dropped
        assert keys.restore_after_load(connection, table) == []
    assert differences(migrated) == ()


def test_a_load_that_fails_takes_the_drop_back_with_it(migrated: Database) -> None:
    def load() -> None:
        with migrated.connect() as connection:
            keys.drop_for_load(connection, "ohlcv_data")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        load()
    assert differences(migrated) == ()


def test_indexes_of_others_stay(migrated: Database) -> None:
    with migrated.connect() as connection:
        connection.execute("CREATE INDEX theirs ON ohlcv_data (volume)")
        keys.drop_for_load(connection, "ohlcv_data")
        assert _indexes(connection, "ohlcv_data") == ["theirs"]


def test_two_rows_of_one_key_are_refused_when_the_key_comes_back(migrated: Database) -> None:
    with migrated.connect() as connection:
        keys.drop_for_load(connection, "ohlcv_data")
        for number in (1, 2):
            connection.execute(ROW.format(id=number, hour=0))
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            keys.restore_after_load(connection, "ohlcv_data")


@pytest.mark.needs("compression")
def test_the_key_comes_back_over_compressed_chunks_and_refuses_duplicates(migrated: Database) -> None:
    with migrated.connect() as connection:
        keys.drop_for_load(connection, "ohlcv_data")
        connection.execute(ROW.format(id=1, hour=0))
        connection.execute("SELECT compress_chunk(chunk) FROM show_chunks('ohlcv_data') AS chunk")
        keys.restore_after_load(connection, "ohlcv_data")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute(ROW.format(id=2, hour=0))
        ignored = connection.execute(
            ROW.format(id=2, hour=0) + " ON CONFLICT (symbol, timeframe, timestamp) DO NOTHING"
        )
        assert ignored.rowcount == 0


def test_ids_go_on_after_the_highest_present(migrated: Database) -> None:
    with migrated.connect() as connection:
        keys.restart_identity(connection, "ohlcv_data")
        connection.execute(ROW_WITHOUT_ID.format(hour=0))
        connection.execute(ROW.format(id=41, hour=1))
        keys.restart_identity(connection, "ohlcv_data")
        connection.execute(ROW_WITHOUT_ID.format(hour=2))
        ids = connection.execute("SELECT id FROM ohlcv_data ORDER BY timestamp").fetchall()
    assert ids == [(1,), (41,), (42,)]


@pytest.mark.parametrize("table", declaration.TABLES)
def test_ids_of_any_empty_table_begin_at_one(migrated: Database, table: str) -> None:
    with migrated.connect() as connection:
        keys.restart_identity(connection, table)
        sequence = connection.execute("SELECT pg_get_serial_sequence(%s, 'id')", (table,)).fetchone()
        assert sequence is not None
        assert connection.execute("SELECT nextval(%s)", sequence).fetchone() == (1,)


@pytest.mark.parametrize(("highest", "following"), [(-5, 1), (0, 1), (1, 2), (2**63 - 2, 2**63 - 1)])
def test_ids_go_on_after_any_highest(migrated: Database, highest: int, following: int) -> None:
    with migrated.connect() as connection:
        connection.execute(ROW.format(id=highest, hour=0))
        keys.restart_identity(connection, "ohlcv_data")
        assert connection.execute(NEXT).fetchone() == (following,)


def test_after_the_last_bigint_there_is_no_id_and_no_error_before_one_is_wanted(migrated: Database) -> None:
    with migrated.connect() as connection:
        connection.execute(ROW.format(id=2**63 - 1, hour=0))
        keys.restart_identity(connection, "ohlcv_data")
        with pytest.raises(psycopg.errors.SequenceGeneratorLimitExceeded):
            connection.execute(NEXT)


def test_the_small_tables_have_no_key_to_drop(migrated: Database) -> None:
    with migrated.connect() as connection, pytest.raises(UsageError, match="backtest_results"):
        keys.drop_for_load(connection, "backtest_results")


def _indexes(connection: psycopg.Connection[Any], table: str) -> list[str]:
    query = "SELECT indexname FROM pg_indexes WHERE tablename = %s ORDER BY 1"
    return [row[0] for row in connection.execute(query, (table,)).fetchall()]
