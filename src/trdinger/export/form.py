"""A page of rows in the form that the existing application gives them in its file.

Times as YYYY-MM-DD HH:MM:SS.ffffff in UTC, JSON in ASCII with `, ` and `: `, booleans as 0 and 1. What
such a file cannot hold is never changed silently: a row is left out or a cell is changed, and told.

    an infinite time, or one in no year from 1 to 9999           the row is left out
    NaN where null may not be, which is what SQLite makes of it   the row is left out
    NaN where null may be                                        the cell becomes null
    -0.0                                                         the cell becomes 0.0
    a bare number as JSON with more digits than a float has      the cell becomes that float
    a bare number as JSON beyond every float                     the row is left out
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trdinger.schema.shape import Column, TableShape

_YEAR_ONE = -62_135_596_800_000_000  # microseconds from 1970 to 0001-01-01
_YEAR_10000 = 253_402_300_800_000_000
# PostgreSQL's infinities are the ends of its 64 bits; the driver adds what lies between 1970 and 2000.
_FROM_2000 = 946_684_800_000_000
_INFINITIES = {(1 << 63) - 1: "infinity", -(1 << 63): "-infinity"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")
_BARE_NUMBER = "^-?[0-9]"
_WHOLE = re.compile(r"-?\d+")

_Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Unheld:
    """A value that the file cannot hold. became: what stands for it; None where its row was left out."""

    table: str
    row: int | str
    column: str
    value: str
    reason: str
    became: str | None = None

    def __str__(self) -> str:
        what = "its row was left out" if self.became is None else f"it became {self.became}"
        why = self.reason if self.value in self.reason else f"{self.value}: {self.reason}"
        return f"{self.table} row {self.row}, {self.column}: {why}; {what}"


@dataclass
class Lost:
    """What the file does not hold as the database does. left_out: rows, as Arrow in their shape's types."""

    unheld: list[Unheld] = field(default_factory=list)
    left_out: list[pa.Table] = field(default_factory=list)


def in_form(shape: TableShape, page: pa.Table, lost: Lost) -> pa.Table:
    """The rows of a page as SQLite is given them, all columns of the shape; adds to `lost` what is lost."""
    page = holdable(shape, page, lost, numbers=False)
    ids = page.column("id")
    arrays = []
    for column in shape.columns:
        array, changes = _FORMS[column.kind](page.column(column.name))
        arrays.append(array)
        lost.unheld += [
            Unheld(shape.name, ids[at].as_py(), column.name, was, reason, became)
            for at, was, reason, became in changes
        ]
    return pa.Table.from_arrays(arrays, names=list(shape.column_names))


def holdable(shape: TableShape, page: pa.Table, lost: Lost, *, numbers: bool) -> pa.Table:
    """The rows of a page that a file can hold; `lost` gets the others.

    numbers: whether it holds every number, as a SQLite file of the application does not.
    """
    out = np.zeros(page.num_rows, dtype=np.bool_)
    ids = page.column("id")
    for column in shape.columns:
        bad, reason = _unheld(column, page.column(column.name), numbers=numbers)
        if bad is not None:
            out |= bad
            for at in np.flatnonzero(bad):
                shown = show(column, page.column(column.name)[int(at)])
                lost.unheld.append(Unheld(shape.name, ids[int(at)].as_py(), column.name, shown, reason))
    if not out.any():
        return page
    lost.left_out.append(page.filter(pa.array(out)))
    return page.filter(pa.array(~out))


def in_years(moments: pa.ChunkedArray) -> bool:
    """Whether all times are in the years 1 to 9999."""
    span = pc.min_max(moments.cast(pa.int64()))
    first, last = span["min"].as_py(), span["max"].as_py()
    return first is None or (first >= _YEAR_ONE and last < _YEAR_10000)


def show(column: Column, cell: pa.Scalar) -> str:
    """A cell for people, and for a rejects file."""
    if column.kind == "time":
        return moment(cell.cast(pa.int64()).as_py())
    return str(cell.as_py())


