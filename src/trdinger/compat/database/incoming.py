"""The application's records, dictionaries of Python values, as the table of rows that they mean.

They are taken as they are: a number is what `float` makes of it, a time without an offset is UTC, a text can
stand for a time. What a table does not hold is its to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from trdinger.declaration import Series
from trdinger.errors import UsageError
from trdinger.schema.shape import ARROW, Column, Kind, shape


def table_of(series: Series, records: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Records in the types of the series. A key that some lack is null there.

    Raises UsageError for a key that is no column, one that all lack and none may, a value of another kind.
    """
    columns = {column.name: column for column in shape(series.table).columns if column.name != "id"}
    names = dict.fromkeys(name for record in records for name in record)
    if others := [str(name) for name in names if name not in columns]:
        raise UsageError(f"{series.table} has no {', '.join(others)}.", hint=f"It has: {', '.join(columns)}.")
    if lacking := [
        name for name, one in columns.items() if name not in names and not (one.nullable or one.default)
    ]:
        raise UsageError(f"The records lack {', '.join(lacking)}.")
    kept = tuple(name for name in columns if name in names)
    arrays = [_array(columns[name], [record.get(name) for record in records]) for name in kept]
    return pa.Table.from_arrays(arrays, schema=shape(series.table).arrow(kept))


def moment(value: datetime | str) -> datetime:
    """A time; without an offset it is UTC. Raises ValueError, AttributeError for what is none."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _array(column: Column, values: list[Any]) -> pa.Array:
    plain, make = _KINDS[column.kind]
    if not all(isinstance(value, plain) or value is None for value in values):
        values = [_made(column, at, value, make) for at, value in enumerate(values)]
    return pa.array(values, ARROW[column.kind])


def _made(column: Column, at: int, value: object, make: Callable[[Any], object]) -> object:
    try:
        return None if value is None else make(value)
    except (TypeError, ValueError, AttributeError):
        raise UsageError(f"{column.name} of record {at} is {value!r}, which is no {column.kind}.") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


# Of each kind what Arrow takes as it is (a time without an offset as UTC), and what makes it of others.
_KINDS: dict[Kind, tuple[type | tuple[type, ...], Callable[[Any], object]]] = {
    "text": (str, _text),
    "float": (float, float),
    "time": (datetime, moment),
}
