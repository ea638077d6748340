"""Read series as Arrow, in the target's types, a span at a time.

What the application itself writes goes a vectorised way, without a Python object per
cell. A span that holds anything else is read again cell by cell through `values`, which
judges; both ways give the same values. Rows come sorted by time. Memory is that of one span.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import adbc_driver_sqlite.dbapi
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trdinger.errors import SourceError
from trdinger.legacy.source import Source, quoted
from trdinger.legacy.values import APPLICATION_FORMS, Misfit, Stored, Value, convert, show
from trdinger.schema.shape import ARROW, Column, TableShape

Bound = str | int | float | None

EXACTLY = "COLLATE BINARY"  # compares byte by byte, whatever the column is declared with
_EXACT_INTEGERS = 2.0**53  # below it every integer is a float
_SEPARATOR = 10  # where the blank between date and time stands
_YEAR_ONE = -62_135_596_800_000_000  # microseconds from 1970 to 0001-01-01


@dataclass(frozen=True)
class Span:
    """A slice of one series, as the file stores it: `after` < time <= `until`, None leaves that end open."""

    segment: tuple[str, ...]
    after: Bound = None
    until: Bound = None


@dataclass(frozen=True)
class BadValue:
    """A value that does not fit: where it is, what it is, and why."""

    table: str
    rowid: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table} row {self.rowid}, {self.column}: {self.reason}"


@dataclass
class Rows:
    """What a span holds: `table` in the target's types, sorted by time; what was converted; what did not fit.

    Rows with a value that did not fit are not in `table`.
    """

    table: pa.Table
    converted: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad: list[BadValue] = field(default_factory=list)
    read: int = 0


class SeriesReader:
    """Reads one series table of a source. Holds one connection; use it from one thread at a time.

    names: the columns that it gives, which are all but the segment's; one that the file lacks is null.
    """

    def __init__(self, connection: Any, source: Source, shape: TableShape, present: tuple[str, ...]) -> None:
        assert shape.series is not None
        self.shape = shape
        self.series = shape.series
        self.source = source
        self.names = tuple(name for name in shape.column_names if name not in self.series.segment_by)
        self.schema = shape.arrow(self.names)
        self._present = tuple(name for name in self.names if name in present)
        self._connection = connection

    def read(self, span: Span, *, rows: int) -> Rows:
        """The rows of a span that have a time. `rows` says about how many. Raises SourceError."""
        held = self._vectorised(self._fetch(span, rows)) or self._cell_by_cell(span)
        held.table = self._sorted(held.table)
        return held

    def _statement(self, span: Span, columns: str) -> tuple[str, list[Bound]]:
        time = quoted(self.series.time)
        where = [f"{quoted(name)} = ? {EXACTLY}" for name in self.series.segment_by]
        values: list[Bound] = [*span.segment]
        if span.after is not None:
            where.append(f"{time} > ?")
            values.append(span.after)
        if span.until is not None:
            where.append(f"{time} <= ?")
            values.append(span.until)
        if span.after is None and span.until is None:
            where.append(f"{time} IS NOT NULL")
        table = quoted(self.shape.name)
        return f"SELECT {columns} FROM {table} WHERE {' AND '.join(where)} ORDER BY {time}", values

    def _fetch(self, span: Span, rows: int) -> pa.Table | None:
        """The span as the driver gives it; None where the driver cannot, or would change a value."""
        statement, values = self._statement(span, ", ".join(map(quoted, self._present)))
        options = {"adbc.sqlite.query.batch_rows": str(max(rows, 1) + 1)}
        try:
            with self._connection.cursor(adbc_stmt_kwargs=options) as cursor:
                cursor.execute(statement, values)
                stream = cursor.fetch_record_batch()
                batches = list(stream)
        except (OSError, pa.ArrowInvalid, adbc_driver_sqlite.dbapi.Error):
            return None  # a mixture without a type, or a file at fault: the other way says which
        # The driver fixes a column's type by its first batch and takes a later blob for a text.
        return pa.Table.from_batches(batches, stream.schema) if len(batches) <= 1 else None

    def _vectorised(self, raw: pa.Table | None) -> Rows | None:
        if raw is None:
            return None
        arrays = []
        for name in self.names:
            column = self.shape.column(name)
            if name not in self._present:
                arrays.append(pa.nulls(raw.num_rows, ARROW[column.kind]))
                continue
            # By its place: the file may spell the name in other letters.
            array = _single(raw.column(self._present.index(name)))
            fitted = _fit(column, array)
            if fitted is None or (fitted.null_count and not column.nullable):
                return None
            arrays.append(fitted)
        return Rows(pa.Table.from_arrays(arrays, schema=self.schema), read=raw.num_rows)

    def _cell_by_cell(self, span: Span) -> Rows:
        columns = ", ".join(map(quoted, self._present))
        statement, values = self._statement(span, f"rowid, {columns}")
        converted: Counter[tuple[str, str]] = Counter()
        bad: list[BadValue] = []
        kept: dict[str, list[Value]] = {name: [] for name in self.names}
        read = 0
        with self.source.connect() as connection:
            for rowid, *cells in connection.execute(statement, values):
                read += 1
                row = convert_row(self.shape, self._present, rowid, cells, converted=converted, bad=bad)
                if row is not None:
                    given = dict(zip(self._present, row, strict=True))
                    for name, into in kept.items():
                        into.append(given.get(name))
        arrays = [_array(self.shape.column(name), cells) for name, cells in kept.items()]
        return Rows(pa.Table.from_arrays(arrays, schema=self.schema), converted, bad, read)

    def _sorted(self, table: pa.Table) -> pa.Table:
        if increasing(times(table, self.series.time), strictly=False):
            return table
        return table.sort_by([(self.series.time, "ascending"), ("id", "ascending")])


@contextmanager
def series_reader(source: Source, shape: TableShape, present: tuple[str, ...]) -> Iterator[SeriesReader]:
    """A reader for one series table; `present` names the columns that the file has. Raises SourceError."""
    try:
        opened = adbc_driver_sqlite.dbapi.connect(source.uri, autocommit=True)
    except adbc_driver_sqlite.dbapi.Error as error:
        source.check()
        raise SourceError(f"{source.path} cannot be opened: {error}.") from None
    with opened as connection:
        yield SeriesReader(connection, source, shape, present)


def convert_row(
    shape: TableShape,
    names: tuple[str, ...],
    rowid: int,
    cells: list[Stored],
    *,
    converted: Counter[tuple[str, str]],
    bad: list[BadValue],
) -> list[Value] | None:
    """One row in the target's values, or None with every value that did not fit added to `bad`."""
    row: list[Value] = []
    fits = True
    for name, stored in zip(names, cells, strict=True):
        try:
            value, kind = convert(shape.column(name), stored)
        except Misfit as misfit:
            bad.append(BadValue(shape.name, rowid, name, show(stored), misfit.reason))
            fits = False
            continue
        row.append(value)
        if kind is not None:
            converted[name, kind] += 1
    return row if fits else None


