"""The existing application, unmodified, over the migrated schema on a server that lives in Tokyo."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.orm import Session

from schema import legacy_application as application
from schema.conftest import upgrade
from trdinger.engine.connect import Database

AT = datetime(2025, 1, 1)  # noqa: DTZ001  the application knows no offsets
KEY = ["symbol", "timeframe", "timestamp"]
INSTANT = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def in_tokyo(database: Database) -> Database:
    """A migrated database whose sessions would be Tokyo's, had the migrations not said otherwise."""
    name = sql.Identifier(database.capabilities.database)
    with database.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET timezone TO 'Asia/Tokyo'").format(name))
    upgrade(database)
    return database.fresh()


@pytest.fixture
def session(in_tokyo: Database) -> Iterator[Session]:
    engine = application.application_engine(in_tokyo.url)
    with Session(engine, autoflush=False) as opened:
        yield opened
    engine.dispose()


def test_a_naive_time_goes_in_as_utc_and_the_same_instant_comes_out(session: Session) -> None:
    application.bulk_insert(
        session, application.OHLCVData, [_candle(0)], ["symbol", "timeframe", "timestamp"]
    )
    row = session.query(application.OHLCVData).filter(application.OHLCVData.timestamp >= AT).one()
    assert row.timestamp == INSTANT
    assert row.timestamp.isoformat() == "2025-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("model", "record", "keys"),
    [
        (application.OHLCVData, lambda n: {**_candle(0), "timestamp": AT + timedelta(hours=n)}, KEY),
        (
            application.FundingRateData,
            lambda n: {
                "symbol": "BTC/USDT:USDT",
                "funding_rate": 0.0001,
                "funding_timestamp": AT + timedelta(hours=8 * n, milliseconds=17),
                "timestamp": AT,
            },
            ["symbol", "funding_timestamp"],
        ),
        (
            application.OpenInterestData,
            lambda n: {
                "symbol": "BTC/USDT:USDT",
                "open_interest_value": 1.5,
                "data_timestamp": AT + timedelta(hours=n),
                "timestamp": AT,
            },
            ["symbol", "data_timestamp"],
        ),
    ],
    ids=lambda value: getattr(value, "__tablename__", ""),
)
def test_a_list_goes_in_once_and_duplicates_are_ignored(
    session: Session, model: Any, record: Any, keys: list[str]
) -> None:
    records = [record(n) for n in range(1000)]
    assert application.bulk_insert(session, model, records[:600], keys) == 600
    assert application.bulk_insert(session, model, [*records, *records[:5]], keys) == 400
    rows = session.query(model).order_by(model.id).all()
    assert len(rows) == 1000
    assert len({row.id for row in rows}) == 1000
    assert all(row.created_at is not None and row.updated_at is not None for row in rows)


def test_one_object_is_inserted_read_back_changed_and_deleted_by_its_id(session: Session) -> None:
    candle = application.OHLCVData(**_candle(0))
    session.add(candle)
    session.commit()
    assert candle.id == 1  # SELECT … WHERE id = ?
    created, updated = candle.created_at, candle.updated_at
    assert created == updated
    candle.close = 1.75
    session.commit()
    assert candle.close == 1.75
    assert candle.updated_at > updated
    session.delete(candle)
    session.commit()
    assert session.query(application.OHLCVData).count() == 0


def test_several_objects_go_in_by_one_insert_select_and_get_their_ids(session: Session) -> None:
    experiment = application.GAExperiment(name="run", config={"population_size": 50})
    session.add(experiment)
    session.commit()
    strategies = [
        application.GeneratedStrategy(
            experiment_id=experiment.id,
            gene_data={"id": n, "名前": "戦略"},
            generation=n,
            parent_ids=[n, n + 1],
        )
        for n in range(20)
    ]
    session.add_all(strategies)
    session.commit()
    assert [strategy.gene_data["id"] for strategy in strategies] == list(range(20))
    assert len({strategy.id for strategy in strategies}) == 20
    assert experiment.status == "running"
    assert sorted(s.generation for s in experiment.strategies) == list(range(20))


def test_deleting_a_backtest_takes_it_out_of_the_rows_that_name_it(session: Session) -> None:
    backtest = _backtest()
    session.add(backtest)
    session.flush()
    shown = application.StrategyShowcase(
        name="shown",
        category="momentum",
        indicators=[],
        parameters={},
        gene_data={"weights": [0.5, 1e-9]},
        backtest_result_id=backtest.id,
    )
    session.add(shown)
    session.commit()
    assert backtest.performance_metrics == {"total_return": 12.5, "sharpe_ratio": None}
    assert (backtest.commission_rate, backtest.status) == (0.001, "completed")
    session.delete(backtest)
    session.commit()
    assert shown.backtest_result_id is None
    assert (shown.is_active, shown.risk_level) == (True, "medium")


def test_all_of_a_series_can_be_cleared(session: Session) -> None:
    application.bulk_insert(session, application.OHLCVData, [_candle(n) for n in range(10)], KEY)
    assert (
        session.query(application.OHLCVData).filter(application.OHLCVData.symbol == "BTC/USDT").delete() == 10
    )
    session.commit()
    assert application.bulk_insert(session, application.OHLCVData, [_candle(0)], KEY) == 1


def test_create_all_of_the_application_alters_nothing(session: Session) -> None:
    bind = session.get_bind()
    before = _catalog(bind)
    application.Base.metadata.create_all(bind)
    assert _catalog(bind) == before


@pytest.mark.needs("compression")
def test_it_goes_on_when_every_chunk_is_compressed(session: Session, in_tokyo: Database) -> None:
    application.bulk_insert(session, application.OHLCVData, [_candle(n) for n in range(50)], KEY)
    session.close()
    session.get_bind().dispose()  # type: ignore[union-attr]
    with psycopg.connect(in_tokyo.conninfo, autocommit=True) as connection:
        connection.execute("SELECT compress_chunk(chunk) FROM show_chunks('ohlcv_data') AS chunk")
    assert application.bulk_insert(session, application.OHLCVData, [_candle(n) for n in range(60)], KEY) == 10
    row = session.query(application.OHLCVData).order_by(application.OHLCVData.timestamp).limit(1).one()
    row.close = 9.5
    session.commit()
    assert session.query(application.OHLCVData).filter(application.OHLCVData.close == 9.5).one().id == row.id
    session.delete(row)
    session.commit()
    assert session.query(application.OHLCVData).count() == 59


def _candle(n: int) -> dict[str, Any]:
    return {
        "symbol": "BTC/USDT",
        "timeframe": "1h",
        "timestamp": AT + timedelta(hours=n),
        "open": 1.0,
        "high": 2.0,
        "low": 0.5,
        "close": 1.5,
        "volume": float(n),
    }


def _backtest() -> Any:
    return application.BacktestResult(
        strategy_name="SMA_CROSS",
        symbol="BTC/USDT",
        timeframe="1h",
        start_date=AT,
        end_date=AT + timedelta(days=1),
        initial_capital=1000.0,
        config_json={},
        performance_metrics={"total_return": 12.5, "sharpe_ratio": None},
        equity_curve=[{"timestamp": "2025-01-01T00:00:00", "equity": 1000.0}],
        trade_history=[],
    )


def _catalog(bind: Any) -> dict[str, str]:
    inspector = sa.inspect(bind)
    looks = (inspector.get_columns, inspector.get_pk_constraint, inspector.get_indexes)
    return {table: repr([look(table) for look in looks]) for table in inspector.get_table_names()}
