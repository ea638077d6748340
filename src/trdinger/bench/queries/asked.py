"""What is asked: the series and the ranges, taken from what the file holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FIVE = ("15m", "30m", "1h", "4h", "1d")  # what the existing application collects
LATEST = 100
_MINUTE = timedelta(minutes=1)
_PRICE = 100.0  # of candles that are made up to be stored


@dataclass(frozen=True)
class Asked:
    """symbol: whose candles; symbols: all. months, year: [start, end). last: the newest open of 1m."""

    symbol: str
    symbols: tuple[str, ...]
    months: tuple[datetime, datetime]
    year: tuple[datetime, datetime]
    last: datetime

    def new(self, count: int) -> list[dict[str, Any]]:
        """Candles of 1m that come after all of the symbol, as the application hands them on."""
        return candles(self.symbol, self.last + _MINUTE, count)


def candles(symbol: str, start: datetime, count: int) -> list[dict[str, Any]]:
    """Candles of 1m from `start` on."""
    return [
        {
            "symbol": symbol, "timeframe": "1m", "timestamp": start + at * _MINUTE,
            "open": _PRICE + at % 7, "high": _PRICE + 9, "low": _PRICE - 1, "close": _PRICE + at % 5,
            "volume": float(at),
        }
        for at in range(count)
    ]  # fmt: skip


def asked(file: Path) -> Asked:
    """Three months and a year that the file holds of its first symbol: both begin at a day."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        symbols = [row[0] for row in connection.execute("SELECT DISTINCT symbol FROM ohlcv_data ORDER BY 1")]
        first, last = (
            datetime.fromisoformat(found).replace(tzinfo=UTC)
            for found in connection.execute(
                "SELECT min(timestamp), max(timestamp) FROM ohlcv_data WHERE symbol = ? AND timeframe = '1m'",
                (symbols[0],),
            ).fetchone()
        )
    months, year = (max(first, last - timedelta(days=days)) for days in (457, 365))
    months, year = (one.replace(hour=0, minute=0) if one > first else first for one in (months, year))
    end = min(months + timedelta(days=92), last + _MINUTE)
    return Asked(symbols[0], tuple(symbols), (months, end), (year, last + _MINUTE), last)
