"""Read series as Arrow, in the target's types, a span at a time.

What the application itself writes goes a vectorised way, without a Python object per
cell. A span that holds anything else is read again cell by cell through `values`, which
judges; both ways give the same values. Rows come sorted by time. Memory is that of one span.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import Error as AdbcError

from trdinger.errors import SourceError
from trdinger.legacy.judging import BadValue, Found, Row, judge
from trdinger.legacy.source import Source, Text, quoted
from trdinger.legacy.values import APPLICATION_FORMS, STRICT, Rules, Value
from trdinger.schema.shape import ARROW, Column, TableShape

Bound = str | int | float | None

ROWID = "rowid"
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


@dataclass
class Rows:
    """What a span holds: `table` in the target's types, sorted by time; what judging its rows found.

    Rows with a value that did not fit are not in `table`, nor those that the reader leaves out.
    read: the rows of the span in the file.
    """

    table: pa.Table
    found: Found = field(default_factory=Found)
    read: int = 0

    @property
    def converted(self) -> Counter[tuple[str, str]]:
        return self.found.converted

    @property
    def bad(self) -> list[BadValue]:
        return self.found.bad


class SeriesReader:
    """Reads one series table of a source. Holds one connection; use it from one thread at a time.

    names: the columns that it gives, which are all but the segment's; one that the file lacks is null.
    """

    def __init__(
        self,
        connection: Any,
        source: Source,
        shape: TableShape,
        present: tuple[str, ...],
        *,
        rules: Rules = STRICT,
        without: Collection[Row] = (),
        rowids: bool = False,
    ) -> None:
        assert shape.series is not None
        self.shape = shape
        self.series = shape.series
        self.source = source
        self.names = tuple(name for name in shape.column_names if name not in self.series.segment_by)
        self.schema = shape.arrow(self.names)
        if rowids:
            self.schema = self.schema.append(pa.field(ROWID, pa.int64()))
        self._present = tuple(name for name in self.names if name in present)
        self._connection = connection
        self._rules = rules
        self._rowids = rowids
        self._without = without if isinstance(without, frozenset) else frozenset(without)
        self._left_out = np.fromiter((row for row in self._without if isinstance(row, int)), dtype=np.int64)

    def read(self, span: Span, *, rows: int) -> Rows:
        """The rows of a span that have a time. `rows` says about how many. Raises SourceError."""
        held = self._vectorised(self._fetch(span, rows)) or self._cell_by_cell(span)
        held.table = self._sorted(held.table)
        return held

    def _fetch(self, span: Span, rows: int) -> pa.Table | None:
        """The span as the driver gives it; None where the driver cannot, or would change a value."""
        columns = [*map(quoted, self._present), *([ROWID] if self._without or self._rowids else [])]
        query, values = statement(self.shape, span, ", ".join(columns))
        options = {"adbc.sqlite.query.batch_rows": str(max(rows, 1) + 1)}
        try:
            with self._connection.cursor(adbc_stmt_kwargs=options) as cursor:
                cursor.execute(query, values)
                stream = cursor.fetch_record_batch()
                batches = list(stream)
        except (OSError, pa.ArrowInvalid, AdbcError):
            return None  # a mixture without a type, or a file at fault: the other way says which
        # The driver fixes a column's type by its first batch and takes a later blob for a text.
        return pa.Table.from_batches(batches, stream.schema) if len(batches) <= 1 else None

    def _vectorised(self, raw: pa.Table | None) -> Rows | None:
        if raw is None:
            return None
        read = raw.num_rows
        if self._without:
            left_out = np.isin(_single(raw.column(len(self._present))).to_numpy(), self._left_out)
            raw = raw.filter(pa.array(~left_out)) if left_out.any() else raw
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
        if self._rowids:
            arrays.append(_single(raw.column(len(self._present))))
        return Rows(pa.Table.from_arrays(arrays, schema=self.schema), read=read)

    def _cell_by_cell(self, span: Span) -> Rows:
        columns = ", ".join(map(quoted, self._present))
        query, values = statement(self.shape, span, f"rowid, {columns}")
        segment = {
            name: Text(value.encode())
            for name, value in zip(self.series.segment_by, span.segment, strict=True)
        }
        found = Found()
        kept: dict[str, list[Value]] = {name: [] for name in self.names}
        rowids: list[int] = []
        read = 0
        with self.source.connect() as connection:
            for rowid, *cells in connection.execute(query, values):
                read += 1
                if rowid in self._without:
                    continue
                row = judge(
                    self.shape, self._present, rowid, cells, found=found, rules=self._rules, more=segment
                )
                if row is not None:
                    given = dict(zip(self._present, row, strict=True))
                    for name, into in kept.items():
                        into.append(given.get(name))
                    rowids.append(rowid)
        arrays = [_array(self.shape.column(name), cells) for name, cells in kept.items()]
        if self._rowids:
            arrays.append(pa.array(rowids, pa.int64()))
        return Rows(pa.Table.from_arrays(arrays, schema=self.schema), found, read)

    def _sorted(self, table: pa.Table) -> pa.Table:
        if increasing(times(table, self.series.time), strictly=False):
            return table
        return table.sort_by([(self.series.time, "ascending"), ("id", "ascending")])


def statement(shape: TableShape, span: Span, columns: str) -> tuple[str, list[Bound]]:
    """What reads `columns` (SQL) of a span's rows in the order of their times: statement and values."""
    assert shape.series is not None
    time = quoted(shape.series.time)
    where = [f"{quoted(name)} = ? {EXACTLY}" for name in shape.series.segment_by]
    values: list[Bound] = [*span.segment]
    if span.after is not None:
        where.append(f"{time} > ?")
        values.append(span.after)
    if span.until is not None:
        where.append(f"{time} <= ?")
        values.append(span.until)
    if span.after is None and span.until is None:
        where.append(f"{time} IS NOT NULL")
    return f"SELECT {columns} FROM {quoted(shape.name)} WHERE {' AND '.join(where)} ORDER BY {time}", values


@contextmanager
def series_reader(
    source: Source,
    shape: TableShape,
    present: tuple[str, ...],
    *,
    rules: Rules = STRICT,
    without: Collection[Row] = (),
    rowids: bool = False,
) -> Iterator[SeriesReader]:
    """A reader for one series table; `present` names the columns that the file has. Raises SourceError.

    without: rows that it leaves out. rowids: give each row's rowid, too, as the last column.
    """
    import adbc_driver_sqlite.dbapi as adbc  # noqa: PLC0415  # a third of a second where pandas is

    try:
        opened = adbc.connect(source.uri, autocommit=True)
    except AdbcError as error:
        source.check()
        raise SourceError(f"{source.path} cannot be opened: {error}.") from None
    with opened as connection:
        yield SeriesReader(connection, source, shape, present, rules=rules, without=without, rowids=rowids)


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