def moment(microseconds: int) -> str:
    """A time as PostgreSQL would say it, whatever year it is in."""
    if _YEAR_ONE <= microseconds < _YEAR_10000:
        return str(_EPOCH + timedelta(microseconds=microseconds))
    stored = (microseconds - _FROM_2000 + (1 << 63)) % (1 << 64) - (1 << 63)
    return _INFINITIES.get(stored) or f"{stored + _FROM_2000} microseconds since 1970"


def in_ascii(text: str) -> str:
    r"""JSON with everything beyond ASCII as \uXXXX, as the application writes it. Every number as it is."""
    return _BEYOND_ASCII.sub(_escaped, text)


_Changes = Iterable[tuple[int, str, str, str]]  # place, what it was, why it could not stay, what it became


def _unheld(column: Column, array: pa.ChunkedArray, *, numbers: bool) -> tuple[_Mask | None, str]:
    if column.kind == "time":
        moments = array.cast(pa.int64()).fill_null(0).to_numpy()
        bad = (moments < _YEAR_ONE) | (moments >= _YEAR_10000)
        return (bad if bad.any() else None), "a time in none of the years 1 to 9999"
    if column.kind == "float" and not column.nullable and not numbers:
        bad = np.isnan(array.to_numpy())
        return (bad if bad.any() else None), "SQLite makes null of it, and null may not be here"
    if column.kind == "json" and not numbers:
        bad = np.array([_is_huge(text) for text in array.to_pylist()], dtype=np.bool_)
        return (bad if bad.any() else None), "SQLite keeps a bare number as a float, and none is that large"
    return None, ""


def _time(array: pa.ChunkedArray) -> tuple[Any, _Changes]:
    return array.cast(pa.timestamp("us")).cast(pa.string()), ()


def _float(array: pa.ChunkedArray) -> tuple[Any, _Changes]:
    values = array.fill_null(0.0).to_numpy()
    nan, negative = np.isnan(values), (values == 0) & np.signbit(values)
    if not nan.any() and not negative.any():
        return array, ()
    changes = [(int(at), "NaN", "SQLite makes null of it", "null") for at in np.flatnonzero(nan)]
    changes += [(int(at), "-0.0", "SQLite knows no negative zero", "0.0") for at in np.flatnonzero(negative)]
    return pc.if_else(pa.array(nan), pa.scalar(None, pa.float64()), array), changes


def _boolean(array: pa.ChunkedArray) -> tuple[Any, _Changes]:
    return array.cast(pa.int64()), ()


def _json(array: pa.ChunkedArray) -> tuple[Any, _Changes]:
    texts = [None if text is None else in_ascii(text) for text in array.to_pylist()]
    numbers = pc.match_substring_regex(array, _BARE_NUMBER).fill_null(False).to_numpy()
    changes = []
    for at in np.flatnonzero(numbers):
        became = _as_number(texts[at] or "")
        if became is not None:
            changes.append((int(at), texts[at] or "", "SQLite keeps a bare number as a float", became))
    return pa.array(texts, pa.string()), changes


def _is_huge(text: str | None) -> bool:
    """Whether a document is a bare number beyond every float."""
    return text is not None and text[:1] in "-0123456789" and math.isinf(float(text))


def _as_number(text: str) -> str | None:
    """What SQLite makes of a bare number in a JSON column where that is another number; None where not."""
    if _WHOLE.fullmatch(text) and -(1 << 63) <= int(text) < 1 << 63:
        return None
    became = repr(float(text))
    return None if Decimal(became) == Decimal(text) else became


def _as_it_is(array: pa.ChunkedArray) -> tuple[Any, _Changes]:
    return array, ()


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


_FORMS = {
    "time": _time,
    "float": _float,
    "integer": _as_it_is,
    "boolean": _boolean,
    "json": _json,
    "text": _as_it_is,
}
