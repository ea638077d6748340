"""The application's repository of open interest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from trdinger.compat.database.models import OpenInterestData
from trdinger.compat.database.repositories.series_repository import SeriesRepository
from trdinger.declaration import OPEN_INTEREST


class OpenInterestRepository(SeriesRepository):
    """Open interest by data_timestamp."""

    def __init__(self, db: Session) -> None:
        super().__init__(db, OpenInterestData, OPEN_INTEREST)

    def insert_open_interest_data(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Store and commit the readings whose key is not there yet; how many. They are not validated."""
        return self._insert_all(records)

    def get_open_interest_data(
        self,
        symbol: str,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int | None = None,
    ) -> list[OpenInterestData]:
        """Readings as objects, oldest first."""
        return self._rows({"symbol": symbol}, start_time, end_time, limit)

    def get_latest_open_interest_timestamp(self, symbol: str) -> datetime | None:
        """The newest reading's time."""
        return self.get_latest_timestamp(OPEN_INTEREST.time, {"symbol": symbol})

    def get_open_interest_count(self, symbol: str) -> int:
        """How many readings there are."""
        return self.get_record_count({"symbol": symbol})

    def clear_all_open_interest_data(self) -> int:
        """Delete all readings and commit; how many."""
        return self._clear()

    def clear_open_interest_data_by_symbol(self, symbol: str) -> int:
        """Delete a symbol's readings and commit; how many."""
        return self._clear(symbol=symbol)
