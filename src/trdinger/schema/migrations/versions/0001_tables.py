"""the nine tables

On SQLite exactly what the existing application made, and only what is missing: its files
are adopted. On PostgreSQL the series have their natural key as primary key, times are
timestamptz, documents jsonb, ids 64 bits wide and generated.

Revises:
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)

# (name, table, columns, unique)
INDEXES = (
    ("ix_backtest_results_symbol", "backtest_results", ["symbol"], False),
    ("ix_backtest_results_timeframe", "backtest_results", ["timeframe"], False),
    ("idx_backtest_symbol_timeframe", "backtest_results", ["symbol", "timeframe"], False),
    ("idx_backtest_strategy_created", "backtest_results", ["strategy_name", "created_at"], False),
    ("idx_backtest_created_at", "backtest_results", ["created_at"], False),
    ("idx_ga_experiments_status", "ga_experiments", ["status"], False),
    ("idx_ga_experiments_created", "ga_experiments", ["created_at"], False),
    ("idx_generated_strategies_experiment", "generated_strategies", ["experiment_id"], False),
    ("idx_generated_strategies_fitness", "generated_strategies", ["fitness_score"], False),
    ("idx_generated_strategies_generation", "generated_strategies", ["generation"], False),
    ("ix_strategy_showcase_category", "strategy_showcase", ["category"], False),
    ("idx_showcase_risk_level", "strategy_showcase", ["risk_level"], False),
    ("idx_showcase_return", "strategy_showcase", ["expected_return"], False),
    ("idx_showcase_sharpe", "strategy_showcase", ["sharpe_ratio"], False),
    ("idx_showcase_drawdown", "strategy_showcase", ["max_drawdown"], False),
    ("idx_showcase_active", "strategy_showcase", ["is_active"], False),
    ("idx_template_category", "strategy_templates", ["category"], False),
    ("idx_template_public", "strategy_templates", ["is_public"], False),
    ("idx_template_created", "strategy_templates", ["created_at"], False),
)
ON_SQLITE = (
    ("ix_ohlcv_data_symbol", "ohlcv_data", ["symbol"], False),
    ("ix_ohlcv_data_timeframe", "ohlcv_data", ["timeframe"], False),
    ("ix_ohlcv_data_timestamp", "ohlcv_data", ["timestamp"], False),
    ("idx_symbol_timeframe_timestamp", "ohlcv_data", ["symbol", "timeframe", "timestamp"], False),
    ("idx_timestamp_symbol", "ohlcv_data", ["timestamp", "symbol"], False),
    ("uq_symbol_timeframe_timestamp", "ohlcv_data", ["symbol", "timeframe", "timestamp"], True),
    ("ix_funding_rate_data_symbol", "funding_rate_data", ["symbol"], False),
    ("ix_funding_rate_data_funding_timestamp", "funding_rate_data", ["funding_timestamp"], False),
    ("ix_funding_rate_data_timestamp", "funding_rate_data", ["timestamp"], False),
    ("idx_funding_symbol_timestamp", "funding_rate_data", ["symbol", "funding_timestamp"], False),
    ("idx_funding_timestamp_symbol", "funding_rate_data", ["funding_timestamp", "symbol"], False),
    ("idx_funding_symbol_created", "funding_rate_data", ["symbol", "created_at"], False),
    ("uq_symbol_funding_timestamp", "funding_rate_data", ["symbol", "funding_timestamp"], True),
    ("ix_open_interest_data_symbol", "open_interest_data", ["symbol"], False),
    ("ix_open_interest_data_data_timestamp", "open_interest_data", ["data_timestamp"], False),
    ("ix_open_interest_data_timestamp", "open_interest_data", ["timestamp"], False),
    ("idx_oi_symbol_data_timestamp", "open_interest_data", ["symbol", "data_timestamp"], False),
    ("idx_oi_data_timestamp_symbol", "open_interest_data", ["data_timestamp", "symbol"], False),
    ("idx_oi_symbol_created", "open_interest_data", ["symbol", "created_at"], False),
    ("uq_symbol_data_timestamp", "open_interest_data", ["symbol", "data_timestamp"], True),
    ("idx_showcase_category", "strategy_showcase", ["category"], False),
)
ON_POSTGRESQL = (
    ("idx_ohlcv_newest", "ohlcv_data", [sa.text("timestamp DESC"), "symbol"], False),
    ("idx_funding_newest", "funding_rate_data", [sa.text("funding_timestamp DESC"), "symbol"], False),
    ("idx_oi_newest", "open_interest_data", [sa.text("data_timestamp DESC"), "symbol"], False),
)


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"

    def table(name: str, *columns: sa.Column[Any], key: list[str] | None = None) -> None:
        primary = sa.PrimaryKeyConstraint(*(["id"] if sqlite or key is None else key))
        identity = sa.Column("id", BIG, sa.Identity(), nullable=False)
        op.create_table(name, identity, *columns, primary, if_not_exists=sqlite)

    table(
        "ohlcv_data",
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("timeframe", sa.String(10), nullable=False),
        sa.Column("timestamp", TIME, nullable=False),
        sa.Column("open", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("close", sa.Float(), nullable=False),
        sa.Column("volume", sa.Float(), nullable=False),
        _now("created_at"),
        _now("updated_at"),
        key=["symbol", "timeframe", "timestamp"],
    )
    table(
        "funding_rate_data",
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("funding_rate", sa.Float(), nullable=False),
        sa.Column("funding_timestamp", TIME, nullable=False),
        sa.Column("timestamp", TIME, nullable=False),
        sa.Column("next_funding_timestamp", TIME),
        sa.Column("mark_price", sa.Float()),
        sa.Column("index_price", sa.Float()),
        _now("created_at"),
        _now("updated_at"),
        key=["symbol", "funding_timestamp"],
    )
    table(
        "open_interest_data",
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("open_interest_value", sa.Float(), nullable=False),
        sa.Column("data_timestamp", TIME, nullable=False),
        sa.Column("timestamp", TIME, nullable=False),
        _now("created_at"),
        _now("updated_at"),
        key=["symbol", "data_timestamp"],
    )
    table(
        "data_collection_log",
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("timeframe", sa.String(10), nullable=False),
        sa.Column("start_time", TIME, nullable=False),
        sa.Column("end_time", TIME, nullable=False),
        sa.Column("records_collected", sa.Integer()),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("error_message", sa.String(500)),
        _now("created_at"),
    )
    table(
        "backtest_results",
        sa.Column("strategy_name", sa.String(100), nullable=False),
        sa.Column("symbol", sa.String(50), nullable=False),
        sa.Column("timeframe", sa.String(10), nullable=False),
        sa.Column("start_date", TIME, nullable=False),
        sa.Column("end_date", TIME, nullable=False),
        sa.Column("initial_capital", sa.Float(), nullable=False),
        sa.Column("commission_rate", sa.Float()),
        sa.Column("config_json", DOCUMENT, nullable=False),
        sa.Column("performance_metrics", DOCUMENT, nullable=False),
        sa.Column("equity_curve", DOCUMENT, nullable=False),
        sa.Column("trade_history", DOCUMENT, nullable=False),
        sa.Column("execution_time", sa.Float()),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("error_message", sa.Text()),
        _now("created_at"),
        _now("updated_at"),
    )
    table(
        "ga_experiments",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("config", DOCUMENT, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("best_fitness", sa.Float()),
        sa.Column("total_generations", sa.Integer()),
        sa.Column("current_generation", sa.Integer(), nullable=False),
        _now("created_at"),
        sa.Column("completed_at", TIME),
    )
    table(
        "generated_strategies",
        sa.Column("experiment_id", BIG, sa.ForeignKey("ga_experiments.id"), nullable=False),
        sa.Column("gene_data", DOCUMENT, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("fitness_score", sa.Float()),
        sa.Column("parent_ids", DOCUMENT),
        sa.Column("backtest_result_id", BIG, sa.ForeignKey("backtest_results.id")),
        _now("created_at"),
    )
    table(
        "strategy_showcase",
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("description", sa.Text()),
        sa.Column("category", sa.String(50), nullable=False),
        sa.Column("indicators", DOCUMENT, nullable=False),
        sa.Column("parameters", DOCUMENT, nullable=False),
        sa.Column("expected_return", sa.Float()),
        sa.Column("sharpe_ratio", sa.Float()),
        sa.Column("max_drawdown", sa.Float()),
        sa.Column("win_rate", sa.Float()),
        sa.Column("gene_data", DOCUMENT, nullable=False),
        sa.Column("backtest_result_id", BIG, sa.ForeignKey("backtest_results.id")),
        sa.Column("risk_level", sa.String(20), nullable=False),
        sa.Column("recommended_timeframe", sa.String(10)),
        sa.Column("is_active", sa.Boolean()),
        _now("created_at"),
        _now("updated_at"),
    )
    table(
        "strategy_templates",
        sa.Column("name", sa.String(100), nullable=False, unique=True),
        sa.Column("description", sa.Text()),
        sa.Column("category", sa.String(50)),
        sa.Column("config_json", DOCUMENT, nullable=False),
        sa.Column("is_public", sa.Boolean()),
        _now("created_at"),
    )
    for name, on, columns, unique in (*INDEXES, *(ON_SQLITE if sqlite else ON_POSTGRESQL)):
        op.create_index(name, on, columns, unique=unique, if_not_exists=sqlite)


def downgrade() -> None:
    for table in (
        "strategy_templates",
        "strategy_showcase",
        "generated_strategies",
        "ga_experiments",
        "backtest_results",
        "data_collection_log",
        "open_interest_data",
        "funding_rate_data",
        "ohlcv_data",
    ):
        op.drop_table(table)


def _now(name: str) -> sa.Column[Any]:
    return sa.Column(name, TIME, server_default=sa.func.now())
