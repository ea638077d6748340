"""The existing application's way, to measure beside: its models, its sessions, its repository over SQLite.

Every row becomes an object of all eleven columns, then a dictionary, then a line of a DataFrame; what is
stored is one INSERT and one COMMIT a row. Where it has no answer of its own, pandas makes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.pool import QueuePool

from trdinger.bench.queries.asked import FIVE, LATEST, Asked
from trdinger.bench.queries.joining import PRICES, days, joined, pandas
from trdinger.series.timeframes import width

COLLECTED = ("1m", "5m", *FIVE)
_MICROSECOND = timedelta(microseconds=1)


class Base(DeclarativeBase):
    """The application's declarations."""


class Candle(Base):
    """`ohlcv_data` as its model has it."""

    __tablename__ = "ohlcv_data"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, index=True, autoincrement=True)
    symbol: Mapped[str] = mapped_column(sa.String(50), nullable=False, index=True)
    timeframe: Mapped[str] = mapped_column(sa.String(10), nullable=False, index=True)
    timestamp: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), nullable=False, index=True)
    open: Mapped[float] = mapped_column(sa.Float, nullable=False)
    high: Mapped[float] = mapped_column(sa.Float, nullable=False)
    low: Mapped[float] = mapped_column(sa.Float, nullable=False)
    close: Mapped[float] = mapped_column(sa.Float, nullable=False)
    volume: Mapped[float] = mapped_column(sa.Float, nullable=False)
    created_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())
    updated_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now(), onupdate=sa.func.now()
    )


class Repository:
    """What of the application's repository of candles is asked. Ranges have both ends."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.refused = 0  # rows that were dropped for another reason than that they were there

    def insert_ohlcv_data(self, records: list[dict[str, Any]]) -> int:
        """How many records were stored: each by itself, those that fail left out."""
        for one in records:
            prices = [float(one[name]) for name in PRICES]
            if one["high"] < max(one["open"], one["close"]) or min(prices) < 0:
                raise ValueError(f"{one} is no candle")
        stored = 0
        for one in records:
            try:
                self.session.add(Candle(**one))
                self.session.commit()
                stored += 1
            except SQLAlchemyError as error:
                self.session.rollback()
                self.refused += not isinstance(error, IntegrityError)
        return stored

    def get_ohlcv_data(
        self, symbol: str, timeframe: str, start: datetime | None = None, end: datetime | None = None
    ) -> list[Candle]:
        query = sa.select(Candle).where(Candle.symbol == symbol, Candle.timeframe == timeframe)
        if start is not None:
            query = query.where(Candle.timestamp >= start)
        if end is not None:
            query = query.where(Candle.timestamp <= end)
        return list(self.session.scalars(query.order_by(Candle.timestamp)))

    def get_ohlcv_dataframe(
        self, symbol: str, timeframe: str, start: datetime | None = None, end: datetime | None = None
    ) -> Any:
        rows = self.get_ohlcv_data(symbol, timeframe, start, end)
        lines = [
            {
                "timestamp": row.timestamp, "open": row.open, "high": row.high, "low": row.low,
                "close": row.close, "volume": row.volume,
            }
            for row in rows
        ]  # fmt: skip
        return pandas().DataFrame(lines, columns=["timestamp", *PRICES]).set_index("timestamp")

    def get_latest_timestamp(self, symbol: str, timeframe: str) -> datetime | None:
        found = sa.select(sa.func.max(Candle.timestamp))
        return self.session.scalar(found.where(Candle.symbol == symbol, Candle.timeframe == timeframe))

    def get_date_range(self, symbol: str, timeframe: str) -> tuple[datetime, datetime]:
        ends = sa.select(sa.func.min(Candle.timestamp), sa.func.max(Candle.timestamp))
        ends = ends.where(Candle.symbol == symbol, Candle.timeframe == timeframe).limit(1)
        first, last = self.session.execute(ends).one()
        return first, last

    def get_data_count(self, symbol: str, timeframe: str) -> int:
        rows = sa.select(Candle).where(Candle.symbol == symbol, Candle.timeframe == timeframe)
        return self.session.scalar(sa.select(sa.func.count()).select_from(rows.subquery())) or 0

    def get_available_symbols(self) -> list[str]:
        return list(self.session.scalars(sa.select(Candle.symbol).distinct()))


class Application:
    """Its answers over one file. Times are naive and mean UTC, as it has them."""

    name = "application"

    def __init__(self, file: Path, asked: Asked) -> None:
        self._asked = asked
        self._engine = sa.create_engine(
            f"sqlite:///{file}", poolclass=QueuePool, pool_size=10, max_overflow=20, pool_pre_ping=True,
            connect_args={"check_same_thread": False},
        )  # fmt: skip
        self._sessions = sessionmaker(self._engine, autoflush=False)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @contextmanager
    def repository(self) -> Iterator[Repository]:
        """One of a session of its own, as each request has."""
        with self._sessions() as session:
            yield Repository(session)

    def months(self) -> Any:
        start, end = self._asked.months
        with self.repository() as repository:
            return repository.get_ohlcv_dataframe(self._asked.symbol, "1m", start, end - _MICROSECOND)

    again = months

    def latest(self, symbol: str = "", timeframe: str = "1m") -> Any:
        with self.repository() as repository:
            symbol = symbol or self._asked.symbol
            newest = repository.get_latest_timestamp(symbol, timeframe)
            assert newest is not None
            since = newest - (LATEST - 1) * timedelta(microseconds=width(timeframe))
            return repository.get_ohlcv_dataframe(symbol, timeframe, since)

    def frame(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        with self.repository() as repository:
            return repository.get_ohlcv_dataframe(symbol, timeframe, start, end - _MICROSECOND)

    def aligned(self) -> Any:
        start, end = self._asked.year
        with self.repository() as repository:
            frames = {}
            for timeframe in FIVE:
                before = 2 * timedelta(microseconds=width(timeframe)) if timeframe != FIVE[0] else timedelta()
                frames[timeframe] = repository.get_ohlcv_dataframe(
                    self._asked.symbol, timeframe, start - before, end - _MICROSECOND
                )
        return joined(frames)

    def inventory(self) -> list[tuple[str, str, datetime, datetime]]:
        with self.repository() as repository:
            return sorted(
                (symbol, timeframe, *repository.get_date_range(symbol, timeframe))
                for symbol in repository.get_available_symbols()
                for timeframe in COLLECTED
                if repository.get_data_count(symbol, timeframe)
            )

    def range(self, symbol: str = "", timeframe: str = "1m") -> tuple[datetime, datetime]:
        with self.repository() as repository:
            return repository.get_date_range(symbol or self._asked.symbol, timeframe)

    def symbols(self) -> list[str]:
        with self.repository() as repository:
            return sorted(repository.get_available_symbols())

    def days(self) -> Any:
        with self.repository() as repository:
            read = repository.get_ohlcv_dataframe
            return days((symbol, read(symbol, "1m")) for symbol in self._asked.symbols)

    def days_of_one(self) -> Any:
        with self.repository() as repository:
            symbol = self._asked.symbol
            return days([(symbol, repository.get_ohlcv_dataframe(symbol, "1m"))])

    def store_candles(self, records: list[dict[str, Any]]) -> int:
        with self.repository() as repository:
            return repository.insert_ohlcv_data(records)

    def forget(self, symbol: str, after: datetime) -> None:
        """Take away what was stored after a moment."""
        with self._sessions() as session:
            session.execute(
                sa.delete(Candle).where(
                    Candle.symbol == symbol, Candle.timeframe == "1m", Candle.timestamp > after
                )
            )
            session.commit()
