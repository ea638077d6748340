"""Pieces of files in the target's types: all columns at once where all values fit, else cell by cell.

The rules are those of a move: `legacy.values` judges each value that is not plainly right. CSV has no
types, so there a number's text is that number, and a time's text of nine digits or more an epoch's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from types import NoneType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trdinger.export.form import in_years
from trdinger.export.formats import Format
from trdinger.export.pieces import Piece
from trdinger.legacy.judging import Found, judge
from trdinger.legacy.misfit import Misfit
from trdinger.legacy.rejects import decode
from trdinger.legacy.source import Text
from trdinger.legacy.values import Rules, Stored, Value, convert
from trdinger.schema.shape import ARROW, Column, TableShape

NUMBER = "row"  # the column that a fitted piece has beside those of the table: the row's number in its file
_TRUTHS = {b"true": 1, b"false": 0, b"1": 1, b"0": 0, b"t": 1, b"f": 0}
_NOT_FINITE = {b"nan": math.nan, b"inf": math.inf, b"-inf": -math.inf}
_DECIMAL = re.compile(rb"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_EPOCH = re.compile(rb"\d{9,}(\.\d+)?")
# What CSV's texts look like where an export wrote them; any other is read by the rules.
_CSV_FORMS = {
    "integer": "^-?[0-9]{1,18}$",
    "float": "^(-?[0-9]+([.][0-9]+)?(e[+-]?[0-9]+)?|nan|-?inf)$",
    "boolean": "^(true|false)$",
}


def fit(form: Format, shape: TableShape, piece: Piece, rules: Rules, found: Found) -> pa.Table:
    """The rows of a piece that fit, in the types of the shape, with their numbers; `found` gets the rest."""
    fitted = _at_once(form, shape, piece)
    return fitted if fitted is not None else _cell_by_cell(form, shape, piece, rules, found)


def values_of(form: Format, shape: TableShape, piece: Piece, number: int) -> Mapping[str, Stored]:
    """The values of a row as they were in the file, for a rejects file."""
    at = piece.numbers.index(number)
    return {
        name: _stored(form, shape.column(name), _cell(cells, at)) for name, cells in piece.columns.items()
    }


def _at_once(form: Format, shape: TableShape, piece: Piece) -> pa.Table | None:
    arrays: dict[str, Any] = {}
    for name, cells in piece.columns.items():
        column = shape.column(name)
        try:
            given = _typed(form, column, cells)
            fitted = _fitted(column, given) if given is not None else None
        except (pa.ArrowException, OverflowError, ValueError):
            return None
        if fitted is None:
            return None
        arrays[name] = fitted
    return pa.table(arrays | {NUMBER: pa.array(piece.numbers, pa.int64())})


def _typed(form: Format, column: Column, cells: Any) -> Any:
    """Cells as Arrow's values of about the right type; None or an Arrow error where they are not."""
    if form is Format.PARQUET:
        return cells
    if form is Format.JSONL:
        if not set(map(type, cells)) <= _JSON_VALUES[column.kind]:  # Arrow would make 1 of 1.5, 1.0 of true
            return None
        return pa.chunked_array([pa.array(cells, _JSON_TYPES[column.kind])])
    texts = cells.cast(pa.string())
    if column.kind in _CSV_FORMS:
        if pc.all(pc.match_substring_regex(texts, _CSV_FORMS[column.kind])).as_py() is False:
            return None
        values = texts.cast(ARROW[column.kind])
        return None if column.kind == "float" and _overflows(texts, values) else values
    return texts


def _overflows(texts: pa.ChunkedArray, values: pa.ChunkedArray) -> bool:
    """Whether digits became an infinity."""
    infinite = pc.sum(pc.is_inf(values)).as_py() or 0
    return bool(infinite > (pc.sum(pc.match_substring(texts, "inf")).as_py() or 0))


def _fitted(column: Column, array: pa.ChunkedArray) -> Any:
    """The array in the target's type; None or an Arrow error when its cells must be looked at."""
    if array.null_count and not column.nullable:
        return None
    if array.null_count == len(array):
        return pa.nulls(len(array), ARROW[column.kind])
    fitted = _CASTS[column.kind](array)
    return fitted if fitted is not None and _within(column, fitted) else None


def _within(column: Column, array: pa.ChunkedArray) -> bool:
    """Whether the column holds values of this size."""
    if column.kind == "time":
        return in_years(array)
    if column.kind == "integer":
        span, limit = pc.min_max(array), 1 << (column.bits - 1)
        return bool(-limit <= span["min"].as_py() and span["max"].as_py() < limit)
    if column.kind == "text":
        too_long = column.length is not None and pc.max(pc.utf8_length(array)).as_py() > column.length
        return not too_long and not pc.any(pc.match_substring(array, "\x00")).as_py()
    return True


