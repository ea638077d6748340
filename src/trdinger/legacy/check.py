"""Look at every value of a file before anything is moved, and reject every row that does not fit.

All problems at once, by table and row. Reads in spans, so memory stays flat: a rejected row is
handed on as soon as it is found. Rows that share a key, and those without their parent, are told
after what is wrong with single values; each row is rejected once. Writes nothing.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa

from trdinger.errors import ValuesDoNotFit
from trdinger.legacy import duplicates, slices
from trdinger.legacy.judging import BadValue, Change, Found, Reject, Row, judge
from trdinger.legacy.reading import ROWID, Span, increasing, series_reader, times
from trdinger.legacy.references import orphans
from trdinger.legacy.source import Source, damaged, quoted
from trdinger.legacy.survey import SeriesSurvey, Survey, TableSurvey, fits, spans
from trdinger.legacy.values import Stored

Progress = Callable[[str, int], None]
"""Told the table and how many more of its rows were looked at."""

KEPT = 1000  # values that do not fit whose particulars a Check keeps; the rejects file has all of them


class Keeper(Protocol):
    """Is handed each rejected row and each changed value, once, as they are found."""

    def reject(self, reject: Reject) -> None:
        """A row that the target cannot hold."""

    def change(self, change: Change) -> None:
        """A value inside a document that becomes null."""


class Nobody:
    """Keeps nothing."""

    def reject(self, reject: Reject) -> None: ...

    def change(self, change: Change) -> None: ...


@dataclass
class Check:
    """What a look at every value found.

    rows: rows seen, by table; converted: how many values of a column came in another form than the
    application writes, by table, column and form; rejected: the rows that do not fit, by table;
    reasons: how many values do not fit, by table, column and kind of reason; changed: how many values
    inside documents become null, by table and column; bad: the first `KEPT` values that do not fit.
    """

    rows: Counter[str] = field(default_factory=Counter)
    converted: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    rejected: defaultdict[str, set[Row]] = field(default_factory=lambda: defaultdict(set))
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad: list[BadValue] = field(default_factory=list)

    @property
    def rejects(self) -> int:
        """How many rows are rejected."""
        return sum(map(len, self.rejected.values()))


Read = Callable[[str, Span, pa.Table], object]
"""Is handed the rows of each span of a series in which every row fits, sorted by time."""

Duplicates = Literal["first", "last"]
"""Which of the rows that share a key stays, by id; the existing application would have kept the first."""


def check(
    survey: Survey,
    *,
    tell: Progress = lambda _table, _rows: None,
    keeper: Keeper | None = None,
    stays: Duplicates = "first",
    at_most: int | None = None,
    read: Read = lambda _table, _span, _rows: None,
) -> Check:
    """Check every value of a surveyed file, by the rules that its tables carry.

    Raises SourceError when it cannot be read, ValuesDoNotFit for more rejected rows than `at_most`.
    """
    return _Checking(survey, tell, keeper or Nobody(), stays, at_most=at_most, read=read).run()


def unnamed(source: Source, table: TableSurvey) -> Iterator[Reject]:
    """The rows of a series table whose series has no name that fits. Reads the whole table."""
    assert table.shape.series is not None
    names = [(table.shape.column(name), table.present.index(name)) for name in table.shape.series.segment_by]
    with source.connect() as connection:
        for rowid, *cells in connection.execute(_select(table)):
            if not all(fits(column, cells[at]) for column, at in names):
                found = Found()
                judge(table.shape, table.present, rowid, cells, found=found, rules=table.rules)
                yield from found.rejects


class _Checking:
    def __init__(
        self,
        survey: Survey,
        tell: Progress,
        keeper: Keeper,
        stays: Duplicates,
        *,
        at_most: int | None,
        read: Read,
    ) -> None:
        self.survey = survey
        self.tell = tell
        self.keeper = keeper
        self.stays = stays
        self.at_most = at_most
        self.read = read
        self.found = Check()
        self._changing: list[Row] = []  # rows of the table at hand in whose documents something becomes null

    def run(self) -> Check:
        for table in self.survey.tables:
            if table.shape.series:
                self._series_table(table)
            else:
                self._rows(table)
            with self.survey.source.connect() as connection:
                self._repeat(self._orphans(table, connection), connection)
                self._changes(table, connection)
        return self.found

    def _take(self, table: TableSurvey, found: Found, rows: int) -> None:
        """Enter what judging `rows` rows of a table found."""
        name = table.shape.name
        for (column, kind), count in found.converted.items():
            self.found.converted[name, column, kind] += count
        self._changing += {change.row for change in found.changes}
        for reject in found.rejects:
            self._reject(reject)
        self.found.rows[name] += rows
        self.tell(name, rows)

    def _reject(self, reject: Reject) -> None:
        rejected = self.found.rejected[reject.table]
        if reject.row in rejected:
            return
        rejected.add(reject.row)
        for bad in reject.reasons:
            self.found.reasons[bad.table, bad.column, bad.kind] += 1
            if len(self.found.bad) < KEPT:
                self.found.bad.append(bad)
        self.keeper.reject(reject)
        if self.at_most is not None and self.found.rejects > self.at_most:
            raise ValuesDoNotFit(
                f"More than {self.at_most:,} rows do not fit the target: {bad}. Nothing was moved.",
                hint="Is this the right file? trdinger inspect tells every such value; --max-rejects"
                " allows more.",
            )

    def _repeat(self, told: Iterator[BadValue], connection: sqlite3.Connection) -> None:
        """Reject rows that were read and judged before, for what is wrong beyond their own values."""
        for bad in told:
            if bad.rowid in self.found.rejected[bad.table]:
                continue
            table = self.survey.table(bad.table)
            assert table is not None
            cells, found = self._again(table, bad.rowid, connection)
            self.found.converted -= Counter(
                {(bad.table, *converted): count for converted, count in found.converted.items()}
            )
            values: dict[str, Stored] = dict(zip(table.present, cells, strict=True))
            self._reject(Reject(bad.table, bad.rowid, values, (bad,)))

    def _orphans(self, table: TableSurvey, connection: sqlite3.Connection) -> Iterator[BadValue]:
        for reference in table.shape.references:
            yield from orphans(connection, self.survey, table, reference, self.found.rejected)

    def _changes(self, table: TableSurvey, connection: sqlite3.Connection) -> None:
        """Tell what becomes null in the rows that stay. Reads them again: of one row it may be very much."""
        rows, self._changing = self._changing, []
        for row in rows:
            if row not in self.found.rejected[table.shape.name]:
                _, found = self._again(table, row, connection)
                for change in found.changes:
                    self.found.changed[change.table, change.column] += 1
                    self.keeper.change(change)

    @staticmethod
    def _again(table: TableSurvey, row: Row, connection: sqlite3.Connection) -> tuple[list[Stored], Found]:
        """A row that fits by itself: its values, and what judging it finds."""
        cells = slices.row(connection, table, row)
        assert cells is not None
        found = Found()
        judge(table.shape, table.present, row, cells, found=found, rules=table.rules)
        return cells, found

    def _series_table(self, table: TableSurvey) -> None:
        shape, source = table.shape, self.survey.source
        assert shape.series is not None
        if table.unnamed:
            for reject in unnamed(source, table):
                self._take(table, Found(rejects=[reject]), 1)
        with (
            source.connect() as connection,
            series_reader(source, shape, table.present, rules=table.rules) as reader,
        ):
            self._timeless(connection, table)
            for series in table.series:
                cut = list(spans(connection, table, series))
                last, distinct = None, True
                for span, rows in cut:
                    held = reader.read(span, rows=rows)
                    moments = times(held.table, shape.series.time)
                    rising = increasing(moments, strictly=True) and not held.found.rejects
                    if len(moments):
                        rising = rising and (last is None or moments[0] > last)
                        last = int(moments[-1])
                    distinct = distinct and rising
                    self._take(table, held.found, held.read)
                    if not held.found.rejects:
                        self.read(shape.name, span, held.table)
                if not distinct:  # perhaps: spans are cut by what is stored, so a key may be in two
                    self._repeat(self._repeated(table, series, cut), connection)

    def _timeless(self, connection: sqlite3.Connection, table: TableSurvey) -> None:
        """Check the rows without a time, which are in no span."""
        assert table.shape.series is not None
        name, time = quoted(table.shape.name), quoted(table.shape.series.time)
        timeless = f"SELECT rowid FROM {name} WHERE {time} IS NULL"  # from an index
        for rowid, *cells in connection.execute(f"{_select(table)} WHERE rowid IN ({timeless})"):
            if rowid not in self.found.rejected[table.shape.name]:
                found = Found()
                judge(table.shape, table.present, rowid, cells, found=found, rules=table.rules)
                self._take(table, found, 1)

    def _repeated(
        self, table: TableSurvey, series: SeriesSurvey, cut: list[tuple[Span, int]]
    ) -> Iterator[BadValue]:
        """The rows of a series whose key another row has, too. Takes 16 bytes a row of the series."""
        shape = table.shape
        assert shape.series is not None
        time, key = shape.series.time, ", ".join(shape.series.key)
        rejected = frozenset(self.found.rejected[shape.name])
        with series_reader(
            self.survey.source, shape, (time, "id"), rules=table.rules, without=rejected, rowids=True
        ) as narrow:
            parts = [narrow.read(span, rows=rows).table for span, rows in cut]
        moments = np.concatenate([times(part, time) for part in parts])
        rows = np.concatenate([part.column(ROWID).to_numpy() for part in parts])
        for moment, row, kept in duplicates.of_series(moments, rows, self.stays):
            if row == kept:
                raise damaged(self.survey.source.path, f"an index of {shape.name} has row {row} twice")
            value = f"{', '.join(series.segment)} {np.datetime64(moment, 'us')}"
            yield BadValue(shape.name, row, time, value, f"the key ({key}) repeats: row {kept} has it")

    def _rows(self, table: TableSurvey) -> None:
        shape = table.shape
        keys = [key for key in shape.unique if set(key) <= set(table.present)]
        held = duplicates.Keys(len(keys), self.stays)
        repeated: list[BadValue] = []
        with self.survey.source.connect() as connection:
            # Rows that will go for their parent: they take no key from another.
            orphaned = {bad.rowid for bad in self._orphans(table, connection)} if keys else set()
            for rowid, cells in slices.rows(connection, table):
                found = Found()
                row = judge(shape, table.present, rowid, cells, found=found, rules=table.rules)
                self._take(table, found, 1)
                if row is None or not keys or rowid in orphaned:
                    continue
                values = dict(zip(table.present, row, strict=True))
                for loser, at, kept in held.add(rowid, [tuple(values[name] for name in key) for key in keys]):
                    key = keys[at]
                    reason = f"the key ({', '.join(key)}) repeats: row {kept} has it"
                    repeated.append(BadValue(shape.name, loser, key[-1], repr(values[key[-1]]), reason))
            self._repeat(iter(repeated), connection)


def _select(table: TableSurvey) -> str:
    columns = ", ".join(map(quoted, table.present))
    return f"SELECT rowid, {columns} FROM {quoted(table.shape.name)}"
