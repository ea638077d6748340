"""Look at every value of a file before anything is moved, and tell every one that does not fit.

All problems at once, by table and row. Reads in spans, so memory stays flat. Writes nothing.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from trdinger.legacy.reading import BadValue, Span, convert_row, increasing, series_reader, times
from trdinger.legacy.source import Source, quoted, reading
from trdinger.legacy.survey import SeriesSurvey, Survey, TableSurvey, spans
from trdinger.legacy.values import Misfit, convert, show

Progress = Callable[[str, int], None]
"""Told the table and how many more of its rows were looked at."""

_SOUND = "ok"
_INTEGRITY_LINES = 20  # of SQLite's complaints, the rest is counted


@dataclass
class Check:
    """What a look at every value found.

    rows: rows seen, by table; converted: how many values of a column came in another form than the
    application writes, by table, column and form; bad: the values that do not fit; damage: what
    SQLite's own integrity check complains of; ordered: the series whose stored order is that of time.
    """

    rows: Counter[str] = field(default_factory=Counter)
    converted: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    bad: list[BadValue] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    ordered: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)


def check(survey: Survey, *, tell: Progress = lambda _table, _rows: None) -> Check:
    """Check every value of a surveyed file. Raises SourceError when it cannot be read."""
    found = Check()
    for table in survey.tables:
        found.bad += table.bad
        if table.shape.series:
            _check_series(survey.source, table, found, tell)
        else:
            _check_rows(survey.source, table, found, tell)
    with survey.source.connect() as connection:
        for table in survey.tables:
            _check_references(connection, survey, table, found)
    return found


def integrity(
    source: Source, *, opened: Callable[[sqlite3.Connection], object] = lambda _connection: None
) -> list[str]:
    """SQLite's own integrity check: its complaints, none for a sound file. Raises SourceError.

    opened: is given the connection, by which another thread may interrupt a long check.
    """
    with source.connect() as connection, reading(source.path):
        opened(connection)
        complaints = [bytes(row[0]).decode() for row in connection.execute("PRAGMA integrity_check(1000)")]
    if complaints == [_SOUND]:
        return []
    more = len(complaints) - _INTEGRITY_LINES
    return complaints[:_INTEGRITY_LINES] + ([f"and {more} more"] if more > 0 else [])


def _check_series(source: Source, table: TableSurvey, found: Check, tell: Progress) -> None:
    shape = table.shape
    assert shape.series is not None
    with source.connect() as connection, series_reader(source, shape, table.present) as reader:
        time = quoted(shape.series.time)
        for (rowid,) in connection.execute(
            f"SELECT rowid FROM {quoted(shape.name)} WHERE {time} IS NULL"
        ).fetchall():
            found.bad.append(BadValue(shape.name, rowid, shape.series.time, "null", "null where none may be"))
        for series in table.series:
            cut = list(spans(connection, table, series))
            last, ordered = None, True
            for span, rows in cut:
                held = reader.read(span, rows=rows)
                found.bad += held.bad
                for (column, kind), count in held.converted.items():
                    found.converted[shape.name, column, kind] += count
                moments = times(held.table, shape.series.time)
                if len(moments):
                    ordered = (
                        ordered and increasing(moments, strictly=True) and (last is None or moments[0] > last)
                    )
                    last = int(moments[-1])
                found.rows[shape.name] += held.read
                tell(shape.name, held.read)
            if ordered:
                found.ordered.add((shape.name, series.segment))
            else:
                found.bad += _repeated(reader_times(source, table, cut), table, series)


def reader_times(
    source: Source, table: TableSurvey, cut: list[tuple[Span, int]]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The times (microseconds) and ids of a whole series, in the order of time, then id: 16 bytes a row."""
    shape = table.shape
    assert shape.series is not None
    with series_reader(source, shape, (shape.series.time, "id")) as narrow:
        tables = [narrow.read(span, rows=rows).table for span, rows in cut]
    moments = np.concatenate([times(part, shape.series.time) for part in tables])
    ids = np.concatenate([part.column("id").to_numpy() for part in tables])
    order = np.lexsort((ids, moments))
    return moments[order], ids[order]


def _repeated(
    whole: tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]],
    table: TableSurvey,
    series: SeriesSurvey,
) -> list[BadValue]:
    moments, ids = whole
    assert table.shape.series is not None
    key = ", ".join(table.shape.series.key)
    bad: list[BadValue] = []
    first = 0
    for at in range(1, len(moments)) if not increasing(moments, strictly=True) else ():
        if moments[at] != moments[first]:
            first = at
            continue
        when = np.datetime64(int(moments[at]), "us")
        bad.append(
            BadValue(
                table.shape.name,
                int(ids[at]),
                table.shape.series.time,
                f"{', '.join(series.segment)} {when}",
                f"the key ({key}) is that of row {int(ids[first])}",
            )
        )
    return bad


def _check_rows(source: Source, table: TableSurvey, found: Check, tell: Progress) -> None:
    shape = table.shape
    columns = ", ".join(map(quoted, table.present))
    converted: Counter[tuple[str, str]] = Counter()
    seen: dict[tuple[str, ...], dict[tuple[object, ...], int]] = {
        key: {} for key in shape.unique if set(key) <= set(table.present)
    }
    with source.connect() as connection:
        for rowid, *cells in connection.execute(f"SELECT rowid, {columns} FROM {quoted(shape.name)}"):
            row = convert_row(shape, table.present, rowid, cells, converted=converted, bad=found.bad)
            found.rows[shape.name] += 1
            tell(shape.name, 1)
            if row is None:
                continue
            for key, held in seen.items():
                values = tuple(row[table.present.index(name)] for name in key)
                if None in values:
                    continue
                if values in held:
                    reason = f"the key ({', '.join(key)}) is that of row {held[values]}"
                    found.bad.append(BadValue(shape.name, rowid, key[-1], repr(values[-1]), reason))
                held.setdefault(values, rowid)
    for (column, kind), count in converted.items():
        found.converted[shape.name, column, kind] += count


def _check_references(
    connection: sqlite3.Connection, survey: Survey, table: TableSurvey, found: Check
) -> None:
    for reference in table.shape.references:
        if reference.column not in table.present:
            continue
        name, column = quoted(table.shape.name), quoted(reference.column)
        orphan = f"{column} IS NOT NULL"
        if survey.table(reference.table) is not None:
            orphan += (
                f" AND {column} NOT IN (SELECT {quoted(reference.referred)} FROM {quoted(reference.table)})"
            )
        for rowid, stored in connection.execute(f"SELECT rowid, {column} FROM {name} WHERE {orphan}"):
            try:
                convert(table.shape.column(reference.column), stored)
            except Misfit:
                continue  # told already, for what it is
            reason = f"{reference.table} has no row with {reference.referred} {show(stored)}"
            found.bad.append(BadValue(table.shape.name, rowid, reference.column, show(stored), reason))
