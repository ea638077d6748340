"""What a file holds, from its indexes alone: tables, rows, series and their time ranges.

Quick, and without a look at the values, which are `check`'s, but for the names of series.
The spans that the copy and the check work through are cut here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trdinger.errors import SourceError
from trdinger.legacy.judging import Row
from trdinger.legacy.misfit import Misfit
from trdinger.legacy.own import catalog
from trdinger.legacy.own.catalog import folded
from trdinger.legacy.own.choices import NOTHING, Choices
from trdinger.legacy.own.reflection import reflect
from trdinger.legacy.own.table import Own
from trdinger.legacy.reading import EXACTLY, Bound, Span
from trdinger.legacy.source import Source, Text, quoted
from trdinger.legacy.values import STRICT, Rules, Stored, convert
from trdinger.schema.shape import Column, TableShape, shapes

SPAN_ROWS = 30_000  # rows of one span: some 20 MB while it is copied, a tenth of a second


@dataclass(frozen=True)
class SeriesSurvey:
    """One series: its segment values, rows, and first and last time as the file stores them.

    Rows without a time are counted, too: they belong to it, and to no span of it.
    """

    segment: tuple[str, ...]
    rows: int
    first: str
    last: str

    def as_json(self) -> dict[str, Any]:
        """The series for programs."""
        return {"key": list(self.segment), "rows": self.rows, "first": self.first, "last": self.last}


@dataclass(frozen=True)
class TableSurvey:
    """One table: rows, the columns that both sides have, and its series if it is one.

    absent: columns of the target that the file lacks; they arrive as null.
    series: those whose names fit. unnamed: the rows of the others.
    rules: what may be read into a value. rejected: rows that the target does not get; replayed: keys of
    rows that it got later, mended, which the file does not have.
    own: what the file declares and the target gets, of a table that is a user's own.
    """

    shape: TableShape
    rows: int
    present: tuple[str, ...]
    absent: tuple[str, ...]
    series: tuple[SeriesSurvey, ...] = ()
    unnamed: int = 0
    rules: Rules = STRICT
    rejected: frozenset[Row] = frozenset()
    replayed: frozenset[tuple[Any, ...]] = frozenset()
    own: Own | None = None

    @property
    def stored(self) -> str:
        """The table's name in the file."""
        return self.own.stored if self.own else self.shape.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The file's names of the columns that are `present`."""
        return self.own.columns if self.own else self.present

    @property
    def is_series(self) -> bool:
        """Whether it becomes a hypertable where the server has them."""
        return self.shape.series is not None or (self.own is not None and self.own.table.series is not None)

    @property
    def rowid(self) -> str | None:
        """A name that gives the rowid; None for a table without one, whose rows are named by its key."""
        return self.own.declared.rowid if self.own else "rowid"


