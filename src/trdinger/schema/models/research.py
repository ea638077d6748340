"""What research leaves behind: backtests, experiments, strategies, showcase, templates.

JSON documents are `jsonb` on PostgreSQL. None in one is stored as JSON null; left out,
it is SQL NULL. An ORM delete of a backtest first takes it out of the rows that name it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trdinger.schema.models.base import (
    BIG,
    JSON,
    Base,
    Created,
    Document,
    Id,
    Symbol,
    Time,
    Timeframe,
    Updated,
    legacy_index,
)


class BacktestResult(Base):
    """One finished backtest with its curves and trades."""

    __tablename__ = "backtest_results"

    id: Mapped[Id]
    strategy_name: Mapped[str] = mapped_column(String(100))
    symbol: Mapped[Symbol]
    timeframe: Mapped[Timeframe]
    start_date: Mapped[Time]
    end_date: Mapped[Time]
    initial_capital: Mapped[float]
    commission_rate: Mapped[float | None] = mapped_column(default=0.001)
    config_json: Mapped[Document]
    performance_metrics: Mapped[Document]
    equity_curve: Mapped[Document]
    trade_history: Mapped[Document]
    execution_time: Mapped[float | None]
    status: Mapped[str] = mapped_column(String(20), default="completed")
    error_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]

    generated_strategy: Mapped[list[GeneratedStrategy]] = relationship(back_populates="backtest_result")
    showcase_strategy: Mapped[list[StrategyShowcase]] = relationship(back_populates="backtest_result")

    __table_args__ = (
        Index("ix_backtest_results_symbol", "symbol"),
        Index("ix_backtest_results_timeframe", "timeframe"),
        Index("idx_backtest_symbol_timeframe", "symbol", "timeframe"),
        Index("idx_backtest_strategy_created", "strategy_name", "created_at"),
        Index("idx_backtest_created_at", "created_at"),
    )


class GAExperiment(Base):
    """One run of the genetic algorithm; `progress` goes from 0 to 1."""

    __tablename__ = "ga_experiments"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255))
    config: Mapped[Document]
    status: Mapped[str] = mapped_column(String(20), default="running")
    progress: Mapped[float] = mapped_column(default=0.0)
    best_fitness: Mapped[float | None]
    total_generations: Mapped[int | None]
    current_generation: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[Created]
    completed_at: Mapped[Time | None]

    strategies: Mapped[list[GeneratedStrategy]] = relationship(back_populates="experiment")

    __table_args__ = (
        Index("idx_ga_experiments_status", "status"),
        Index("idx_ga_experiments_created", "created_at"),
    )


class GeneratedStrategy(Base):
    """One strategy that an experiment bred. `parent_ids` is a list of ids, unchecked."""

    __tablename__ = "generated_strategies"

    id: Mapped[Id]
    experiment_id: Mapped[int] = mapped_column(BIG, ForeignKey("ga_experiments.id"))
    gene_data: Mapped[Document]
    generation: Mapped[int]
    fitness_score: Mapped[float | None]
    parent_ids: Mapped[list[Any] | None] = mapped_column(JSON)
    backtest_result_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("backtest_results.id"))
    created_at: Mapped[Created]

    experiment: Mapped[GAExperiment] = relationship(back_populates="strategies")
    backtest_result: Mapped[BacktestResult | None] = relationship(back_populates="generated_strategy")

    __table_args__ = (
        Index("idx_generated_strategies_experiment", "experiment_id"),
        Index("idx_generated_strategies_fitness", "fitness_score"),
        Index("idx_generated_strategies_generation", "generation"),
    )


class StrategyShowcase(Base):
    """One strategy shown to users; only those with `is_active` true are."""

    __tablename__ = "strategy_showcase"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str] = mapped_column(String(50))
    indicators: Mapped[Document]
    parameters: Mapped[Document]
    expected_return: Mapped[float | None]
    sharpe_ratio: Mapped[float | None]
    max_drawdown: Mapped[float | None]
    win_rate: Mapped[float | None]
    gene_data: Mapped[Document]
    backtest_result_id: Mapped[int | None] = mapped_column(BIG, ForeignKey("backtest_results.id"))
    risk_level: Mapped[str] = mapped_column(String(20), default="medium")
    recommended_timeframe: Mapped[str | None] = mapped_column(String(10))
    is_active: Mapped[bool | None] = mapped_column(default=True)
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]

    backtest_result: Mapped[BacktestResult | None] = relationship(back_populates="showcase_strategy")

    __table_args__ = (
        Index("ix_strategy_showcase_category", "category"),
        legacy_index("idx_showcase_category", "category"),  # the twin of the one above
        Index("idx_showcase_risk_level", "risk_level"),
        Index("idx_showcase_return", "expected_return"),
        Index("idx_showcase_sharpe", "sharpe_ratio"),
        Index("idx_showcase_drawdown", "max_drawdown"),
        Index("idx_showcase_active", "is_active"),
    )


class StrategyTemplate(Base):
    """A template for strategies. No program writes one yet."""

    __tablename__ = "strategy_templates"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(String(50))
    config_json: Mapped[Document]
    is_public: Mapped[bool | None] = mapped_column(default=False)
    created_at: Mapped[Created]

    __table_args__ = (
        Index("idx_template_category", "category"),
        Index("idx_template_public", "is_public"),
        Index("idx_template_created", "created_at"),
    )
