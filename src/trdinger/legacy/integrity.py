"""Whether a file hangs together: SQLite's own checks, and a proof of the indexes that a move reads by.

`integrity_check` looks every row up in every index, which takes longer than all the rest of a check. A
move reads a series by one index, so of the large tables this one is proven, by a walk along it; the
structure of all pages is checked, and every other table as a whole.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator

from trdinger.legacy.reading import EXACTLY, ROWID, Span, statement
from trdinger.legacy.source import Source, quoted, reading
from trdinger.legacy.survey import Survey, TableSurvey, cut, grouped

Opened = Callable[[sqlite3.Connection], object]
"""Is given a connection, by which another thread may interrupt a long check."""

_SOUND = "ok"
_LINES = 20  # of SQLite's complaints, the rest is counted
_EXPRESSION = -2  # in place of a column's number


def integrity(source: Source, *, opened: Opened = lambda _connection: None) -> list[str]:
    """SQLite's complaints about everything, none for a sound file. Raises SourceError."""
    with source.connect() as connection, reading(source.path):
        opened(connection)
        return _few(list(_complaints(connection, "integrity_check(1000)")))


def structure(source: Source, *, opened: Opened = lambda _connection: None) -> list[str]:
    """What SQLite complains of in the structure of all pages, and in the values that a table forbids.

    Not whether indexes agree with their tables, which is `agreement`'s. Raises SourceError.
    """
    with source.connect() as connection, reading(source.path):
        opened(connection)
        return _few(list(_complaints(connection, "quick_check(1000)")))


def agreement(held: Survey, *, opened: Opened = lambda _connection: None) -> list[str]:
    """Where indexes that a move reads by do not agree with their tables, in sentences. Raises SourceError.

    Of a series each index that its statements use: it has an entry for every row, and every entry names
    a row with these values. That no row has two is seen where the rows are read in order. All other
    tables, and such whose index is partial or of expressions, are left to SQLite's `integrity_check`.
    """
    with held.source.connect() as connection, reading(held.source.path):
        opened(connection)
        told: list[str] = []
        for table in held.tables:
            indexes = list(_read_by(connection, table)) if table.shape.series else []
            columns = [[] if partial else _columns(connection, index) for index, partial in indexes]
            if table.shape.series is None or not all(columns):
                told += _complaints(connection, f"integrity_check({quoted(table.stored)})")
                continue
            for (index, _), names in zip(indexes, columns, strict=True):
                told += _walk(connection, table, index, names)
        return _few(told)


def _complaints(connection: sqlite3.Connection, pragma: str) -> Iterator[str]:
    for row in connection.execute(f"PRAGMA {pragma}"):
        for line in bytes(row[0]).decode("utf-8", "replace").splitlines():
            if line != _SOUND and not line.startswith("***"):  # a heading over several in one row
                yield line


def _few(complaints: list[str]) -> list[str]:
    more = len(complaints) - _LINES
    return complaints[:_LINES] + ([f"and {more} more"] if more > 0 else [])


def _read_by(connection: sqlite3.Connection, table: TableSurvey) -> Iterator[tuple[str, bool]]:
    """The indexes by which SQLite finds the rows of a series, as it plans the statements of a move.

    Each with whether it is partial.
    """
    assert table.shape.series is not None
    named = table.shape.series.segment_by
    segment = ("",) * len(named)
    columns = ", ".join(quoted(name) for name in (*table.present, ROWID) if name not in named)
    statements = [grouped(table.shape), *(cut(table.shape, segment, after, 1) for after in (None, ""))]
    for after in (None, ""):
        statements += [statement(table.shape, Span(segment, after, until), columns) for until in (None, "")]
    plans = [
        bytes(row[3]).decode("utf-8", "surrogateescape")
        for sql, values in statements
        for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
    ]
    listed = connection.execute(f"PRAGMA index_list({quoted(table.stored)})").fetchall()
    for _, named, _, _, partial in listed:
        name = bytes(named).decode("utf-8", "surrogateescape")
        if any(re.search(rf"INDEX {re.escape(name)}(?: \(|$)", plan) for plan in plans):
            yield name, bool(partial)


def _columns(connection: sqlite3.Connection, index: str) -> list[str]:
    """The columns of an index; none of one that has expressions."""
    columns = []
    for _, number, name, _, _, key in connection.execute(f"PRAGMA index_xinfo({quoted(index)})").fetchall():
        if number == _EXPRESSION:
            return []
        if key:
            columns.append(bytes(name).decode("utf-8", "surrogateescape"))
    return columns


def _walk(
    connection: sqlite3.Connection, table: TableSurvey, index: str, columns: list[str]
) -> Iterator[str]:
    name = quoted(table.stored)
    same = " AND ".join(f"entry.{column} IS there.{column} {EXACTLY}" for column in map(quoted, columns))
    (rows,) = connection.execute(f"SELECT count(*) FROM {name} NOT INDEXED").fetchone()
    found, other = connection.execute(
        f"SELECT count(*), total(NOT ({same})) FROM {name} AS entry INDEXED BY {quoted(index)}"
        f" LEFT JOIN {name} AS there NOT INDEXED ON there.{ROWID} = entry.{ROWID}"
    ).fetchone()
    if rows != table.rows or found != rows:
        yield f"{table.stored} has {rows:,} rows, of which index {index} has {found:,}"
    if other:
        yield f"index {index} has other values than {table.stored} in {int(other):,} rows"
