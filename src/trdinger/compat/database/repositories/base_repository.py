"""What the application's repositories share: records in, each once, and simple questions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from trdinger.compat.database.incoming import table_of
from trdinger.declaration import SERIES
from trdinger.engine.borrowed import Borrowed
from trdinger.store.handed import distinct
from trdinger.store.inserting import insert

_Answer = TypeVar("_Answer")
_AT_ONCE = 500  # records of one statement: with 18 columns below the 32,766 values that SQLite takes


class BaseRepository:
    """A table through a session."""

    def __init__(self, db: Session, model_class: Any = None) -> None:
        self.db = db
        self.model_class = model_class

    def bulk_insert_with_conflict_handling(
        self, records: Sequence[Mapping[str, Any]], conflict_columns: Sequence[str]
    ) -> int:
        """Insert and commit records whose conflict columns are not there yet; how many these were.

        All or nothing: a record that the table does not take raises, and the session is rolled back.
        """
        if not records:
            return 0
        series = SERIES.get(self.model_class.__tablename__)
        with self._writing():
            if series is not None and tuple(conflict_columns) == series.key:
                return insert(self._connection(), series, table_of(series, records)).new
            return sum(
                self._insert(records[at : at + _AT_ONCE], conflict_columns)
                for at in range(0, len(records), _AT_ONCE)
            )

    def get_latest_timestamp(self, column: str, filters: Mapping[str, Any] | None = None) -> datetime | None:
        """The largest value of a column among the rows that equal the filters; None without any."""
        newest: datetime | None = self._one(sa.func.max(self._column(column)), filters)
        return newest

    def get_oldest_timestamp(self, column: str, filters: Mapping[str, Any] | None = None) -> datetime | None:
        """The smallest value of a column among the rows that equal the filters; None without any."""
        oldest: datetime | None = self._one(sa.func.min(self._column(column)), filters)
        return oldest

    def get_record_count(self, filters: Mapping[str, Any] | None = None) -> int:
        """How many rows equal the filters."""
        return int(self._one(sa.func.count(), filters))

    def get_date_range(self, column: str, filters: Mapping[str, Any] | None = None) -> tuple[Any, Any]:
        """The smallest and the largest value of a column; (None, None) without rows."""
        # Two questions in one: SQLite takes the ends of an index only where one end is asked for.
        ends = [
            sa.select(end(self._column(column))).where(*self._where(filters)).scalar_subquery()
            for end in (sa.func.min, sa.func.max)
        ]
        with self._logged():
            first, last = self.db.execute(sa.select(*ends)).one()
        return first, last

    def get_available_symbols(self, symbol_column: str = "symbol") -> list[Any]:
        """The different values of a column."""
        table = self.model_class.__tablename__
        with self._logged():
            if table in SERIES and symbol_column == SERIES[table].key[0]:
                return distinct(self._connection(), table, symbol_column)
            return list(self.db.scalars(sa.select(self._column(symbol_column)).distinct()))

    def _connection(self) -> Borrowed:
        """The session's own connection, in its transaction."""
        if self.db.autoflush:
            self.db.flush()
        return Borrowed(self.db)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Errors of the block are logged, and leave."""
        try:
            yield
        except Exception:
            logging.getLogger(type(self).__module__).exception("The database did not answer.")
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The block and a commit, or nothing: errors roll the session back, are logged, and leave."""
        try:
            with self._logged():
                yield
                self.db.commit()
        except Exception:
            self.db.rollback()
            raise

    def _read_or(self, otherwise: _Answer, read: Callable[[], _Answer]) -> _Answer:
        """What is read; after an error, which is logged, the other."""
        try:
            with self._logged():
                return read()
        except Exception:  # the application's repositories answer all the same
            return otherwise

    def _write_or(self, otherwise: _Answer, write: Callable[[], _Answer]) -> _Answer:
        """What writing answers, committed; after an error, which is logged, the other, and nothing is new."""
        try:
            with self._writing():
                return write()
        except Exception:  # the application's repositories answer all the same
            return otherwise

    def _insert(self, records: Sequence[Mapping[str, Any]], conflict_columns: Sequence[str]) -> int:
        lite = self.db.get_bind(self.model_class).dialect.name == "sqlite"
        statement: Any = (sqlite.insert if lite else postgresql.insert)(self.model_class)
        statement = statement.values([*records]).on_conflict_do_nothing(index_elements=conflict_columns)
        return len(self.db.execute(statement.returning(self.model_class.id)).all())

    def _one(self, asked: sa.ColumnElement[Any], filters: Mapping[str, Any] | None) -> Any:
        statement = sa.select(asked).select_from(self.model_class).where(*self._where(filters))
        with self._logged():
            return self.db.scalar(statement)

    def _where(self, filters: Mapping[str, Any] | None) -> list[sa.ColumnElement[bool]]:
        return [self._column(name) == value for name, value in (filters or {}).items()]

    def _column(self, name: str) -> Any:
        return getattr(self.model_class, name)
