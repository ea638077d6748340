"""Series over a connection that is handed in, in its transaction: what it has not committed is seen, too.

On PostgreSQL rows come by binary COPY and are read column by column, without an object per cell. On SQLite
times compare as the texts that they are, as the existing application compares them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from trdinger.declaration import Series
from trdinger.engine.borrowed import Borrowed
from trdinger.errors import SourceError, TargetError
from trdinger.schema.shape import Column, shape
from trdinger.store.side import Between

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_2000 = (
    946_684_800_000_000  # microseconds from 1970, where Arrow counts from, to 2000, as PostgreSQL does
)
_HEADER = 19  # bytes of a binary COPY before its rows: signature, flags, the length of nothing more
_TRAILER = 2
_FORMS = {"time": ">i8", "float": ">f8"}
# On Community a transaction may unpack so many rows of compressed chunks; all of a series may be more.
_LIMIT = "timescaledb.max_tuples_decompressed_per_dml_transaction"


def rows(
    connection: Borrowed,
    series: Series,
    segment: tuple[str, ...],
    between: Between,
    names: Sequence[str],
    *,
    limit: int | None = None,
) -> pa.Table:
    """These columns, times and numbers, of one series in a range of time: oldest first, no more than `limit`.

    Raises SourceError for a value of a file that is neither.
    """
    columns = [shape(series.table).column(name) for name in names]
    mark = "?" if connection.dialect == "sqlite" else "%s"
    where = [f"{name} = {mark}" for name in series.segment_by]
    values: list[object] = [*segment]
    for moment, sign in ((between.start, ">="), (between.end, "<")):
        if moment is not None:
            where.append(f"{series.time} {sign} {mark}")
            at = _EPOCH + timedelta(microseconds=moment)
            values.append(f"{at:%Y-%m-%d %H:%M:%S.%f}" if mark == "?" else at)
    rest = f"FROM {series.table} WHERE {' AND '.join(where)} ORDER BY {series.time}"
    if limit is not None:
        rest += f" LIMIT {limit:d}"
    if connection.dialect == "sqlite":
        found = connection.rows(f"SELECT {', '.join(names)} {rest}", values)
        cells = zip(*found, strict=True) if found else ([] for _ in columns)
        arrays = [_stored(series, column, list(each)) for column, each in zip(columns, cells, strict=True)]
    else:
        listed = ", ".join(map(_asked, columns))
        data = connection.copy_out(f"COPY (SELECT {listed} {rest}) TO STDOUT (FORMAT binary)", values)
        arrays = _sent(columns, data)
    return pa.Table.from_arrays(arrays, schema=shape(series.table).arrow(tuple(names)))


def distinct(connection: Borrowed, table: str, column: str) -> list[Any]:
    """The values of a column, sorted. Where an index begins with it as long as there are values, not rows."""
    statement = f"""
        WITH RECURSIVE w (value) AS (
            SELECT min({column}) FROM {table}
            UNION ALL
            SELECT (SELECT min({column}) FROM {table} WHERE {column} > w.value) FROM w WHERE value IS NOT NULL
        ) SELECT value FROM w WHERE value IS NOT NULL"""
    return [row[0] for row in connection.rows(statement)]


def clear(connection: Borrowed, series: Series, which: Mapping[str, str]) -> int:
    """Delete the rows that have these values, all without any; how many they were.

    They are counted, for servers told 0 of what they deleted from compressed chunks. Raises TargetError
    where some are still there.
    """
    mark = "?" if connection.dialect == "sqlite" else "%s"
    rest = f"FROM {series.table} WHERE {' AND '.join(f'{name} = {mark}' for name in which) or '1 = 1'}"
    values = list(which.values())
    ((before,),) = connection.rows(f"SELECT count(*) {rest}", values)
    with connection.whole(), _unlimited(connection):
        connection.run(f"DELETE {rest}", values)
        if connection.rows(f"SELECT 1 {rest} LIMIT 1", values):
            raise TargetError(
                f"Some rows of {series.table} are still there after they were deleted.",
                hint="Undo the transaction; then try again, when nobody writes to them.",
            )
    return int(before)


def _asked(column: Column) -> str:
    """What is asked for a column: a null as a value and a flag, so that each row has the same length."""
    if not column.nullable:
        return column.name
    zero = "0" if column.kind == "float" else "to_timestamp(0)"
    return f"coalesce({column.name}, {zero}), {column.name} IS NULL"


def _sent(columns: Sequence[Column], data: bytes | bytearray) -> list[pa.Array]:
    """The columns of a binary COPY."""
    fields = [("columns", ">i2")]
    for column in columns:
        fields += [(f"length of {column.name}", ">i4"), (column.name, _FORMS[column.kind])]
        if column.nullable:
            fields += [(f"length of no {column.name}", ">i4"), (f"no {column.name}", "?")]
    sent = np.frombuffer(
        data, np.dtype(fields), (len(data) - _HEADER - _TRAILER) // np.dtype(fields).itemsize, _HEADER
    )
    arrays = []
    for column in columns:
        values = sent[column.name].astype(_FORMS[column.kind].replace(">", "="))
        lacking = sent[f"no {column.name}"] if column.nullable else None
        if column.kind == "time":
            values = (values + _YEAR_2000).view("datetime64[us]")
        array = pa.array(values, mask=lacking)
        arrays.append(array.cast(pa.timestamp("us", "UTC")) if column.kind == "time" else array)
    return arrays


def _stored(series: Series, column: Column, cells: list[Any]) -> pa.Array:
    """The cells of one column of a file."""
    try:
        if column.kind != "time":
            return pa.array(cells, pa.float64())
        return _times(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as error:
        raise SourceError(
            f"{series.table}.{column.name} holds what is no {column.kind}: {error}.",
            hint="trdinger inspect tells all such values; mend them first.",
        ) from None


def _times(cells: list[Any]) -> pa.Array:
    texts = pa.array(cells, pa.string())
    try:
        return texts.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:  # an offset, more digits than six
        moments = [None if cell is None else datetime.fromisoformat(cell) for cell in cells]
        return pa.array(moments, pa.timestamp("us", "UTC"))


@contextmanager
def _unlimited(connection: Borrowed) -> Iterator[None]:
    """As many rows of compressed chunks may be unpacked as it takes."""
    before = None
    if connection.dialect == "postgresql":
        before = connection.rows(f"SELECT current_setting('{_LIMIT}', true)")[0][0]
    if before is not None:
        connection.run(f"SET LOCAL {_LIMIT} = 0")
    yield
    if before is not None:
        connection.run(f"SET LOCAL {_LIMIT} = {int(before)}")
