"""What the repositories of candles, funding rates and open interest share: the store, over a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.compat.database.incoming import moment
from trdinger.compat.database.repositories.base_repository import BaseRepository
from trdinger.declaration import Series
from trdinger.store.handed import clear, rows
from trdinger.store.side import Between

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


class SeriesRepository(BaseRepository):
    """Observations over time. Ranges hold both their ends; a limit of None or 0 is none."""

    def __init__(self, db: Session, model_class: Any, series: Series) -> None:
        super().__init__(db, model_class)
        self._series = series

    def _insert_all(self, records: Sequence[Mapping[str, Any]]) -> int:
        return self.bulk_insert_with_conflict_handling(records, self._series.key)

    def _rows(
        self, segment: Mapping[str, str], start: datetime | None, end: datetime | None, limit: int | None
    ) -> list[Any]:
        """Rows as objects, oldest first."""
        time = self._column(self._series.time)
        where = self._where(segment)
        if start is not None:
            where.append(time >= start)
        if end is not None:
            where.append(time <= end)
        asked = sa.select(self.model_class).where(*where).order_by(time).limit(limit or None)
        with self._logged():
            return list(self.db.scalars(asked))

    def _frame(
        self,
        segment: Mapping[str, str],
        start: datetime | None,
        end: datetime | None,
        limit: int | None,
        columns: Sequence[str],
    ) -> Any:
        """The same as a DataFrame: without objects. Its times are naive over SQLite, as the rows' are."""
        import pandas as pd  # noqa: PLC0415  # the application has it; who does not ask for it need not

        time = self._series.time
        between = Between(_microseconds(start), _after(end))
        with self._logged():
            connection = self._connection()
            found = rows(
                connection, self._series, (*segment.values(),), between, (time, *columns), limit=limit or None
            )
        if not found.num_rows:
            return pd.DataFrame(columns=[time, *columns])
        frame = found.to_pandas()
        times = pd.DatetimeIndex(frame.pop(time)).as_unit(pd.DatetimeIndex([datetime(2000, 1, 1)]).unit)  # noqa: DTZ001
        frame.index = times.tz_localize(None) if connection.dialect == "sqlite" else times
        return frame

    def _clear(self, **which: str) -> int:
        with self._writing():
            return clear(self._connection(), self._series, which)


def _microseconds(at: datetime | None) -> int | None:
    return None if at is None else (moment(at) - _EPOCH) // timedelta(microseconds=1)


def _after(at: datetime | None) -> int | None:
    """The moment after, which a range up to `at` ends before; none after the last that there is."""
    return (
        None if at is None or moment(at) >= _LAST else (moment(at) - _EPOCH) // timedelta(microseconds=1) + 1
    )
