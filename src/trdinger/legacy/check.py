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
from trdinger.legacy.values import Misfit, Stored, Value, convert, show

Progress = Callable[[str, int], None]
"""Told the table and how many more of its rows were looked at."""

_SOUND = "ok"
_INTEGRITY_LINES = 20  # of SQLite's complaints, the rest is counted


@dataclass
class Check:
    """What a look at every value found.

    rows: rows seen, by table; converted: how many values of a column came in another form than the
    application writes, by table, column and form; bad: the values that do not fit.
    """

    rows: Counter[str] = field(default_factory=Counter)
    converted: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    bad: list[BadValue] = field(default_factory=list)


def check(survey: Survey, *, tell: Progress = lambda _table, _rows: None) -> Check:
    """Check every value of a surveyed file. Raises SourceError when it cannot be read."""
    found = Check()
    for table in survey.tables:
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
        complaints = [
            line
            for row in connection.execute("PRAGMA integrity_check(1000)")
            for line in bytes(row[0]).decode("utf-8", "replace").splitlines()
            if not line.startswith("***")  # a heading over several in one row
        ]
    if complaints == [_SOUND]:
        return []
    more = len(complaints) - _INTEGRITY_LINES
    return complaints[:_INTEGRITY_LINES] + ([f"and {more} more"] if more > 0 else [])


def _check_series(source: Source, table: TableSurvey, found: Check, tell: Progress) -> None:
    shape = table.shape
    assert shape.series is not None
    with source.connect() as connection, series_reader(source, shape, table.present) as reader:
        found.bad += table.bad
        found.rows[shape.name] += len({bad.rowid for bad in table.bad})
        _check_timeless(connection, table, found)
        tell(shape.name, found.rows[shape.name])
        for series in table.series:
            cut = list(spans(connection, table, series))
            last, distinct = None, True
            for span, rows in cut:
                held = reader.read(span, rows=rows)
                found.bad += held.bad
                for (column, kind), count in held.converted.items():
                    found.converted[shape.name, column, kind] += count
                moments = times(held.table, shape.series.time)
                rising = increasing(moments, strictly=True) and not held.bad
                if len(moments):
                    rising = rising and (last is None or moments[0] > last)
                    last = int(moments[-1])
                distinct = distinct and rising
                found.rows[shape.name] += held.read
                tell(shape.name, held.read)
            if not distinct:  # perhaps: spans are cut by what is stored, so a key may be in two
                found.bad += _repeated(source, table, series, cut)


def _check_timeless(connection: sqlite3.Connection, table: TableSurvey, found: Check) -> None:
    """Check the rows without a time, which are in no span."""
    assert table.shape.series is not None
    name, time = quoted(table.shape.name), quoted(table.shape.series.time)
    columns = ", ".join(map(quoted, table.present))
    told = {bad.rowid for bad in table.bad}
    timeless = f"SELECT rowid FROM {name} WHERE {time} IS NULL"  # from an index
    for rowid, *cells in connection.execute(
        f"SELECT rowid, {columns} FROM {name} WHERE rowid IN ({timeless})"
    ):
        if rowid not in told:
            convert_row(table.shape, table.present, rowid, cells, converted=Counter(), bad=found.bad)
            found.rows[table.shape.name] += 1


def _repeated(
    source: Source, table: TableSurvey, series: SeriesSurvey, cut: list[tuple[Span, int]]
) -> list[BadValue]:
    """The rows of a series whose key another row has, too. Takes 16 bytes a row of the series."""
    shape = table.shape
    assert shape.series is not None
    time, key = shape.series.time, ", ".join(shape.series.key)
    with series_reader(source, shape, (time, "id")) as narrow:
        parts = [narrow.read(span, rows=rows).table for span, rows in cut]
    moments = np.concatenate([times(part, time) for part in parts])
    ids = np.concatenate([part.column("id").to_numpy() for part in parts])
    order = np.lexsort((ids, moments))
    moments, ids = moments[order], ids[order]
    bad: list[BadValue] = []
    for at in np.flatnonzero(np.diff(moments) == 0) + 1:
        value = f"{', '.join(series.segment)} {np.datetime64(int(moments[at]), 'us')}"
        first = int(ids[np.searchsorted(moments, moments[at])])
        bad.append(BadValue(shape.name, int(ids[at]), time, value, f"the key ({key}) is that of row {first}"))
    return bad


def _check_rows(source: Source, table: TableSurvey, found: Check, tell: Progress) -> None:
    shape = table.shape
    columns = ", ".join(map(quoted, table.present))
    converted: Counter[tuple[str, str]] = Counter()
    seen: dict[tuple[str, ...], dict[tuple[Value, ...], int]] = {
        key: {} for key in shape.unique if set(key) <= set(table.present)
    }
    with source.connect() as connection:
        for rowid, *cells in connection.execute(f"SELECT rowid, {columns} FROM {quoted(shape.name)}"):
            convert_row(shape, table.present, rowid, cells, converted=converted, bad=found.bad)
            found.rows[shape.name] += 1
            tell(shape.name, 1)
            for key, held in seen.items():
                values = _key(table, key, cells)
                if values is None:
                    continue
                if values in held:
                    reason = f"the key ({', '.join(key)}) is that of row {held[values]}"
                    found.bad.append(BadValue(shape.name, rowid, key[-1], repr(values[-1]), reason))
                held.setdefault(values, rowid)
    for (column, kind), count in converted.items():
        found.converted[shape.name, column, kind] += count


def _key(table: TableSurvey, key: tuple[str, ...], cells: list[Stored]) -> tuple[Value, ...] | None:
    """The values of a key, None where one is null or does not fit."""
    try:
        values = tuple(convert(table.shape.column(name), cells[table.present.index(name)])[0] for name in key)
    except Misfit:
        return None
    return None if None in values else values


def _check_references(
    connection: sqlite3.Connection, survey: Survey, table: TableSurvey, found: Check
) -> None:
    for reference in table.shape.references:
        if reference.column not in table.present:
            continue
        name, column = quoted(table.shape.name), quoted(reference.column)
        orphan = f"{column} IS NOT NULL"
        if survey.table(reference.table) is not None:
            parents = f"SELECT 1 FROM {quoted(reference.table)} WHERE {quoted(reference.referred)}"
            orphan += f" AND NOT EXISTS ({parents} = {name}.{column})"
        for rowid, stored in connection.execute(f"SELECT rowid, {column} FROM {name} WHERE {orphan}"):
            try:
                convert(table.shape.column(reference.column), stored)
            except Misfit:
                continue  # told already, for what it is
            reason = f"{reference.table} has no row with {reference.referred} {show(stored)}"
            found.bad.append(BadValue(table.shape.name, rowid, reference.column, show(stored), reason))
