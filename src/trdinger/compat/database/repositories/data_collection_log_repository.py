"""The application's repository of the log of collecting."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from trdinger.compat.database.models import DataCollectionLog
from trdinger.compat.database.repositories.base_repository import BaseRepository
from trdinger.records.collection_log import CollectionLog


class DataCollectionLogRepository(BaseRepository):
    """What was collected, and what came of it."""

    def __init__(self, db: Session) -> None:
        super().__init__(db, DataCollectionLog)
        self._log = CollectionLog(db)

    def log_collection(
        self,
        symbol: str,
        timeframe: str,
        start_time: datetime,
        end_time: datetime,
        records_collected: int,
        status: str,
        error_message: str | None = None,
    ) -> DataCollectionLog:
        """Note and commit one run."""
        with self._writing():
            row = self._log.add(
                symbol=symbol,
                timeframe=timeframe,
                start_time=start_time,
                end_time=end_time,
                records_collected=records_collected,
                status=status,
                error_message=error_message,
            )
        self.db.refresh(row)
        return row

    def get_recent_logs(self, limit: int = 100) -> list[DataCollectionLog]:
        """The newest runs, newest first."""
        with self._logged():
            return self._log.recent(limit)