@dataclass(frozen=True)
class Survey:
    """A file. `strangers` are columns of Trdinger's tables that it does not know.

    tables: Trdinger's, then a user's own. others: what stays behind, as views and triggers do.
    said: what is otherwise in the target, in words. asked: the decisions that were gone by.
    bytes: the size of the file with its WAL.
    """

    source: Source
    bytes: int
    tables: tuple[TableSurvey, ...]
    missing: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    asked: Choices = NOTHING

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(table.rows for table in self.tables)

    def judged(
        self,
        rules: Rules,
        rejected: Mapping[str, frozenset[Row]] | None = None,
        replayed: Mapping[str, frozenset[tuple[Any, ...]]] | None = None,
    ) -> Survey:
        """The same file read by `rules`, without the rows that are rejected, by table."""
        tables = tuple(
            replace(
                table,
                rules=rules,
                rejected=(rejected or {}).get(table.shape.name, frozenset()),
                replayed=(replayed or {}).get(table.shape.name, frozenset()),
            )
            for table in self.tables
        )
        return replace(self, tables=tables)

    @property
    def own(self) -> tuple[TableSurvey, ...]:
        """The tables that are a user's own."""
        return tuple(table for table in self.tables if table.own is not None)

    @property
    def ours(self) -> tuple[TableSurvey, ...]:
        """Trdinger's tables."""
        return tuple(table for table in self.tables if table.own is None)

    @property
    def choices(self) -> Choices:
        """Everything that was decided about a user's own tables, so that it can be decided so again."""
        left = {name: choice for name, choice in self.asked.tables.items() if not choice.move}
        moved = {table.stored: table.own.choice for table in self.tables if table.own}
        return Choices(left | moved, kept=True)

    def trdingers(self) -> Survey:
        """Trdinger's tables alone. Raises SourceError where the file has none of them."""
        if not self.ours:
            raise SourceError(
                f"{self.source.path} holds none of Trdinger's tables.",
                hint=f"Name the file that Trdinger wrote; its tables are {', '.join(sorted(self.missing))}.",
            )
        return replace(self, tables=self.ours)

    def without_keys(self, missing: Mapping[str, Collection[str]]) -> Survey:
        """The same, where some keys of a user's own tables could not be made: their names, by table."""
        tables = tuple(
            replace(table, own=table.own.without(missing[table.shape.name]))
            if table.own is not None and table.shape.name in missing
            else table
            for table in self.tables
        )
        return replace(self, tables=tables)

    def table(self, name: str) -> TableSurvey | None:
        """The table of that name, None if the file lacks it."""
        return next((table for table in self.tables if table.shape.name == name), None)


def survey(source: Source, choices: Choices = NOTHING, *, look: bool = True) -> Survey:
    """Survey a file. Raises SourceError when it cannot be read or holds no table, UsageError for `choices`.

    look: read what the columns of a user's own tables hold, so that their types lose nothing; otherwise
    they are as declared.
    """
    source.check()
    with source.connect() as connection:
        declared, others = catalog.tables(connection)
        found = {table.name: tuple(column.name for column in table.columns) for table in declared}
        known = {folded(name): (name, tuple(map(folded, columns))) for name, columns in found.items()}
        held = [shape for shape in shapes() if shape.name in known]
        if not declared:
            raise _nothing(source, others)
        ours = {known[shape.name][0]: shape.column_names for shape in held}
        strangers = []
        for name, columns in ours.items():
            strangers += [f"{name}.{column}" for column in found[name] if folded(column) not in columns]
        _complete(held, {shape.name: known[shape.name][1] for shape in held})
        theirs = [table for table in declared if table.name not in ours]
        own, left = reflect(connection, theirs, choices, {shape.name: shape for shape in held}, look=look)
        tables = [_table(connection, shape, known[shape.name][1]) for shape in held]
        return Survey(
            source=source,
            bytes=source.bytes,
            tables=(*tables, *(_own_table(connection, each) for each in own)),
            missing=tuple(shape.name for shape in shapes() if shape not in held),
            strangers=tuple(strangers),
            others=(
                *source.others(connection),
                *others,
                *left,
                *(f"{each.stored}: {sentence}" for each in own for sentence in each.left),
            ),
            said=tuple(f"{each.stored}: {sentence}" for each in own for sentence in each.said),
            asked=choices,
        )


def spans(
    connection: sqlite3.Connection, table: TableSurvey, series: SeriesSurvey, rows: int = SPAN_ROWS
) -> Iterator[tuple[Span, int]]:
    """Cut one series into spans of about `rows` rows, oldest first, each with how many it holds.

    Together they hold every row of the series that has a time, each once: they meet at
    stored values, in the order in which SQLite sorts them, whatever these are.
    """
    after: Bound = None
    left = series.rows
    while left > rows:
        query, values = cut(table.shape, series.segment, after, rows)
        found = connection.execute(query, values).fetchone()
        until = _bound(found[0]) if found else None
        if until is None:
            break
        yield Span(series.segment, after, until), rows
        after, left = until, left - rows
    yield Span(series.segment, after, None), max(left, 1)


