"""The drivers that this project and the existing application use, against the embedded TimescaleDB."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import adbc_driver_postgresql.dbapi as adbc
import pgpq
import psycopg
import psycopg2
import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from engines import laid
from trdinger.engine.embedded import Running, running

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(laid(tmp_path_factory.mktemp("clients"))) as server:
        yield server


@pytest.fixture
def conninfo(server: Running) -> str:
    return server.url.replace("+psycopg", "")


@pytest.fixture(autouse=True)
def bars(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bars")
        connection.execute(
            "CREATE TABLE bars (timestamp timestamptz NOT NULL, symbol text NOT NULL, close float8, "
            "note text)"
        )


def table(rows: int) -> pa.Table:
    return pa.table(
        {
            "timestamp": pa.array(
                [START + timedelta(minutes=i) for i in range(rows)], pa.timestamp("us", "UTC")
            ),
            "symbol": pa.array(["BTC/USDT"] * rows),
            "close": pa.array([100 + i / 7 for i in range(rows)]),
            "note": pa.array([None if i % 3 else f"näive {i}" for i in range(rows)], pa.string()),
        }
    )


class TestPsycopg:
    def test_values_times_and_parameters_come_back_as_they_went(self, conninfo: str) -> None:
        with psycopg.connect(conninfo, application_name="a test") as connection:
            row = connection.execute(
                "SELECT %s::timestamptz, %s::float8, %s::jsonb, %s::text, "
                "current_setting('application_name')",
                (START, 0.1, '{"a": [1, null]}', None),
            ).fetchone()
            assert row == (START, 0.1, {"a": [1, None]}, None, "a test")

    def test_a_changed_time_zone_is_told_to_the_driver(self, conninfo: str) -> None:
        with psycopg.connect(conninfo) as connection:
            assert str(connection.info.timezone) == "UTC"
            connection.execute("SET TIME ZONE 'Asia/Tokyo'")
            assert str(connection.info.timezone) == "Asia/Tokyo"
            connection.rollback()
            assert str(connection.info.timezone) == "UTC"
            connection.execute("SELECT set_config('TimeZone', 'Europe/Paris', false)")
            assert str(connection.info.timezone) == "Europe/Paris"

    def test_prepared_statements_server_cursors_and_pipelines_work(self, conninfo: str) -> None:
        with psycopg.connect(conninfo) as connection:
            connection.prepare_threshold = 0
            assert [connection.execute("SELECT %s::int", (i,)).fetchone() for i in range(10)] == [
                (i,) for i in range(10)
            ]
            with connection.cursor("server side") as cursor:
                cursor.itersize = 7
                cursor.execute("SELECT generate_series(1, 100)")
                assert len(list(cursor)) == 100
            with connection.pipeline():
                cursors = [connection.execute("SELECT %s::int", (i,)) for i in range(50)]
                assert [cursor.fetchone() for cursor in cursors] == [(i,) for i in range(50)]

    def test_an_error_in_a_pipeline_skips_to_its_end_and_the_connection_lives(self, conninfo: str) -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline():  # noqa: PT012
                connection.execute("SELECT 1")
                connection.execute("SELECT 1 / 0")
                connection.execute("SELECT 2")
            assert connection.execute("SELECT 3").fetchone() == (3,)

    @pytest.mark.parametrize("options", ["", "(FORMAT csv)", "(FORMAT binary)"])
    def test_copy_out_and_in_again_keeps_every_value(self, conninfo: str, options: str) -> None:
        with psycopg.connect(conninfo) as connection:
            connection.execute(
                "INSERT INTO bars SELECT %s::timestamptz + i * interval '1 min', 'é' || i, i / 7.0, "
                "CASE WHEN i %% 2 = 0 THEN E'tab\\tnewline\\n' END FROM generate_series(1, 5000) i",
                (START,),
            )
            before = connection.execute("SELECT * FROM bars ORDER BY 1").fetchall()
            with connection.cursor().copy(f"COPY bars TO STDOUT {options}") as copy:
                data = list(copy)
            connection.execute("TRUNCATE bars")
            with connection.cursor().copy(f"COPY bars FROM STDIN {options}") as copy:
                for piece in data:
                    copy.write(piece)
            assert connection.execute("SELECT * FROM bars ORDER BY 1").fetchall() == before

    def test_pgpqs_binary_copy_goes_into_a_compressed_hypertable(self, conninfo: str) -> None:
        with psycopg.connect(conninfo) as connection:
            connection.execute("SELECT create_hypertable('bars', by_range('timestamp', interval '7 days'))")
            connection.execute(
                "ALTER TABLE bars SET (timescaledb.compress, timescaledb.compress_segmentby = 'symbol')"
            )
            data = table(50_000)
            encoder = pgpq.ArrowToPostgresBinaryEncoder(data.schema)
            with connection.cursor().copy("COPY bars FROM STDIN (FORMAT binary)") as copy:
                copy.write(encoder.write_header())
                for batch in data.to_batches(max_chunksize=10_000):
                    copy.write(encoder.write_batch(batch))
                copy.write(encoder.finish())
            compressed = connection.execute(
                "SELECT count(compress_chunk(c)) FROM show_chunks('bars') c"
            ).fetchone()
            assert compressed == (6,)
            assert connection.execute("SELECT count(*), count(note) FROM bars").fetchone() == (50_000, 16_667)

    def test_an_error_in_a_copy_rolls_back_to_the_savepoint(self, conninfo: str) -> None:
        with psycopg.connect(conninfo) as connection:
            connection.execute("INSERT INTO bars VALUES (now(), 'kept')")
            with (  # noqa: PT012
                pytest.raises(psycopg.errors.NotNullViolation),
                connection.transaction(),
                connection.cursor().copy("COPY bars (timestamp, symbol) FROM STDIN") as copy,
            ):
                for _ in range(1000):
                    copy.write_row((START, "lost"))
                copy.write_row((START, None))
                for _ in range(100_000):
                    copy.write_row((START, "late"))
            assert connection.execute("SELECT array_agg(symbol) FROM bars").fetchone() == (["kept"],)


class TestSqlAlchemy:
    def test_a_pool_of_one_with_savepoints(self, server: Running) -> None:
        engine = sa.create_engine(server.url, poolclass=QueuePool, pool_size=1, max_overflow=0)
        try:
            with engine.begin() as connection:
                connection.execute(sa.text("INSERT INTO bars VALUES (now(), 'outer')"))
                with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
                    connection.execute(sa.text("INSERT INTO bars VALUES (now(), NULL)"))
                with connection.begin_nested():
                    connection.execute(sa.text("INSERT INTO bars VALUES (now(), 'inner')"))
            with engine.connect() as connection:
                found = connection.execute(sa.text("SELECT symbol FROM bars ORDER BY 1")).scalars().all()
                assert found == ["inner", "outer"]
                assert "bars" in sa.inspect(connection).get_table_names()
        finally:
            engine.dispose()

    def test_the_existing_applications_driver_works_too(self, server: Running) -> None:
        engine = sa.create_engine(server.url.replace("+psycopg", "+psycopg2"), poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO bars VALUES (:t, 'psycopg2')"), [{"t": START}] * 3)
            assert connection.execute(sa.text("SELECT count(*) FROM bars")).scalar() == 3


def test_psycopg2_reads_writes_and_copies(conninfo: str) -> None:
    connection = psycopg2.connect(conninfo)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO bars VALUES (%s, %s, %s, %s)", (START, "BTC", 1.5, "ü"))
            cursor.execute("SELECT * FROM bars")
            assert cursor.fetchall() == [(START, "BTC", 1.5, "ü")]
    finally:
        connection.close()


class TestAdbc:
    def test_arrow_goes_in_and_comes_out_as_it_was(self, conninfo: str) -> None:
        data = table(40_000)
        with adbc.connect(conninfo) as connection, connection.cursor() as cursor:
            assert cursor.adbc_ingest("bars", data, mode="append") == 40_000
            connection.commit()
            cursor.execute("SELECT * FROM bars ORDER BY timestamp")
            assert cursor.fetch_arrow_table().equals(data)

    def test_a_refused_batch_leaves_the_connection_usable(self, conninfo: str) -> None:
        data = table(2000).set_column(1, "symbol", pa.array([None] * 2000, pa.string()))
        with adbc.connect(conninfo) as connection, connection.cursor() as cursor:
            with pytest.raises(adbc.Error):
                cursor.adbc_ingest("bars", data, mode="append")
            connection.rollback()
            cursor.execute("SELECT count(*) FROM bars")
            assert cursor.fetchone() == (0,)


def test_psql_describes_runs_and_copies(conninfo: str) -> None:
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("psql is not installed")
    script = "\\d bars\n\\copy bars (timestamp, symbol) FROM STDIN\n2024-01-01\tBTC\n\\.\n"
    script += "TABLE bars;\nSELECT 1/0;\n"
    done = subprocess.run(
        [psql, "-X", conninfo], input=script, capture_output=True, text=True, timeout=30, check=False
    )
    assert "timestamp with time zone" in done.stdout
    assert "COPY 1" in done.stdout
    assert "2024-01-01 00:00:00+00" in done.stdout
    assert done.stderr.strip() == "ERROR:  division by zero"


def test_community_functions_answer(conninfo: str) -> None:
    """Hypertables, compression, continuous aggregates, gap filling, policies run by hand, dropping chunks."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        run = connection.execute
        run("SELECT create_hypertable('bars', by_range('timestamp', interval '1 day'))")
        run(
            "INSERT INTO bars SELECT %s::timestamptz + i * interval '1 min', 'B', i "
            "FROM generate_series(0, 5000) i",
            (START,),
        )
        run("ALTER TABLE bars SET (timescaledb.compress, timescaledb.compress_segmentby = 'symbol')")
        assert run("SELECT count(compress_chunk(c)) FROM show_chunks('bars') c").fetchone() == (4,)
        run(
            "CREATE MATERIALIZED VIEW hours WITH (timescaledb.continuous) AS "
            "SELECT time_bucket('1 hour', timestamp) AS t, symbol, "
            "last(close, timestamp) AS close FROM bars GROUP BY 1, 2"
        )
        hours = [t for (t,) in run("SELECT t FROM hours ORDER BY t").fetchall()]
        assert {b - a for a, b in pairwise(hours)} == {timedelta(hours=1)}
        gaps = run(
            "SELECT count(*), count(locf) FROM (SELECT time_bucket_gapfill('1 hour', timestamp) t, "
            "locf(last(close, timestamp)) FROM bars WHERE timestamp >= %s AND timestamp < %s GROUP BY 1) x",
            (START - timedelta(hours=2), START + timedelta(hours=2)),
        ).fetchone()
        assert gaps == (4, 2)
        job = run("SELECT add_retention_policy('bars', interval '1 hour')").fetchone()
        assert job is not None
        run("CALL run_job(%s)", job)
        assert run("SELECT count(*) FROM bars").fetchone() == (0,)
        run("DROP MATERIALIZED VIEW hours")