def times(table: pa.Table, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A time column as microseconds since 1970 UTC."""
    array = _single(table.column(name)).cast(pa.int64())
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.int64)


def increasing(moments: np.ndarray[Any, np.dtype[np.int64]], *, strictly: bool) -> bool:
    """Whether times run upwards; strictly also means that none repeats."""
    steps = np.diff(moments)
    return bool((steps > 0).all() if strictly else (steps >= 0).all())


def _single(column: pa.ChunkedArray) -> pa.Array:
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    )


def _fit(column: Column, array: pa.Array) -> pa.Array | None:
    """The array in the target's type; None when its cells must be looked at."""
    target = ARROW[column.kind]
    if array.null_count == len(array):
        return pa.nulls(len(array), target)
    if column.kind == "float" and pa.types.is_float64(array.type):
        # The driver makes floats of integers beside floats: beyond 2**53 not exactly.
        largest = np.nanmax(np.abs(array.to_numpy(zero_copy_only=False)))
        return array if largest < _EXACT_INTEGERS else None
    if column.kind == "integer" and pa.types.is_int64(array.type):
        limit = 1 << (column.bits - 1)
        span = pc.min_max(array)
        return array if -limit <= span["min"].as_py() and span["max"].as_py() < limit else None
    if column.kind == "time" and pa.types.is_string(array.type):
        return _fit_times(array)
    return None


def _fit_times(array: pa.Array) -> pa.Array | None:
    texts = array.drop_null() if array.null_count else array
    lengths = pc.min_max(pc.binary_length(texts))
    length = lengths["min"].as_py()
    if length != lengths["max"].as_py() or length not in APPLICATION_FORMS:
        return None
    letters = np.frombuffer(texts.buffers()[2], dtype=np.uint8)
    first = int(np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset])
    letters = letters[first : first + len(texts) * length].reshape(len(texts), length)
    if not (letters[:, _SEPARATOR] == ord(" ")).all():
        return None
    try:
        moments = array.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    if pc.min(moments).cast(pa.int64()).as_py() < _YEAR_ONE:
        return None
    return moments.cast(ARROW["time"])


def _array(column: Column, cells: list[Value]) -> pa.Array:
    target = ARROW[column.kind]
    if column.kind == "time":
        return pa.array(cells, pa.int64()).cast(pa.timestamp("us")).cast(target)
    return pa.array(cells, target)
