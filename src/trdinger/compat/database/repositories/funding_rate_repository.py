"""The application's repository of funding rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from trdinger.compat.database.models import FundingRateData
from trdinger.compat.database.repositories.series_repository import SeriesRepository
from trdinger.declaration import FUNDING_RATE


class FundingRateRepository(SeriesRepository):
    """Funding rates by funding_timestamp."""

    def __init__(self, db: Session) -> None:
        super().__init__(db, FundingRateData, FUNDING_RATE)

    def insert_funding_rate_data(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Store and commit the rates whose key is not there yet; how many. They are not validated."""
        return self._insert_all(records)

    def get_funding_rate_data(
        self,
        symbol: str,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int | None = None,
    ) -> list[FundingRateData]:
        """Rates as objects, oldest first."""
        return self._rows({"symbol": symbol}, start_time, end_time, limit)

    def get_funding_rate_dataframe(
        self,
        symbol: str,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int | None = None,
    ) -> Any:
        """The same as a DataFrame: funding_rate, mark_price, index_price by funding_timestamp."""
        columns = ("funding_rate", "mark_price", "index_price")
        return self._frame({"symbol": symbol}, start_time, end_time, limit, columns)

    def get_latest_funding_timestamp(self, symbol: str) -> datetime | None:
        """The newest rate's time."""
        return self.get_latest_timestamp(FUNDING_RATE.time, {"symbol": symbol})

    def get_funding_rate_count(self, symbol: str) -> int:
        """How many rates there are."""
        return self.get_record_count({"symbol": symbol})

    def clear_all_funding_rate_data(self) -> int:
        """Delete all rates and commit; how many."""
        return self._clear()

    def clear_funding_rate_data_by_symbol(self, symbol: str) -> int:
        """Delete a symbol's rates and commit; how many."""
        return self._clear(symbol=symbol)
