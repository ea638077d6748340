"""The application's repository of candles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from trdinger.compat.database.models import OHLCVData
from trdinger.compat.database.repositories.series_repository import SeriesRepository
from trdinger.declaration import OHLCV

_NUMBERS = ("open", "high", "low", "close", "volume")
_FIELDS = {*OHLCV.key, *_NUMBERS}


class OHLCVRepository(SeriesRepository):
    """Candles. A symbol and a timeframe compare exactly."""

    def __init__(self, db: Session) -> None:
        super().__init__(db, OHLCVData, OHLCV)

    def insert_ohlcv_data(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Store and commit the candles whose key is not there yet; how many. ValueError if one is invalid."""
        if not records:
            return 0
        with self._logged():
            if not self.validate_ohlcv_data(records):
                raise ValueError("The candles are not all valid; none was stored.")
        return self._insert_all(records)

    def get_ohlcv_data(
        self,
        symbol: str,
        timeframe: str,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int | None = None,
    ) -> list[OHLCVData]:
        """Candles as objects, oldest first: a limit alone gives the oldest."""
        return self._rows(_series(symbol, timeframe), start_time, end_time, limit)

    def get_ohlcv_dataframe(
        self,
        symbol: str,
        timeframe: str,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int | None = None,
    ) -> Any:
        """The same as a DataFrame by `timestamp`, which is a column where there is nothing."""
        return self._frame(_series(symbol, timeframe), start_time, end_time, limit, _NUMBERS)

    def get_latest_timestamp(self, symbol: str, timeframe: str) -> datetime | None:  # type: ignore[override]
        """The newest candle's time."""
        return super().get_latest_timestamp(OHLCV.time, _series(symbol, timeframe))

    def get_oldest_timestamp(self, symbol: str, timeframe: str) -> datetime | None:  # type: ignore[override]
        """The oldest candle's time."""
        return super().get_oldest_timestamp(OHLCV.time, _series(symbol, timeframe))

    def get_date_range(  # type: ignore[override]
        self, symbol: str, timeframe: str
    ) -> tuple[datetime | None, datetime | None]:
        """The times of the oldest and the newest candle."""
        return super().get_date_range(OHLCV.time, _series(symbol, timeframe))

    def get_data_count(self, symbol: str, timeframe: str) -> int:
        """How many candles there are."""
        return self.get_record_count(_series(symbol, timeframe))

    def count_records(self, symbol: str, timeframe: str) -> int:
        """The same."""
        return self.get_data_count(symbol, timeframe)

    def clear_all_ohlcv_data(self) -> int:
        """Delete all candles and commit; how many."""
        return self._clear()

    def clear_ohlcv_data_by_symbol(self, symbol: str) -> int:
        """Delete a symbol's candles and commit; how many."""
        return self._clear(symbol=symbol)

    def clear_ohlcv_data_by_timeframe(self, timeframe: str) -> int:
        """Delete a timeframe's candles and commit; how many."""
        return self._clear(timeframe=timeframe)

    def validate_ohlcv_data(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether each has all fields, numbers, none of them negative, high and low around open and close.

        Zero, NaN and Infinity are let through; symbol, timeframe and timestamp are not looked at.
        """
        try:
            if not all(record.keys() >= _FIELDS for record in records):
                return False
            opened, high, low, close, volume = (
                np.array([float(record[name]) for record in records]) for name in _NUMBERS
            )
        except (KeyError, TypeError, ValueError):
            return False
        upper, lower = np.where(close > opened, close, opened), np.where(close < opened, close, opened)
        negative = (opened < 0) | (high < 0) | (low < 0) | (close < 0) | (volume < 0)
        return not ((high < upper) | (low > lower) | negative).any()

    def sanitize_ohlcv_data(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The records trimmed: the symbol in capitals, the timeframe in small letters, a time out of ISO text
        or epoch seconds, numbers. Other keys are left out. What cannot be raises.
        """
        with self._logged():
            return [
                {
                    "symbol": str(record["symbol"]).strip().upper(),
                    "timeframe": str(record["timeframe"]).strip().lower(),
                    "timestamp": _time(record["timestamp"]),
                    **{name: float(record[name]) for name in _NUMBERS},
                }
                for record in records
            ]


def _series(symbol: str, timeframe: str) -> dict[str, str]:
    return {"symbol": symbol, "timeframe": timeframe}


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else datetime.fromtimestamp(float(value), UTC)