def cut(shape: TableShape, segment: tuple[str, ...], after: Bound, rows: int) -> tuple[str, list[Bound]]:
    """What finds the time of the last of `rows` rows of a series after a time: statement and values."""
    assert shape.series is not None
    time = quoted(shape.series.time)
    where = " AND ".join(f"{quoted(column)} = ? {EXACTLY}" for column in shape.series.segment_by)
    beyond = f"{time} > ?" if after is not None else f"{time} IS NOT NULL"
    return (
        f"SELECT {time} FROM {quoted(shape.name)} WHERE {where} AND {beyond}"
        f" ORDER BY {time} LIMIT 1 OFFSET {rows - 1}",
        [*segment, *([after] if after is not None else [])],
    )


def grouped(shape: TableShape) -> tuple[str, list[Bound]]:
    """What tells of each series its name, rows, first and last time: a statement, and no values."""
    assert shape.series is not None
    names = [quoted(name) for name in shape.series.segment_by]
    segment, time = ", ".join(f"{name} {EXACTLY}" for name in names), quoted(shape.series.time)
    return (
        f"SELECT {', '.join(names)}, count(*), min({time}), max({time})"
        f" FROM {quoted(shape.name)} GROUP BY {segment} ORDER BY {segment}",
        [],
    )


def fits(column: Column, stored: Stored) -> bool:
    """Whether a column of the target can hold a value."""
    try:
        convert(column, stored)
    except Misfit:
        return False
    return True


def _nothing(source: Source, others: list[str]) -> SourceError:
    some = f" that can be moved ({', '.join(others[:5])})" if others else " at all"
    return SourceError(
        f"{source.path} holds no table{some}.",
        hint="Name the file that Trdinger wrote, or another SQLite file with tables.",
    )


def _complete(held: list[TableShape], columns: dict[str, tuple[str, ...]]) -> None:
    """Raise SourceError where columns are missing that cannot be null."""
    lacking = [
        f"{shape.name}.{column.name}"
        for shape in held
        for column in shape.columns
        if column.name not in columns[shape.name] and not column.nullable
    ]
    if lacking:
        raise SourceError(
            f"The file lacks columns that may not be null: {', '.join(lacking)}.",
            hint="Is this a file of Trdinger? Add them with their values, then run it again.",
        )


def _own_table(connection: sqlite3.Connection, own: Own) -> TableSurvey:
    (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(own.stored)}").fetchone()
    return TableSurvey(own.table.shape, rows, own.table.shape.column_names, (), own=own)


def _table(connection: sqlite3.Connection, shape: TableShape, columns: tuple[str, ...]) -> TableSurvey:
    present = tuple(name for name in shape.column_names if name in columns)
    absent = tuple(name for name in shape.column_names if name not in columns)
    (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(shape.name)}").fetchone()
    if shape.series is None:
        return TableSurvey(shape, rows, present, absent)
    series = tuple(_series(connection, shape))
    named = sum(each.rows for each in series)
    return TableSurvey(shape, rows, present, absent, series, rows - named)


def _series(connection: sqlite3.Connection, shape: TableShape) -> Iterator[SeriesSurvey]:
    assert shape.series is not None
    columns = [shape.column(name) for name in shape.series.segment_by]
    query, _ = grouped(shape)
    for *names, count, first, last in connection.execute(query):
        if all(map(fits, columns, names)):
            yield SeriesSurvey(tuple(name.decode() for name in names), count, _text(first), _text(last))


def _bound(stored: object) -> Bound:
    if isinstance(stored, Text):
        try:
            return stored.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return stored if isinstance(stored, int | float) else None


def _text(stored: object) -> str:
    if stored is None:
        return "null"
    return stored.decode("utf-8", "replace") if isinstance(stored, bytes) else str(stored)
