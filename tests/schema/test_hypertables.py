"""Series as hypertables: declared, compared, applied later, and taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from schema.conftest import differences, upgrade
from trdinger import declaration, schema
from trdinger.engine.connect import Database
from trdinger.schema import timescale
from trdinger.schema.timescale import Compression

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.needs("hypertables")
def test_upgrade_makes_every_series_what_is_declared(migrated: Database) -> None:
    with migrated.connect() as connection:
        compressing = migrated.capabilities.has("compression")
        for table, series in declaration.SERIES.items():
            state = timescale.hypertable(connection, table)
            assert state is not None
            assert (state.by, state.chunk_interval) == (series.time, series.chunk_interval)
            expected = Compression(series.segment_by, series.order_by) if compressing else None
            assert state.compression == expected


@pytest.mark.needs("hypertables")
def test_check_finds_a_declared_hypertable_that_is_none_and_apply_makes_it_one(database: Database) -> None:
    _plain_at_head(database)
    assert differences(database)[:1] == (
        "funding_rate_data is no hypertable partitioned by funding_timestamp.",
    )
    assert len(differences(database)) == 3
    with database.connect() as connection:
        changed = schema.apply(connection)
        assert "ohlcv_data is a hypertable with chunks of 90 days." in changed
    assert differences(database) == ()
    with database.connect() as connection:
        assert schema.apply(connection) == []


@pytest.mark.needs("hypertables")
def test_apply_leaves_a_plain_table_with_rows_alone_and_says_so(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    _plain_at_head(database)
    with database.connect() as connection:
        _insert_days(connection, 3)
        schema.apply(connection)
    assert "ohlcv_data holds rows and is no hypertable" in caplog.text
    assert differences(database) == ("ohlcv_data is no hypertable partitioned by timestamp.",)
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM ohlcv_data").fetchone() == (3,)


@pytest.mark.needs("hypertables")
def test_another_chunk_interval_is_found_and_applied(migrated: Database) -> None:
    with migrated.connect() as connection:
        timescale.set_chunk_interval(connection, "ohlcv_data", timedelta(days=7))
    assert differences(migrated) == (
        "ohlcv_data has chunks of 7 days, 0:00:00 and should have 90 days, 0:00:00.",
    )
    with migrated.connect() as connection:
        assert schema.apply(connection) == ["New chunks of ohlcv_data span 90 days."]
    assert differences(migrated) == ()


@pytest.mark.needs("compression")
@pytest.mark.parametrize(
    ("segment_by", "order_by"), [(["symbol"], "timestamp"), (["symbol", "timeframe"], "timestamp DESC")]
)
def test_other_compression_settings_are_found_and_applied(
    migrated: Database, segment_by: list[str], order_by: str
) -> None:
    with migrated.connect() as connection:
        timescale.set_compression(connection, "ohlcv_data", segment_by=segment_by, order_by=order_by)
    assert differences(migrated) == (
        f"ohlcv_data is compressed by {', '.join(segment_by)}, ordered by {order_by}"
        " and should be compressed by symbol, timeframe, ordered by timestamp.",
    )
    with migrated.connect() as connection:
        schema.apply(connection)
    assert differences(migrated) == ()


@pytest.mark.needs("compression")
def test_compression_switched_off_is_found_and_applied(migrated: Database) -> None:
    with migrated.connect() as connection:
        _insert_days(connection, 10)
        connection.execute("SELECT compress_chunk(chunk) FROM show_chunks('ohlcv_data') AS chunk")
        assert timescale.drop_compression(connection, "ohlcv_data")
        assert connection.execute("SELECT count(*) FROM ohlcv_data").fetchone() == (10,)
    assert differences(migrated) == (
        "ohlcv_data is not set to be compressed and should be compressed by symbol, timeframe,"
        " ordered by timestamp.",
    )
    with migrated.connect() as connection:
        schema.apply(connection)
    assert differences(migrated) == ()


@pytest.mark.needs("compression")
def test_check_finds_nothing_in_a_compressed_copy(migrated: Database) -> None:
    with migrated.connect() as connection:
        _insert_days(connection, 400)
        connection.execute("SELECT compress_chunk(chunk) FROM show_chunks('ohlcv_data') AS chunk")
    assert differences(migrated) == ()


@pytest.mark.needs("hypertables")
def test_the_time_index_that_timescaledb_makes_by_default_is_not_ours_to_drop(database: Database) -> None:
    _plain_at_head(database)
    with database.connect() as connection:
        connection.execute(
            "SELECT create_hypertable('ohlcv_data', by_range('timestamp', INTERVAL '90 days'))"
        )
        assert connection.execute("SELECT to_regclass('ohlcv_data_timestamp_idx')").fetchone() != (None,)
        schema.apply(connection)
    assert differences(database) == ()


def test_another_primary_key_is_found(migrated: Database) -> None:
    with migrated.connect() as connection:
        connection.execute("ALTER TABLE ohlcv_data DROP CONSTRAINT ohlcv_data_pkey")
    assert differences(migrated) == (
        "ohlcv_data has no primary key and should have (symbol, timeframe, timestamp).",
    )
    with migrated.connect() as connection:
        connection.execute("ALTER TABLE ohlcv_data ADD PRIMARY KEY (timestamp, symbol, timeframe)")
    assert differences(migrated) == (
        "ohlcv_data has the primary key (timestamp, symbol, timeframe)"
        " and should have (symbol, timeframe, timestamp).",
    )


def test_an_index_that_only_sqlite_should_have_is_found(migrated: Database) -> None:
    with migrated.connect() as connection:
        connection.execute("CREATE INDEX ix_ohlcv_data_symbol ON ohlcv_data (symbol)")
    assert differences(migrated) == ("Index ix_ohlcv_data_symbol on ohlcv_data is surplus, or differs.",)


def test_another_time_zone_of_the_database_is_found_and_applied(migrated: Database) -> None:
    with migrated.connect() as connection:
        timescale.set_database_time_zone(connection, "Asia/Tokyo")
    assert differences(migrated) == ("The database's time zone is Asia/Tokyo and should be UTC.",)
    with migrated.connect() as connection:
        assert schema.apply(connection) == ["New sessions of the database speak UTC."]
    assert differences(migrated) == ()


@pytest.mark.needs("hypertables")
@pytest.mark.parametrize("compressed", [False, True])
def test_a_hypertable_taken_back_keeps_rows_keys_indexes_and_next_id(
    migrated: Database, *, compressed: bool
) -> None:
    if compressed and not migrated.capabilities.has("compression"):
        pytest.skip(migrated.capabilities.reason("compression"))
    with migrated.connect() as connection:
        _insert_days(connection, 200)
        before = connection.execute("SELECT * FROM ohlcv_data ORDER BY id").fetchall()
        if compressed:
            connection.execute("SELECT compress_chunk(chunk) FROM show_chunks('ohlcv_data') AS chunk")
    engine = migrated.engine()
    schema.downgrade(engine, "0001")
    engine.dispose()
    with migrated.connect() as connection:
        assert timescale.hypertable(connection, "ohlcv_data") is None
        assert connection.execute("SELECT * FROM ohlcv_data ORDER BY id").fetchall() == before
        _insert_days(connection, 1, after=200)
        assert connection.execute("SELECT max(id) FROM ohlcv_data").fetchone() == (201,)
        indexes = connection.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'ohlcv_data' ORDER BY 1"
        ).fetchall()
        assert indexes == [("idx_ohlcv_newest",), ("ohlcv_data_pkey",)]


def _plain_at_head(database: Database) -> None:
    """A database whose migrations ran before the server had TimescaleDB."""
    upgrade(database, "0001")
    engine = database.engine()
    schema.stamp(engine)
    engine.dispose()
    with database.connect() as connection:
        timescale.set_database_time_zone(connection, "UTC")


def _insert_days(connection: psycopg.Connection[object], days: int, *, after: int = 0) -> None:
    connection.execute(
        "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        " SELECT 'BTC/USDT', '1d', %s::timestamptz + (day * INTERVAL '1 day'), 1, 2, 1, 1.5, day"
        " FROM generate_series(%s::int, %s::int) AS day ORDER BY day",
        (START, after + 1, after + days),
    )
