"""One statement over the file, by hand: what SQLite itself can do where the application has no answer."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from trdinger.bench.queries.asked import Asked
from trdinger.bench.queries.joining import pandas

_DAYS = """
WITH day AS (
    SELECT symbol, substr(timestamp, 1, 10) AS day, min(timestamp) AS first, max(timestamp) AS last,
           max(high) AS high, min(low) AS low, sum(volume) AS volume
    FROM ohlcv_data WHERE timeframe = '1m' AND symbol IN (SELECT value FROM json_each(?)) GROUP BY 1, 2
)
SELECT day.symbol, day.day, o.open, day.high, day.low, c.close, day.volume FROM day
JOIN ohlcv_data AS o ON o.symbol = day.symbol AND o.timeframe = '1m' AND o.timestamp = day.first
JOIN ohlcv_data AS c ON c.symbol = day.symbol AND c.timeframe = '1m' AND c.timestamp = day.last
"""


class Statement:
    """Python's own driver, nothing between it and pandas."""

    name = "SQL over SQLite"

    def __init__(self, file: Path, asked: Asked) -> None:
        self._asked = asked
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def days(self) -> Any:
        return self._days(self._asked.symbols)

    def days_of_one(self) -> Any:
        return self._days((self._asked.symbol,))

    def _days(self, symbols: tuple[str, ...]) -> Any:
        pd = pandas()
        found = self._connection.execute(_DAYS, (json.dumps(symbols),)).fetchall()
        frame = pd.DataFrame(found, columns=["symbol", "timestamp", "open", "high", "low", "close", "volume"])
        frame["timestamp"] = pd.to_datetime(frame["timestamp"])
        return frame
