"""What is handed in to be stored, as one Arrow table in the declaration's types.

Takes Arrow tables and whatever speaks Arrow's C stream (pandas 2.2 and later, polars, a store's frame), and
mappings, one a row. A value that cannot be taken over becomes null and is told with its place; whether
the others make sense is `soundness`' affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trdinger.declaration import Series
from trdinger.errors import UsageError
from trdinger.schema.shape import Column, shape
from trdinger.store.asked import NaiveTime

Rows = Any
"""An Arrow table, anything with `__arrow_c_stream__`, or mappings by column name."""

_TAKEN = "an Arrow table, a DataFrame, or a list of dictionaries"


@dataclass(frozen=True)
class Strange:
    """A value that cannot be what its column holds."""

    at: int
    column: str
    value: object
    reason: str


@dataclass(frozen=True)
class Observations:
    """Rows in the order they were handed in, every writable column of the series; and what was no value."""

    table: pa.Table
    strange: list[Strange] = field(default_factory=list)


def writable(series: Series) -> tuple[Column, ...]:
    """The columns that are handed in: all but those that the database fills."""
    return tuple(column for column in shape(series.table).columns if not column.default)


def observations(series: Series, given: Rows, same: Mapping[str, str | None]) -> Observations:
    """The rows in the types of the series. `same` names what holds for all of them, as their symbol.

    A column that may be null and is not there is null; when rows were saved is now.
    Raises NaiveTime; UsageError for a column that is missing, unknown, or of another kind.
    """
    strange: list[Strange] = []
    columns = {column.name: column for column in writable(series)}
    found = _columns(series, given, columns, strange)
    rows = len(next(iter(found.values()))) if found else 0
    for name, value in same.items():
        if value is not None:
            if name in found:
                raise UsageError(f"The rows have a {name} of their own.", hint=f"Leave out {name}=, or it.")
            found[name] = pa.repeat(pa.scalar(value, pa.string()), rows)
    if series.saved is not None and series.saved not in found:
        found[series.saved] = pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), rows)
    lacking = [one.name for one in columns.values() if not one.nullable and one.name not in found]
    if lacking and (rows or found):
        raise UsageError(
            f"The rows lack {', '.join(lacking)}.",
            hint=f"Columns are: {', '.join(one.name + ('?' * one.nullable) for one in columns.values())}.",
        )
    schema = shape(series.table).arrow(tuple(columns))
    arrays = [
        found[name] if name in found else pa.nulls(rows, schema.field(name).type) for name in schema.names
    ]
    return Observations(pa.Table.from_arrays(arrays, schema=schema), strange)


def _columns(
    series: Series, given: Rows, columns: Mapping[str, Column], strange: list[Strange]
) -> dict[str, Any]:
    kinds = {name: shape(series.table).arrow((name,)).field(0).type for name in columns}
    if hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__"):
        table = given if isinstance(given, pa.Table) else pa.table(given)
        _no_others(table.column_names, columns)
        return {name: _cast(name, table.column(name), kinds[name], strange) for name in table.column_names}
    if isinstance(given, Mapping | str | bytes) or not isinstance(given, Iterable):
        raise UsageError(f"A {type(given).__name__} is no table of rows.", hint=f"Hand in {_TAKEN}.")
    rows = list(given)
    if not all(isinstance(row, Mapping) for row in rows):
        raise UsageError("Not every row is a mapping by column name.", hint=f"Hand in {_TAKEN}.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    _no_others(names, columns)
    return {name: _built(name, [row.get(name) for row in rows], kinds[name], strange) for name in names}


def _no_others(names: Iterable[str], columns: Mapping[str, Column]) -> None:
    if others := [str(name) for name in names if name not in columns]:
        raise UsageError(
            f"Nothing is stored as {', '.join(others)}.", hint=f"Columns are: {', '.join(columns)}."
        )


def _cast(name: str, column: pa.ChunkedArray, kind: pa.DataType, strange: list[Strange]) -> pa.ChunkedArray:
    """A column in its type. A time that microseconds do not hold is strange."""
    if pa.types.is_timestamp(kind):
        return _moments(name, column, kind, strange)
    given = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    texts = pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given)
    numbers = pa.types.is_floating(given) or pa.types.is_integer(given) or pa.types.is_decimal(given)
    if not (pa.types.is_null(given) or (texts if pa.types.is_string(kind) else numbers)):
        raise UsageError(f"The column {name} is {column.type}; it has to be {kind}.")
    return column.cast(given).cast(kind, safe=False)


def _moments(
    name: str, column: pa.ChunkedArray, kind: pa.DataType, strange: list[Strange]
) -> pa.ChunkedArray:
    if pa.types.is_null(column.type):
        return column.cast(kind)
    if not pa.types.is_timestamp(column.type):
        raise UsageError(
            f"The column {name} is {column.type}; times are timestamps with an offset.",
            hint="In Arrow timestamp('us', 'UTC'), in pandas to_datetime(…, utc=True).",
        )
    if column.type.tz is None and column.null_count < len(column):
        raise NaiveTime(
            f"The times of {name} have no offset.", hint="Say which: tz_localize('UTC') in pandas, for one."
        )
    cut = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if column.type.unit == "ns":
        finer = pc.not_equal(column, cut.cast(column.type, safe=False)).fill_null(False)
        strange += [
            Strange(at, name, str(column[at]), "finer than a microsecond")
            for at in map(int, np.flatnonzero(finer.to_numpy()))
        ]
    return cut.cast(kind)


def _built(name: str, values: list[object], kind: pa.DataType, strange: list[Strange]) -> pa.Array:
    """A column out of Python's values, each of which has to be one of its kind."""
    check: Callable[[str, object], str | None]
    check = {"timestamp": _moment, "double": _number, "string": _text}[str(kind).partition("[")[0]]
    if set(map(type, values)) <= _PLAIN[check]:  # by far the most columns: no value need be looked at
        _with_offsets(name, values)
        return pa.array(values, kind)
    kept = []
    for at, value in enumerate(values):
        reason = None if value is None else check(name, value)
        if reason is not None:
            strange.append(Strange(at, name, value, reason))
        kept.append(None if reason is not None else value)
    return pa.array(kept, kind)


def _with_offsets(name: str, values: list[Any]) -> None:
    """Raise NaiveTime for a time without an offset."""
    naive = next((one for one in values if isinstance(one, datetime) and one.tzinfo is None), None)
    if naive is not None:
        raise NaiveTime(f"{name} {naive} has no offset.", hint="Say which: datetime(…, tzinfo=UTC).")


def _moment(name: str, value: object) -> str | None:
    if not isinstance(value, datetime):
        return "no time"
    _with_offsets(name, [value])
    return None


def _number(_: str, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        return "no number"
    return "an integer that no float holds" if isinstance(value, int) and abs(value) > 1 << 53 else None


def _text(_: str, value: object) -> str | None:
    return None if isinstance(value, str) else "no text"


# Types whose values every one can be taken over.
_PLAIN: dict[Callable[[str, object], str | None], set[type]] = {
    _moment: {datetime, type(None)},
    _number: {float, type(None)},
    _text: {str, type(None)},
}
