"""Bars that the server keeps equal those computed from scratch: before and after a refresh, after late
corrections, at the edges, with gaps."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest

from move.moving import move
from store.test_store import BTC, file, of
from trdinger.declaration import AGGREGATES
from trdinger.engine.connect import Database
from trdinger.errors import MissingCapability
from trdinger.move.plan import Existing
from trdinger.schema import aggregates
from trdinger.schema.upgrade import current, downgrade

__all__ = ["file"]
RULES = {"30m": "30min", "1h": "1h", "1d": "1D", "1w": "W-MON"}


@pytest.fixture
def moved(database: Database, file: Path, tmp_path: Path) -> Database:  # the fixture
    """Candles of 15m and 4h with gaps; every chunk compressed."""
    assert move(Path(shutil.copy(file, tmp_path / "trdinger.db")), database).equal
    return database.fresh()


def refreshed(database: Database, *ends: datetime) -> list[str]:
    with database.connect(autocommit=True) as connection:
        aggregates.create(connection)
        return [one.name for one in aggregates.refresh(connection, *ends)]


def changed(database: Database, *statements: str) -> None:
    with psycopg.connect(database.conninfo) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def expected(database: Database, timeframe: str) -> Any:
    """Bars from scratch, by pandas, of the rows as they are now."""
    with psycopg.connect(database.conninfo) as connection:
        rows = connection.execute(
            "SELECT timestamp, open, high, low, close, volume FROM ohlcv_data"
            " WHERE symbol = %s AND timeframe = '15m' ORDER BY 1",
            (BTC,),
        ).fetchall()
    frame = pd.DataFrame(rows, columns=["timestamp", "open", "high", "low", "close", "volume"])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True)
    grouped = frame.set_index("timestamp").resample(RULES[timeframe], closed="left", label="left")
    bars = grouped.agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
    return bars.assign(bars=grouped["open"].count())[grouped["open"].count() > 0]


def check(database: Database, source: str, **range_: datetime) -> None:
    """Every timeframe is right, and comes from where it should."""
    for timeframe in RULES:
        with of(database) as store:
            frame = store.candles(BTC, timeframe, **range_)
            every = store.candles_of(None, timeframe, **range_)
        assert every.metadata == frame.metadata == {"source": source, "from": "15m"}, timeframe
        found, wanted = frame.to_pandas(), expected(database, timeframe)
        rows = every.to_pandas()
        rows = rows[rows["symbol"] == BTC].drop(columns=["symbol", "volume"])
        assert rows.equals(found.drop(columns="volume"))
        if range_:
            wanted = wanted[(wanted.index >= range_["start"]) & (wanted.index < range_["end"])]
        assert list(found.index) == list(wanted.index), timeframe
        for name in ("open", "high", "low", "close", "bars"):
            assert (found[name] == wanted[name]).all(), (timeframe, name)
        assert np.allclose(found["volume"], wanted["volume"], rtol=1e-12, atol=0)


@pytest.mark.needs("continuous_aggregates")
def test_kept_bars_are_those_from_scratch_whatever_happens(moved: Database) -> None:
    check(moved, "derived")
    with moved.connect(autocommit=True) as connection:
        assert aggregates.create(connection) == [aggregate.name for aggregate in AGGREGATES]
        assert aggregates.create(connection) == []
    check(moved, "aggregate")
    assert refreshed(moved) == [aggregate.name for aggregate in AGGREGATES]
    check(moved, "aggregate")
    middle = expected(moved, "1w").index[2].to_pydatetime()
    later = middle + timedelta(days=14)
    # A correction, a late bar and a bar that goes, far below what was materialised, in compressed chunks.
    day = f"{middle + timedelta(days=1):%Y-%m-%d}"
    changed(
        moved,
        f"UPDATE ohlcv_data SET high = 1e9 WHERE symbol = '{BTC}' AND timeframe = '15m'"
        " AND timestamp = (SELECT min(timestamp) FROM ohlcv_data"
        f" WHERE symbol = '{BTC}' AND timeframe = '15m'"
        f" AND timestamp >= '{day} 05:00+00')",
        f"DELETE FROM ohlcv_data WHERE symbol = '{BTC}' AND timeframe = '15m'"
        f" AND timestamp >= '{day} 07:00+00' AND timestamp < '{day} 09:00+00'",
        "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        f" VALUES ('{BTC}', '15m', '{day} 08:15+00', 3, 4, 2, 3.5, 7)",
    )
    check(moved, "derived")
    check(moved, "aggregate", start=later, end=later + timedelta(days=7))
    assert refreshed(moved, middle, later)
    check(moved, "aggregate")
    # What comes after the last refresh shows at once.
    last = expected(moved, "30m").index[-1] + timedelta(hours=5)
    changed(
        moved,
        "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        f" VALUES ('{BTC}', '15m', '{last.isoformat()}', 3, 4, 2, 3.5, 7)",
    )
    check(moved, "aggregate")


@pytest.mark.needs("continuous_aggregates")
def test_a_part_that_was_never_refreshed_is_not_taken_from_the_aggregate(moved: Database) -> None:
    weeks = expected(moved, "1w").index
    assert refreshed(moved, weeks[2].to_pydatetime(), datetime.now(UTC))
    check(moved, "aggregate", start=weeks[2].to_pydatetime(), end=weeks[4].to_pydatetime())
    check(moved, "derived")


@pytest.mark.needs("continuous_aggregates")
def test_they_go_with_the_rows_that_they_tell_of(moved: Database, file: Path, tmp_path: Path) -> None:
    refreshed(moved)
    assert move(tmp_path / "trdinger.db", moved, existing=Existing.REPLACE).equal
    with moved.connect() as connection:
        assert aggregates.present(connection) == ()
    refreshed(moved)
    engine = moved.fresh().engine()
    try:
        downgrade(engine, "base")
        assert current(engine) is None
    finally:
        engine.dispose()


def test_where_there_can_be_none_that_is_said(database: Database) -> None:
    if database.capabilities.has("continuous_aggregates"):
        pytest.skip("this server has them")
    with database.connect() as connection, pytest.raises(MissingCapability, match="Continuous aggregates"):
        aggregates.create(connection)
