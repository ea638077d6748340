"""The existing application over a moved target: its ids, its inserts, its times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.orm import Session

from engines import EngineUnderTest
from move.moving import move
from move.oracle import TABLES, count_equal_cells
from schema import legacy_application as application
from trdinger.engine.connect import Database
from trdinger.sample import SampleOptions, write_sample

MODELS = {mapper.class_.__tablename__: mapper.class_ for mapper in application.Base.registry.mappers}
AT = datetime(2031, 1, 1)  # noqa: DTZ001  the application knows no offsets
KEYS = {
    "ohlcv_data": ["symbol", "timeframe", "timestamp"],
    "funding_rate_data": ["symbol", "funding_timestamp"],
    "open_interest_data": ["symbol", "data_timestamp"],
}


@pytest.fixture(scope="module")
def moved(
    engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Database]]:
    """A file moved into a database whose sessions would be Tokyo's, had the move not said otherwise."""
    source = tmp_path_factory.mktemp("application") / "trdinger.db"
    options = SampleOptions(rows=900, symbols=("BTC/USDT:USDT", "ETH/USDT:USDT"), timeframes=("1h", "1d"))
    write_sample(source, options)
    with engine.empty() as database:
        name = sql.Identifier(database.capabilities.database)
        with psycopg.connect(database.conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'").format(name))
        assert move(source, database).equal
        yield source, database


@pytest.fixture
def session(moved: tuple[Path, Database]) -> Iterator[Session]:
    engine = application.application_engine(moved[1].url)
    with Session(engine, autoflush=False) as opened:
        yield opened
        opened.rollback()
    engine.dispose()


def test_not_a_single_time_is_shifted(moved: tuple[Path, Database]) -> None:
    """Asked without an offset, as the application asks: what it means is UTC."""
    assert count_equal_cells(*moved)


def test_its_own_query_of_a_range_gives_the_instants_of_the_file(session: Session) -> None:
    candle = application.OHLCVData
    first = session.query(candle).order_by(candle.timestamp).first()
    naive = first.timestamp.astimezone(UTC).replace(tzinfo=None)
    found = session.query(candle).filter(
        candle.symbol == first.symbol, candle.timeframe == first.timeframe,
        candle.timestamp >= naive, candle.timestamp <= naive + timedelta(hours=3),
    )  # fmt: skip
    assert found.order_by(candle.timestamp).first().timestamp == first.timestamp
    assert found.count() in (1, 4)


@pytest.mark.parametrize("table", TABLES)
def test_an_insert_without_an_id_gets_the_highest_and_one(session: Session, table: str) -> None:
    highest = session.query(application.func.max(MODELS[table].id)).scalar()
    row = MODELS[table](**_record(session, table))
    session.add(row)
    session.flush()
    assert row.id == highest + 1
    session.rollback()
    session.execute(application.func.setval(_sequence(session, table), highest, True).select())
    session.commit()


@pytest.mark.parametrize("table", KEYS)
def test_a_row_that_is_there_is_no_second_time_not_even_in_a_compressed_chunk(
    session: Session, table: str
) -> None:
    model = MODELS[table]
    there = session.query(model).order_by(model.id).offset(20).limit(30).all()
    records = [
        {
            column.name: _naive(getattr(row, column.name))
            for column in model.__table__.columns
            if column.name not in ("id", "created_at", "updated_at")
        }
        for row in there
    ]
    before = session.query(model).count()
    session.commit()
    new = {**records[0], KEYS[table][-1]: AT}
    assert application.bulk_insert(session, model, [*records, new], KEYS[table]) == 1
    assert session.query(model).count() == before + 1
    session.query(model).filter(getattr(model, KEYS[table][-1]) == AT).delete()
    session.commit()
    assert session.query(model).count() == before


def test_after_all_of_it_the_target_is_as_it_was(moved: tuple[Path, Database]) -> None:
    assert count_equal_cells(*moved)


def _sequence(session: Session, table: str) -> Any:
    return session.execute(application.func.pg_get_serial_sequence(table, "id").select()).scalar()


def _naive(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _record(session: Session, table: str) -> dict[str, Any]:
    """A new row, as a copy of one that is there, where its key is free."""
    model = MODELS[table]
    row = session.query(model).order_by(model.id).first()
    record = {column.name: _naive(getattr(row, column.name)) for column in model.__table__.columns}
    del record["id"]
    if table in KEYS:
        record[KEYS[table][-1]] = AT
    if "name" in record:
        record["name"] += " again"
    return record
