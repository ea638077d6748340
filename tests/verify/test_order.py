"""The trap of the declared order: rows sent otherwise are lost to ranges of time, and verify finds it.

`count(*)` is right, nothing is said by the server, and what the application asks for lacks rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import psycopg
import pytest

from engines import EngineUnderTest
from move.moving import move
from trdinger.sample import SampleOptions, write_sample
from verify.conftest import Target

SORTED = "timescaledb.enable_direct_compress_copy_client_sorted"
ROWS = 6_000
RANGE = 290  # rows: many ranges cut through the batches of a thousand
# As the application asks.
ASKED = (
    "SELECT count(*) FROM (SELECT * FROM ohlcv_data WHERE symbol = 'BTC/USDT:USDT' AND timeframe = '1m'"
    " AND timestamp >= %s AND timestamp <= %s ORDER BY timestamp) AS asked"
)
NEWEST = (
    "SELECT timestamp AT TIME ZONE 'UTC' FROM ohlcv_data WHERE symbol = 'BTC/USDT:USDT' AND timeframe = '1m'"
    " ORDER BY timestamp DESC LIMIT 100"
)


@pytest.fixture(scope="module")
def minutes(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One long series, moved as it should be, on a server that takes a promise of sorted rows."""
    source = tmp_path_factory.mktemp("order") / "trdinger.db"
    write_sample(source, SampleOptions(rows=ROWS, symbols=("BTC/USDT:USDT",), timeframes=("1m",)))
    with engine.empty() as database:
        if reason := database.capabilities.reason("compression"):
            pytest.skip(reason)
        with psycopg.connect(database.conninfo) as connection:
            known = connection.execute(
                "SELECT count(*) FROM pg_settings WHERE name = %s", (SORTED,)
            ).fetchone()
        if known != (1,):
            pytest.skip(f"{database.capabilities} knows no {SORTED}.")
        assert move(source, database).equal
        fresh = database.fresh()
        assert fresh.capabilities
        yield Target(source, fresh)


@pytest.mark.parametrize(
    ("declared", "sent"),
    [("timestamp", "DESC"), ("timestamp DESC", "ASC")],
    ids=["sent otherwise than declared", "declared otherwise than sent"],
)
def test_a_misdeclared_order_is_caught(minutes: Target, declared: str, sent: str) -> None:
    with closing(sqlite3.connect(minutes.source)) as file:
        names = [row[1] for row in file.execute("PRAGMA table_info(ohlcv_data)")]
        rows = file.execute(f"SELECT * FROM ohlcv_data ORDER BY timestamp {sent}").fetchall()
    moments = sorted(row[names.index("timestamp")] for row in rows)
    with minutes.connect() as connection:
        _send(connection, names, rows, declared)
        assert _count(connection, "SELECT count(*) FROM ohlcv_data") == ROWS, "counting shows nothing"
        given = sum(
            _count(connection, ASKED, moments[first], moments[min(first + RANGE, ROWS) - 1])
            for first in range(0, ROWS, RANGE)
        )
        newest = [row[0] for row in connection.execute(NEWEST)]
    if given == ROWS and newest == [datetime.fromisoformat(moment) for moment in moments[:-101:-1]]:
        pytest.skip(f"{minutes.database.capabilities} loses nothing to a wrong promise.")
    proof = minutes.verify()
    assert not proof.equal
    found = proof.tables[0]
    assert found.counts["missing"] > 0
    lost = {one.key.rpartition(", ")[2].partition("+")[0] for one in found.shown if one.what == "missing"}
    assert lost <= {moment.partition(".")[0] for moment in moments}


def _count(connection: psycopg.Connection[Any], statement: str, *values: str) -> int:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])


def _send(connection: psycopg.Connection[Any], names: list[str], rows: list[Any], declared: str) -> None:
    """The candles once more, straight into compressed chunks, with the promise that they are sorted."""
    connection.execute("TRUNCATE ohlcv_data")
    connection.execute("ALTER TABLE ohlcv_data DROP CONSTRAINT ohlcv_data_pkey")
    connection.execute(f"ALTER TABLE ohlcv_data SET (timescaledb.compress_orderby = '{declared}')")
    with connection.transaction():
        connection.execute("SET LOCAL timescaledb.enable_direct_compress_copy = on")
        connection.execute(f"SET LOCAL {SORTED} = on")
        with connection.cursor().copy(f"COPY ohlcv_data ({', '.join(names)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    connection.execute(
        "ALTER TABLE ohlcv_data ADD CONSTRAINT ohlcv_data_pkey PRIMARY KEY (symbol, timeframe, timestamp)"
    )
