"""The log of collecting: what was asked for, and what came of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from trdinger.records.table import Table
from trdinger.schema.models import DataCollectionLog

_LONGEST = 500  # characters of an error message that the column holds


class CollectionLog(Table[DataCollectionLog]):
    """Rows of `data_collection_log`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, DataCollectionLog)

    def add(
        self,
        *,
        symbol: str,
        timeframe: str,
        start_time: datetime,
        end_time: datetime,
        records_collected: int,
        status: str,
        error_message: str | None = None,
    ) -> DataCollectionLog:
        """Note one run. A message longer than its column is cut; the log is kept all the same."""
        row = DataCollectionLog(
            symbol=symbol,
            timeframe=timeframe,
            start_time=start_time,
            end_time=end_time,
            records_collected=records_collected,
            status=status,
            error_message=None if error_message is None else error_message[:_LONGEST],
        )
        return self._stored(row)

    def recent(self, limit: int | None = 100) -> list[DataCollectionLog]:
        """The newest runs, newest first."""
        return self._newest(limit=limit)
