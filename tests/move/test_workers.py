"""Several connections copy at once: a series by one of them, in its order; an error of one ends them all."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from engines import EngineUnderTest
from move.moving import SMALL, move, planned
from move.oracle import count_equal_cells
from trdinger.declaration import TABLES
from trdinger.engine.connect import Database
from trdinger.errors import TargetError
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.units import SeriesUnit, units
from trdinger.move.workers import connections, lanes
from trdinger.schema.apply import apply
from trdinger.schema.upgrade import upgrade

_WITNESS = """
CREATE SCHEMA aside;
CREATE TABLE aside.seen (backend int, symbol text, timeframe text);
CREATE FUNCTION aside.saw() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.0005); INSERT INTO aside.seen VALUES (pg_backend_pid(), NEW.symbol, NEW.timeframe);
RETURN NEW; END $$;
CREATE TRIGGER saw BEFORE INSERT ON ohlcv_data FOR EACH ROW EXECUTE FUNCTION aside.saw();
"""
_REFUSING = """
CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.symbol LIKE 'ETH%' THEN RAISE 'no room for %', NEW.symbol; END IF; RETURN NEW; END $$;
CREATE TRIGGER refusing BEFORE INSERT ON ohlcv_data FOR EACH ROW EXECUTE FUNCTION refused();
"""


def prepared(database: Database, statements: str) -> None:
    """The empty tables of a move, with something of the test's own."""
    engine = database.engine()
    upgrade(engine)
    engine.dispose()
    with database.fresh().connect() as connection:
        apply(connection)
        connection.execute(statements.encode())


def test_a_lane_is_a_whole_series_in_its_order_and_the_small_tables_are_one(source: Path) -> None:
    every = list(units(survey(Source(source)), SMALL))
    found = lanes(every)
    assert sorted(map(id, every)) == sorted(id(unit) for lane in found for unit in lane)
    assert [sum(unit.rows for unit in lane) for lane in found] == sorted(
        (sum(unit.rows for unit in lane) for lane in found), reverse=True
    )
    for lane in found:
        assert [unit for unit in every if unit in lane] == lane
        whose = {(unit.table.shape.name, unit.span.segment) for unit in lane if isinstance(unit, SeriesUnit)}
        assert len(whose) == (1 if isinstance(lane[0], SeriesUnit) else 0)
    (small,) = [lane for lane in found if not isinstance(lane[0], SeriesUnit)]
    assert [TABLES.index(unit.table.shape.name) for unit in small] == sorted(
        TABLES.index(unit.table.shape.name) for unit in small
    )


def test_a_server_of_one_session_gets_one_connection(engine: EngineUnderTest) -> None:
    with engine.empty() as database:
        used = connections(database.capabilities)
    assert (used == 1) is (engine.name == "embedded")
    assert used <= 4


@pytest.mark.many
def test_several_connections_copy_and_each_series_comes_by_one(database: Database, source: Path) -> None:
    prepared(database, _WITNESS)
    assert move(source, database).equal
    with database.connect() as connection:
        seen = connection.execute(
            "SELECT symbol, timeframe, array_agg(DISTINCT backend) FROM aside.seen GROUP BY 1, 2"
        ).fetchall()
    assert len(seen) == 4
    assert [len(backends) for *_, backends in seen] == [1] * 4
    assert len({backends[0] for *_, backends in seen}) > 1
    assert count_equal_cells(source, database)


@pytest.mark.many
def test_an_error_of_one_ends_them_all_and_the_move_goes_on(database: Database, source: Path) -> None:
    prepared(database, _REFUSING)
    with pytest.raises(TargetError, match="no room for ETH"):
        move(source, database)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("copy-")]
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("DROP TRIGGER refusing ON ohlcv_data")
    assert planned(source, database).resumed is not None
    report = move(source, database)
    assert report.equal
    assert report.resumed
    assert count_equal_cells(source, database)
