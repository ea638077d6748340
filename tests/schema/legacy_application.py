"""The existing application as the schema meets it: its models and statements, written down by hand.

Shares nothing with trdinger: SQLAlchemy's classic declarations, psycopg2 or sqlite3, times
without an offset that mean UTC, one INSERT … ON CONFLICT DO NOTHING per list of records.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    create_engine,
    func,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session, declarative_base, relationship

Base: Any = declarative_base()


class OHLCVData(Base):
    __tablename__ = "ohlcv_data"

    id = Column(Integer, primary_key=True, autoincrement=True)
    symbol = Column(String(50), nullable=False, index=True)
    timeframe = Column(String(10), nullable=False, index=True)
    timestamp = Column(DateTime(timezone=True), nullable=False, index=True)
    open = Column(Float, nullable=False)
    high = Column(Float, nullable=False)
    low = Column(Float, nullable=False)
    close = Column(Float, nullable=False)
    volume = Column(Float, nullable=False)
    created_at = Column(DateTime(timezone=True), server_default=func.now())
    updated_at = Column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        Index("idx_symbol_timeframe_timestamp", "symbol", "timeframe", "timestamp"),
        Index("idx_timestamp_symbol", "timestamp", "symbol"),
        Index("uq_symbol_timeframe_timestamp", "symbol", "timeframe", "timestamp", unique=True),
    )


class FundingRateData(Base):
    __tablename__ = "funding_rate_data"

    id = Column(Integer, primary_key=True, autoincrement=True)
    symbol = Column(String(50), nullable=False, index=True)
    funding_rate = Column(Float, nullable=False)
    funding_timestamp = Column(DateTime(timezone=True), nullable=False, index=True)
    timestamp = Column(DateTime(timezone=True), nullable=False, index=True)
    next_funding_timestamp = Column(DateTime(timezone=True))
    mark_price = Column(Float)
    index_price = Column(Float)
    created_at = Column(DateTime(timezone=True), server_default=func.now())
    updated_at = Column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        Index("idx_funding_symbol_timestamp", "symbol", "funding_timestamp"),
        Index("idx_funding_timestamp_symbol", "funding_timestamp", "symbol"),
        Index("idx_funding_symbol_created", "symbol", "created_at"),
        Index("uq_symbol_funding_timestamp", "symbol", "funding_timestamp", unique=True),
    )


class OpenInterestData(Base):
    __tablename__ = "open_interest_data"

    id = Column(Integer, primary_key=True, autoincrement=True)
    symbol = Column(String(50), nullable=False, index=True)
    open_interest_value = Column(Float, nullable=False)
    data_timestamp = Column(DateTime(timezone=True), nullable=False, index=True)
    timestamp = Column(DateTime(timezone=True), nullable=False, index=True)
    created_at = Column(DateTime(timezone=True), server_default=func.now())
    updated_at = Column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())

    __table_args__ = (
        Index("idx_oi_symbol_data_timestamp", "symbol", "data_timestamp"),
        Index("idx_oi_data_timestamp_symbol", "data_timestamp", "symbol"),
        Index("idx_oi_symbol_created", "symbol", "created_at"),
        Index("uq_symbol_data_timestamp", "symbol", "data_timestamp", unique=True),
    )


class DataCollectionLog(Base):
    __tablename__ = "data_collection_log"

    id = Column(Integer, primary_key=True, autoincrement=True)
    symbol = Column(String(50), nullable=False)
    timeframe = Column(String(10), nullable=False)
    start_time = Column(DateTime(timezone=True), nullable=False)
    end_time = Column(DateTime(timezone=True), nullable=False)
    records_collected = Column(Integer, default=0)
    status = Column(String(20), nullable=False)
    error_message = Column(String(500))
    created_at = Column(DateTime(timezone=True), server_default=func.now())


class BacktestResult(Base):
    __tablename__ = "backtest_results"

    id = Column(Integer, primary_key=True, autoincrement=True)
    strategy_name = Column(String(100), nullable=False)
    symbol = Column(String(50), nullable=False, index=True)
    timeframe = Column(String(10), nullable=False, index=True)
    start_date = Column(DateTime(timezone=True), nullable=False)
    end_date = Column(DateTime(timezone=True), nullable=False)
    initial_capital = Column(Float, nullable=False)
    commission_rate = Column(Float, default=0.001)
    config_json = Column(JSON, nullable=False)
    performance_metrics = Column(JSON, nullable=False)
    equity_curve = Column(JSON, nullable=False)
    trade_history = Column(JSON, nullable=False)
    execution_time = Column(Float)
    status = Column(String(20), nullable=False, default="completed")
    error_message = Column(Text)
    created_at = Column(DateTime(timezone=True), server_default=func.now())
    updated_at = Column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())

    generated_strategy = relationship("GeneratedStrategy", back_populates="backtest_result")
    showcase_strategy = relationship("StrategyShowcase", back_populates="backtest_result")

    __table_args__ = (
        Index("idx_backtest_symbol_timeframe", "symbol", "timeframe"),
        Index("idx_backtest_strategy_created", "strategy_name", "created_at"),
        Index("idx_backtest_created_at", "created_at"),
    )


class GAExperiment(Base):
    __tablename__ = "ga_experiments"

    id = Column(Integer, primary_key=True, autoincrement=True)
    name = Column(String(255), nullable=False)
    config = Column(JSON, nullable=False)
    status = Column(String(20), nullable=False, default="running")
    progress = Column(Float, nullable=False, default=0.0)
    best_fitness = Column(Float)
    total_generations = Column(Integer)
    current_generation = Column(Integer, nullable=False, default=0)
    created_at = Column(DateTime(timezone=True), server_default=func.now())
    completed_at = Column(DateTime(timezone=True))

    strategies = relationship("GeneratedStrategy", back_populates="experiment")

    __table_args__ = (
        Index("idx_ga_experiments_status", "status"),
        Index("idx_ga_experiments_created", "created_at"),
    )


class GeneratedStrategy(Base):
    __tablename__ = "generated_strategies"

    id = Column(Integer, primary_key=True, autoincrement=True)
    experiment_id = Column(Integer, ForeignKey("ga_experiments.id"), nullable=False)
    gene_data = Column(JSON, nullable=False)
    generation = Column(Integer, nullable=False)
    fitness_score = Column(Float)
    parent_ids = Column(JSON)
    backtest_result_id = Column(Integer, ForeignKey("backtest_results.id"))
    created_at = Column(DateTime(timezone=True), server_default=func.now())

    experiment = relationship("GAExperiment", back_populates="strategies")
    backtest_result = relationship("BacktestResult", back_populates="generated_strategy")

    __table_args__ = (
        Index("idx_generated_strategies_experiment", "experiment_id"),
        Index("idx_generated_strategies_fitness", "fitness_score"),
        Index("idx_generated_strategies_generation", "generation"),
    )


class StrategyShowcase(Base):
    __tablename__ = "strategy_showcase"

    id = Column(Integer, primary_key=True, autoincrement=True)
    name = Column(String(255), nullable=False, unique=True)
    description = Column(Text)
    category = Column(String(50), nullable=False, index=True)
    indicators = Column(JSON, nullable=False)
    parameters = Column(JSON, nullable=False)
    expected_return = Column(Float)
    sharpe_ratio = Column(Float)
    max_drawdown = Column(Float)
    win_rate = Column(Float)
    gene_data = Column(JSON, nullable=False)
    backtest_result_id = Column(Integer, ForeignKey("backtest_results.id"))
    risk_level = Column(String(20), nullable=False, default="medium")
    recommended_timeframe = Column(String(10))
    is_active = Column(Boolean, default=True)
    created_at = Column(DateTime(timezone=True), server_default=func.now())
    updated_at = Column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())

    backtest_result = relationship("BacktestResult", back_populates="showcase_strategy")

    __table_args__ = (
        Index("idx_showcase_category", "category"),
        Index("idx_showcase_risk_level", "risk_level"),
        Index("idx_showcase_return", "expected_return"),
        Index("idx_showcase_sharpe", "sharpe_ratio"),
        Index("idx_showcase_drawdown", "max_drawdown"),
        Index("idx_showcase_active", "is_active"),
    )


class StrategyTemplate(Base):
    __tablename__ = "strategy_templates"

    id = Column(Integer, primary_key=True, autoincrement=True)
    name = Column(String(100), nullable=False, unique=True)
    description = Column(Text)
    category = Column(String(50))
    config_json = Column(JSON, nullable=False)
    is_public = Column(Boolean, default=False)
    created_at = Column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        Index("idx_template_category", "category"),
        Index("idx_template_public", "is_public"),
        Index("idx_template_created", "created_at"),
    )


def application_engine(url: URL) -> Engine:
    """The application's engine: psycopg2, and no word about time zones."""
    return create_engine(url.set(drivername="postgresql+psycopg2"), pool_pre_ping=True, pool_size=1)


def bulk_insert(session: Session, model: Any, records: list[dict[str, Any]], keys: list[str]) -> int:
    """One statement for the whole list, duplicates ignored; the cursor's rowcount."""
    statement = insert(model).values(records).on_conflict_do_nothing(index_elements=keys)
    result: Any = session.execute(statement)
    session.commit()
    return int(result.rowcount)
