"""The rows of a user's own table as the target gives them: streamed, a hypertable's by ranges of time.

The ranges tile all of time and are cut at times that the source has, so that a boundary falls inside
compressed batches: a batch whose bounds are wrong then loses rows, and is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
from psycopg import sql

from trdinger.legacy.survey import TableSurvey
from trdinger.legacy.values import Value
from trdinger.verify import cells

_FETCH = 200  # rows at once: one may hold megabytes
_RANGE_ROWS = 100_000  # of the source, about, in one range
_RANGES = 8  # at least, of a hypertable
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TargetRows:
    """Reads one table of the target, as often as it is asked to. `given`: the rows that it gave last."""

    def __init__(self, connection: psycopg.Connection[Any], table: TableSurvey) -> None:
        assert table.own is not None
        self.given = 0
        self._connection = connection
        self._columns = table.shape.columns
        self._name = sql.Identifier(table.shape.name)
        series = table.own.table.series
        self._time = sql.Identifier(series.time) if series is not None else None
        self._cuts: list[datetime] = []
        self._statement = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(map(cells.selected, self._columns)), self._name
        )

    def cut(self, moments: list[int], rows: int) -> None:
        """Cut the ranges of a hypertable at some of these times (microseconds) of a table of `rows` rows."""
        distinct = sorted(set(moments))
        step = max(1, len(distinct) // max(_RANGES, rows // _RANGE_ROWS))
        self._cuts = [_EPOCH + timedelta(microseconds=moment) for moment in distinct[::step]]

    def rows(self) -> Iterator[list[Value]]:
        """Every row, in no order."""
        self.given = 0
        for condition, values in self._ranges():
            with self._connection.transaction(), self._connection.cursor(name="verify") as cursor:
                cursor.itersize = _FETCH
                cursor.execute(self._statement + condition, values)
                for row in cursor:
                    self.given += 1
                    yield [
                        cells.from_target(column, cell)
                        for column, cell in zip(self._columns, row, strict=True)
                    ]

    def count(self) -> int:
        """The rows that a bare count finds."""
        row = self._connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self._name)).fetchone()
        return int(row[0]) if row else 0

    def _ranges(self) -> Iterator[tuple[sql.Composable, list[datetime]]]:
        if self._time is None or not self._cuts:
            yield sql.SQL(""), []
            return
        yield sql.SQL(" WHERE {} < %s").format(self._time), [self._cuts[0]]
        for first, end in pairwise(self._cuts):
            yield sql.SQL(" WHERE {time} >= %s AND {time} < %s").format(time=self._time), [first, end]
        yield sql.SQL(" WHERE {} >= %s").format(self._time), [self._cuts[-1]]
