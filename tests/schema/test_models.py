"""The models on SQLite: what the existing application made, and what it would read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from schema import legacy_application
from schema.conftest import Objects
from trdinger import declaration
from trdinger.engine.connect import Database
from trdinger.schema.models import Base, GeneratedStrategy, OHLCVData
from trdinger.schema.models.base import belongs_on

TOKYO = timezone(timedelta(hours=9))


def test_create_all_makes_the_file_of_the_existing_application_word_for_word(
    tmp_path: Path, objects: Callable[[Path], Objects]
) -> None:
    for name, metadata in (("ours", Base.metadata), ("theirs", legacy_application.Base.metadata)):
        metadata.create_all(sa.create_engine(f"sqlite:///{tmp_path / name}"))
    assert objects(tmp_path / "ours") == objects(tmp_path / "theirs")


def test_create_all_makes_the_schema_of_the_real_legacy_file(
    tmp_path: Path, legacy_file: Path, objects: Callable[[Path], Objects]
) -> None:
    Base.metadata.create_all(sa.create_engine(f"sqlite:///{tmp_path / 'ours'}"))
    assert objects(tmp_path / "ours") == objects(legacy_file)


def test_the_models_are_the_declared_tables() -> None:
    assert sorted(Base.metadata.tables) == sorted(declaration.TABLES)
    for name, series in declaration.SERIES.items():
        assert {series.time, *series.segment_by} <= set(Base.metadata.tables[name].columns.keys())


def test_every_index_of_a_server_says_which_question_it_serves() -> None:
    for table in declaration.SERIES:
        indexes = [i for i in Base.metadata.tables[table].indexes if belongs_on(i, "postgresql")]
        assert indexes
        assert all(index.info["why"] for index in indexes)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (datetime(2025, 1, 1, 9, 0, tzinfo=TOKYO), "2025-01-01 00:00:00.000000"),
        (datetime(2025, 1, 1, 0, 0, 0, 17000, tzinfo=UTC), "2025-01-01 00:00:00.017000"),
        (datetime(2025, 1, 1, 0, 0), "2025-01-01 00:00:00.000000"),  # noqa: DTZ001
    ],
)
def test_sqlite_stores_the_applications_text_and_no_offset_is_lost(given: datetime, stored: str) -> None:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(_candle(given))
        session.commit()
        assert session.execute(sa.text("SELECT typeof(timestamp), timestamp FROM ohlcv_data")).one() == (
            "text",
            stored,
        )
        assert session.scalars(sa.select(OHLCVData).where(OHLCVData.timestamp == given)).one().id == 1
        (created,) = session.execute(sa.text("SELECT created_at FROM ohlcv_data")).one()
        assert len(created) == len("2025-01-01 00:00:00")


@pytest.mark.parametrize(
    "given",
    [datetime(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, 9, tzinfo=TOKYO)],  # noqa: DTZ001
)
def test_on_postgresql_a_time_is_the_same_instant_whatever_the_sessions_zone(
    migrated: Database, given: datetime
) -> None:
    engine = migrated.engine()
    with Session(engine) as session:
        session.execute(sa.text("SET TIME ZONE 'Asia/Tokyo'"))
        candle = _candle(given)
        session.add(candle)
        session.commit()
        session.execute(sa.text("SET TIME ZONE 'Asia/Tokyo'"))
        assert candle.timestamp == datetime(2025, 1, 1, tzinfo=UTC)
        assert session.scalars(sa.select(OHLCVData).where(OHLCVData.timestamp == given)).one() is candle
        candle.close = 1.25
        session.commit()
        assert candle.created_at is not None
        assert candle.updated_at is not None
        assert candle.updated_at > candle.created_at
    engine.dispose()


def test_a_document_given_none_is_json_null_and_left_out_is_sql_null(tmp_path: Path) -> None:
    file = tmp_path / "documents.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(GeneratedStrategy(experiment_id=1, gene_data={}, generation=1, parent_ids=None))
        session.add(GeneratedStrategy(experiment_id=1, gene_data={}, generation=2))
        session.commit()
    rows = sqlite3.connect(file).execute("SELECT parent_ids FROM generated_strategies ORDER BY generation")
    assert rows.fetchall() == [("null",), (None,)]


def _candle(at: datetime) -> OHLCVData:
    return OHLCVData(
        symbol="BTC/USDT", timeframe="1h", timestamp=at, open=1.0, high=2.0, low=1.0, close=1.5, volume=3.0
    )