def _time(array: pa.ChunkedArray) -> Any:
    if pa.types.is_timestamp(array.type):
        moments = array.cast(pa.timestamp("us", array.type.tz))
        return moments.cast(pa.int64()).cast(pa.timestamp("us")).cast(ARROW["time"])
    if not pa.types.is_string(array.type):
        return None
    # Only the form that an export writes: any other is read by the rules.
    lengths = pc.min_max(pc.binary_length(array))
    if lengths["min"].as_py() != lengths["max"].as_py() or lengths["max"].as_py() != 27:
        return None
    if not pc.all(pc.match_substring_regex(array, "^[0-9-]{10} [0-9:]{8}[.][0-9]{6}Z$")).as_py():
        return None
    return array.cast(ARROW["time"])


def _float(array: pa.ChunkedArray) -> Any:
    numbers = pa.types.is_floating(array.type) or pa.types.is_integer(array.type)
    return array.cast(pa.float64()) if numbers else None


def _integer(array: pa.ChunkedArray) -> Any:
    return array.cast(pa.int64()) if pa.types.is_integer(array.type) else None


def _boolean(array: pa.ChunkedArray) -> Any:
    return array if pa.types.is_boolean(array.type) else None


def _text(array: pa.ChunkedArray) -> Any:
    texts = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    return array.cast(pa.string()) if texts or pa.types.is_dictionary(array.type) else None


def _document(array: pa.ChunkedArray) -> Any:
    texts = _text(array)
    if texts is None:
        return None
    column = Column("document", "json", nullable=True)
    for text in texts.to_pylist():
        if text is not None:
            try:
                if convert(column, Text(text.encode()))[0] != text:
                    return None
            except (Misfit, UnicodeEncodeError):
                return None
    return texts


def _cell_by_cell(form: Format, shape: TableShape, piece: Piece, rules: Rules, found: Found) -> pa.Table:
    names = tuple(piece.columns)
    columns = [shape.column(name) for name in names]
    lists = [_cells(piece.columns[name]) for name in names]
    used = Rules(text_numbers=True) if form is Format.CSV else rules
    kept: list[list[Value]] = []
    numbers: list[int] = []
    for number, cells in zip(piece.numbers, zip(*lists, strict=True), strict=True):
        stored = [_stored(form, column, cell) for column, cell in zip(columns, cells, strict=True)]
        row = judge(shape, names, number, stored, found=found, rules=used)
        if row is not None:
            kept.append(row)
            numbers.append(number)
    by_column = list(zip(*kept, strict=True)) if kept else [()] * len(names)
    arrays = {
        name: _array(column, cells) for name, column, cells in zip(names, columns, by_column, strict=True)
    }
    return pa.table(arrays | {NUMBER: pa.array(numbers, pa.int64())})


def _cells(cells: Any) -> list[Any]:
    """The cells as Python's values, times as the text that names them."""
    if isinstance(cells, list):
        return cells
    if pa.types.is_temporal(cells.type):
        return cells.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    return cells.to_pylist()  # type: ignore[no-any-return]


def _cell(cells: Any, at: int) -> Any:
    return cells[at] if isinstance(cells, list) else _cells(cells.slice(at, 1))[0]


def _stored(form: Format, column: Column, cell: Any) -> Stored:
    """A cell as SQLite would have stored it."""
    if form is Format.CSV:
        return None if cell is None else _from_csv(column, cell)
    if isinstance(cell, bool):
        return int(cell) if column.kind == "boolean" else _nothing_that_fits(cell)
    if cell is None or isinstance(cell, int | float | bytes):
        return cell
    if isinstance(cell, str):
        return Text(cell.encode("utf-8", "surrogatepass"))
    if isinstance(cell, dict) and column.kind == "float":
        with suppress(ValueError):
            return decode(cell)
    return _nothing_that_fits(cell)


def _nothing_that_fits(cell: Any) -> bytes:
    """A value of a type that no column takes, as what no rule takes for anything: a blob."""
    return json.dumps(cell, default=str).encode()


def _from_csv(column: Column, cell: bytes) -> Stored:
    if column.kind == "boolean" and cell.lower() in _TRUTHS:
        return _TRUTHS[cell.lower()]
    if column.kind == "float" and cell.lower() in _NOT_FINITE:
        return _NOT_FINITE[cell.lower()]
    if column.kind == "float" and _DECIMAL.fullmatch(cell) and math.isfinite(float(cell)):
        return float(cell)
    if column.kind == "time" and _EPOCH.fullmatch(cell):
        return float(cell) if b"." in cell else int(cell)
    return Text(cell)


def _array(column: Column, cells: Any) -> pa.Array:
    target = ARROW[column.kind]
    if column.kind == "time":
        return pa.array(cells, pa.int64()).cast(pa.timestamp("us")).cast(target)
    return pa.array(cells, target)


_CASTS = {
    "time": _time,
    "float": _float,
    "integer": _integer,
    "boolean": _boolean,
    "text": _text,
    "json": _document,
}
_JSON_TYPES = ARROW | {"time": pa.string()}
_JSON_VALUES: dict[str, set[type]] = {
    "time": {str, NoneType},
    "float": {float, int, NoneType},
    "integer": {int, NoneType},
    "boolean": {bool, NoneType},
    "text": {str, NoneType},
    "json": {str, NoneType},
}
