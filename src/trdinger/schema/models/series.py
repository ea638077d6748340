"""The three series and the log of their collection.

Prices are in quote currency, volumes in base units, a funding rate is a fraction per
funding interval, open interest is as the exchange reports it. On PostgreSQL the natural
key serves every question about one series, newest or oldest first; the indexes below it
serve the questions across series.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from trdinger import declaration
from trdinger.schema.models.base import (
    Base,
    Created,
    Id,
    Symbol,
    Time,
    Timeframe,
    Updated,
    legacy_index,
    natural_key,
    server_index,
)

_ACROSS = (
    "newest and oldest time over all series (max, min without a filter), and everything of a short range"
)


class OHLCVData(Base):
    """One candle. `timestamp` is when the bar opens."""

    __tablename__ = "ohlcv_data"

    id: Mapped[Id]
    symbol: Mapped[Symbol]
    timeframe: Mapped[Timeframe]
    timestamp: Mapped[Time]
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[float]
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]

    __table_args__ = (
        *natural_key("ohlcv_data", *declaration.OHLCV.key),
        legacy_index("ix_ohlcv_data_symbol", "symbol"),
        legacy_index("ix_ohlcv_data_timeframe", "timeframe"),
        legacy_index("ix_ohlcv_data_timestamp", "timestamp"),
        legacy_index("idx_symbol_timeframe_timestamp", "symbol", "timeframe", "timestamp"),
        legacy_index("idx_timestamp_symbol", "timestamp", "symbol"),
        legacy_index("uq_symbol_timeframe_timestamp", "symbol", "timeframe", "timestamp", unique=True),
        server_index("idx_ohlcv_newest", sa.desc("timestamp"), "symbol", why=_ACROSS),
    )


class FundingRateData(Base):
    """One funding payment. `funding_timestamp` is when it was due, `timestamp` when it was saved."""

    __tablename__ = "funding_rate_data"

    id: Mapped[Id]
    symbol: Mapped[Symbol]
    funding_rate: Mapped[float]
    funding_timestamp: Mapped[Time]
    timestamp: Mapped[Time]
    next_funding_timestamp: Mapped[Time | None]
    mark_price: Mapped[float | None]
    index_price: Mapped[float | None]
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]

    __table_args__ = (
        *natural_key("funding_rate_data", *declaration.FUNDING_RATE.key),
        legacy_index("ix_funding_rate_data_symbol", "symbol"),
        legacy_index("ix_funding_rate_data_funding_timestamp", "funding_timestamp"),
        legacy_index("ix_funding_rate_data_timestamp", "timestamp"),
        legacy_index("idx_funding_symbol_timestamp", "symbol", "funding_timestamp"),
        legacy_index("idx_funding_timestamp_symbol", "funding_timestamp", "symbol"),
        legacy_index("idx_funding_symbol_created", "symbol", "created_at"),
        legacy_index("uq_symbol_funding_timestamp", "symbol", "funding_timestamp", unique=True),
        server_index("idx_funding_newest", sa.desc("funding_timestamp"), "symbol", why=_ACROSS),
    )


class OpenInterestData(Base):
    """One reading of open interest. `data_timestamp` is its time, `timestamp` when it was saved."""

    __tablename__ = "open_interest_data"

    id: Mapped[Id]
    symbol: Mapped[Symbol]
    open_interest_value: Mapped[float]
    data_timestamp: Mapped[Time]
    timestamp: Mapped[Time]
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]

    __table_args__ = (
        *natural_key("open_interest_data", *declaration.OPEN_INTEREST.key),
        legacy_index("ix_open_interest_data_symbol", "symbol"),
        legacy_index("ix_open_interest_data_data_timestamp", "data_timestamp"),
        legacy_index("ix_open_interest_data_timestamp", "timestamp"),
        legacy_index("idx_oi_symbol_data_timestamp", "symbol", "data_timestamp"),
        legacy_index("idx_oi_data_timestamp_symbol", "data_timestamp", "symbol"),
        legacy_index("idx_oi_symbol_created", "symbol", "created_at"),
        legacy_index("uq_symbol_data_timestamp", "symbol", "data_timestamp", unique=True),
        server_index("idx_oi_newest", sa.desc("data_timestamp"), "symbol", why=_ACROSS),
    )


class DataCollectionLog(Base):
    """One run of the collector: what it asked for and what came of it."""

    __tablename__ = "data_collection_log"

    id: Mapped[Id]
    symbol: Mapped[Symbol]
    timeframe: Mapped[Timeframe]
    start_time: Mapped[Time]
    end_time: Mapped[Time]
    records_collected: Mapped[int | None] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(String(20))
    error_message: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[Created]
