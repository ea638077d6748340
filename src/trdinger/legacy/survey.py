"""What a file holds, from its indexes alone: tables, rows, series and their time ranges.

Quick, and without a look at the values: those are `check`'s. The spans that the copy and
the check work through are cut here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from trdinger.errors import SourceError
from trdinger.legacy.reading import BadValue, Bound, Span
from trdinger.legacy.source import Source, SourceTable, Text, quoted
from trdinger.legacy.values import Misfit, convert, show
from trdinger.schema.shape import TableShape, shapes

SPAN_ROWS = 250_000  # rows of one span: some 20 MB as Arrow, half a second of copying


@dataclass(frozen=True)
class SeriesSurvey:
    """One series: its segment values, rows, and first and last time as the file stores them."""

    segment: tuple[str, ...]
    rows: int
    first: str
    last: str


@dataclass(frozen=True)
class TableSurvey:
    """One table: rows, the columns that both sides have, and its series if it is one.

    absent: columns of the target that the file lacks; they arrive as null.
    """

    shape: TableShape
    rows: int
    present: tuple[str, ...]
    absent: tuple[str, ...]
    series: tuple[SeriesSurvey, ...] = ()
    bad: tuple[BadValue, ...] = ()


@dataclass(frozen=True)
class Survey:
    """A file. `strangers` are tables and columns that Trdinger does not know, `others` views and triggers.

    bytes: the size of the file with its WAL.
    """

    source: Source
    bytes: int
    tables: tuple[TableSurvey, ...]
    missing: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    others: tuple[str, ...] = field(default=())

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    def table(self, name: str) -> TableSurvey | None:
        return next((table for table in self.tables if table.shape.name == name), None)


def survey(source: Source) -> Survey:
    """Survey a file. Raises SourceError when it cannot be read or is not Trdinger's."""
    source.check()
    with source.connect() as connection:
        found = source.tables(connection)
        known = {shape.name: shape for shape in shapes()}
        strangers = [name for name in found if name not in known]
        for name, table in found.items():
            if name in known:
                strangers += [
                    f"{name}.{column}"
                    for column in table.column_names
                    if column not in known[name].column_names
                ]
        if not any(name in known for name in found):
            raise SourceError(
                f"{source.path} holds none of Trdinger's tables"
                + (
                    f" (it holds {', '.join(sorted(found)[:5])})."
                    if found
                    else " (it holds no table at all)."
                ),
                hint="Name the file that Trdinger wrote; its tables are " + ", ".join(sorted(known)) + ".",
            )
        return Survey(
            source=source,
            bytes=_size(source),
            tables=tuple(
                _table(connection, shape, found[shape.name]) for shape in shapes() if shape.name in found
            ),
            missing=tuple(shape.name for shape in shapes() if shape.name not in found),
            strangers=tuple(strangers),
            others=tuple(source.others(connection)),
        )


def spans(
    connection: sqlite3.Connection, table: TableSurvey, series: SeriesSurvey, rows: int = SPAN_ROWS
) -> Iterator[tuple[Span, int]]:
    """Cut one series into spans of about `rows` rows, oldest first, each with how many it holds.

    Together they hold every row of the series that has a time, each once: they meet at
    stored values, in the order in which SQLite sorts them, whatever these are.
    """
    declared = table.shape.series
    assert declared is not None
    time, name = quoted(declared.time), quoted(table.shape.name)
    where = " AND ".join(f"{quoted(column)} = ?" for column in declared.segment_by)
    after: Bound = None
    left = series.rows
    while left > rows:
        beyond = f" AND {time} > ?" if after is not None else ""
        values = [*series.segment, *([after] if after is not None else [])]
        found = connection.execute(
            f"SELECT {time} FROM {name} WHERE {where}{beyond} ORDER BY {time} LIMIT 1 OFFSET {rows - 1}",
            values,
        ).fetchone()
        cut = _bound(found[0]) if found else None
        if cut is None:
            break
        yield Span(series.segment, after, cut), rows
        after, left = cut, left - rows
    yield Span(series.segment, after, None), max(left, 1)


def _table(connection: sqlite3.Connection, shape: TableShape, found: SourceTable) -> TableSurvey:
    present = tuple(name for name in shape.column_names if name in found.column_names)
    absent = tuple(name for name in shape.column_names if name not in found.column_names)
    needed = [name for name in absent if not shape.column(name).nullable]
    if needed:
        raise SourceError(
            f"The table {shape.name} lacks the column {', '.join(needed)}, which may not be null.",
            hint="Is this a file of Trdinger? Add the column with its values, then run it again.",
        )
    (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(shape.name)}").fetchone()
    series, bad = _series(connection, shape) if shape.series else ((), ())
    return TableSurvey(shape, rows, present, absent, tuple(series), tuple(bad))


def _series(connection: sqlite3.Connection, shape: TableShape) -> tuple[list[SeriesSurvey], list[BadValue]]:
    assert shape.series is not None
    segment = ", ".join(map(quoted, shape.series.segment_by))
    time, table = quoted(shape.series.time), quoted(shape.name)
    series: list[SeriesSurvey] = []
    bad: list[BadValue] = []
    width = len(shape.series.segment_by)
    for row in connection.execute(
        f"SELECT {segment}, count(*), min({time}), max({time}) FROM {table}"
        f" GROUP BY {segment} ORDER BY {segment}"
    ).fetchall():
        names, (count, first, last) = row[:width], row[width:]
        misfits = []
        for name, stored in zip(shape.series.segment_by, names, strict=True):
            try:
                convert(shape.column(name), stored)
            except Misfit as misfit:
                misfits.append((name, stored, misfit.reason))
        if not misfits:
            series.append(
                SeriesSurvey(tuple(part.decode() for part in names), count, _text(first), _text(last))
            )
            continue
        where = " AND ".join(f"{quoted(name)} IS ?" for name in shape.series.segment_by)
        # A TEXT that is no UTF-8 can only be bound as what it is by a cast.
        where = where.replace("?", "CAST(? AS TEXT)") if all(isinstance(n, Text) for n in names) else where
        values = [bytes(name) if isinstance(name, Text) else name for name in names]
        for (rowid,) in connection.execute(f"SELECT rowid FROM {table} WHERE {where}", values):
            bad += [BadValue(shape.name, rowid, name, show(stored), why) for name, stored, why in misfits]
    return series, bad


def _bound(stored: object) -> Bound:
    if isinstance(stored, Text):
        try:
            return stored.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return stored if isinstance(stored, int | float) else None


def _text(stored: object) -> str:
    return stored.decode("utf-8", "replace") if isinstance(stored, bytes) else str(stored)


def _size(source: Source) -> int:
    wal = source.path.with_name(source.path.name + "-wal")
    return source.path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
