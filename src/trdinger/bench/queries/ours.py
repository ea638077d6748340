"""The store's answers, as a researcher asks for them; and what the server needs for the same rows alone."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from trdinger.bench.queries.asked import FIVE, LATEST, Asked
from trdinger.cache.files import Files
from trdinger.declaration import OHLCV
from trdinger.engine.connect import Database
from trdinger.store.postgres import postgres_side
from trdinger.store.store import Store

_CACHE_BYTES = 1 << 30


class Ours:
    """One store without a cache; for what is asked again one with it, where two connections can be had.

    cache: the folder of that cache.
    """

    name = "trdinger"

    def __init__(self, database: Database, asked: Asked, cache: Path | None = None) -> None:
        self._cache = cache
        self._asked = asked
        self._database = database
        self._opened = ExitStack()
        side = self._opened.enter_context(postgres_side(database))
        self.store = Store(side, str(database), self._opened.close)

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    def months(self) -> Any:
        return self.store.candles(self._asked.symbol, "1m", *self._asked.months).to_pandas()

    def again(self) -> Any:
        return self._caching.candles(self._asked.symbol, "1m", *self._asked.months).to_pandas()

    @cached_property
    def _caching(self) -> Store:
        if self._cache is None or self._database.sessions == 1:
            return self.store
        side = postgres_side(self._database, Files(self._cache, _CACHE_BYTES))
        return Store(self._opened.enter_context(side), str(self._database), self._opened.close)

    def latest(self, symbol: str = "", timeframe: str = "1m") -> Any:
        return self.store.latest(symbol or self._asked.symbol, timeframe, LATEST).to_pandas()

    def frame(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        return self.store.candles(symbol, timeframe, start, end).to_pandas()

    def aligned(self) -> Any:
        return self.store.aligned(self._asked.symbol, FIVE, *self._asked.year).to_pandas()

    def inventory(self) -> list[tuple[str, str | None, datetime, datetime]]:
        return [
            (one.symbol, one.timeframe, one.first, one.last)
            for one in self.store.inventory()
            if one.table == OHLCV.table
        ]

    def range(self, symbol: str = "", timeframe: str = "1m") -> tuple[datetime, datetime]:
        return self.store.date_range(symbol or self._asked.symbol, timeframe)

    def symbols(self) -> list[str]:
        return self.store.symbols()

    def days(self) -> Any:
        return self.store.candles_of(None, "1d", of="1m").to_pandas()

    def days_of_one(self) -> Any:
        frame = self.store.candles(self._asked.symbol, "1d", of="1m").to_pandas()
        return frame.assign(symbol=self._asked.symbol)

    def store_candles(self, records: list[dict[str, Any]]) -> int:
        return self.store.write_candles(records).new

    def forget(self, symbol: str, after: datetime) -> None:
        """Take away what was stored after a moment."""
        with self._database.connect() as connection:
            connection.execute(
                "DELETE FROM ohlcv_data WHERE symbol = %s AND timeframe = '1m' AND timestamp > %s",
                (symbol, after),
            )


class Copy:
    """COPY of the months' rows, in binary, to nowhere: what the server alone needs for them."""

    name = "COPY"

    def __init__(self, connection: psycopg.Connection[Any], asked: Asked) -> None:
        self._connection = connection
        start, end = asked.months
        self._statement = sql.SQL(
            "COPY (SELECT timestamp, open, high, low, close, volume FROM ohlcv_data WHERE symbol = {}"
            " AND timeframe = '1m' AND timestamp >= {} AND timestamp < {} ORDER BY timestamp)"
            " TO '/dev/null' (FORMAT binary)"
        ).format(sql.Literal(asked.symbol), sql.Literal(start), sql.Literal(end))

    def months(self) -> None:
        self._connection.execute(self._statement)
