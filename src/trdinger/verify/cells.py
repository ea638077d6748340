"""One form for each value, from either side: what is equal in it is equal, and nothing else is.

Floats bit for bit, times as instants, JSON as values: every number exactly, whatever its form and
whatever the order of keys.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from psycopg import sql

from trdinger.legacy.documents import parse_json
from trdinger.legacy.misfit import Misfit
from trdinger.legacy.values import Value
from trdinger.schema.shape import Column

HASH_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LENGTH = struct.Struct("<q")
_FLOAT = struct.Struct("<d")


def fingerprint(columns: Sequence[Column], cells: Sequence[Value]) -> bytes:
    """128 bits of a row, or of a part of it: the same for the same values, from either side."""
    hashed = blake2b(digest_size=HASH_BYTES)
    for column, cell in zip(columns, cells, strict=True):
        form = canonical(column, cell)
        hashed.update(_LENGTH.pack(-1) if form is None else _LENGTH.pack(len(form)))
        if form:
            hashed.update(form)
    return hashed.digest()


def canonical(column: Column, cell: Value) -> bytes | None:
    """A value's own form; None for null."""
    if cell is None or isinstance(cell, bytes):
        return cell
    if column.kind == "float" and isinstance(cell, float):
        return _FLOAT.pack(cell)
    if column.kind == "json" and isinstance(cell, str):
        try:
            return _document(parse_json(cell)).encode("utf-8", "surrogatepass")
        except (Misfit, RecursionError):  # deeper, or otherwise, than anything that was moved
            return b"?" + cell.encode("utf-8", "surrogatepass")
    return str(cell).encode("utf-8", "surrogatepass")


def selected(column: Column) -> sql.Composed:
    """How a column of the target is asked for, so that nothing in it is beyond what Python can hold."""
    name = sql.Identifier(column.name)
    if column.kind == "time":
        return sql.SQL("round(extract(epoch FROM {}) * 1000000)::text").format(name)
    if column.kind in {"json", "date"}:
        return sql.SQL("{}::text").format(name)
    return sql.SQL("{}").format(name)


def from_target(column: Column, cell: Any) -> Value:
    """A cell as `selected` gives it, in the form of the source's."""
    if column.kind == "time" and isinstance(cell, str):
        return int(cell) if cell.removeprefix("-").isdigit() else cell
    return bytes(cell) if isinstance(cell, memoryview) else cell


def show(column: Column, cell: Value) -> str:
    """A value for people."""
    if cell is None:
        return "null"
    if column.kind == "time" and isinstance(cell, int):
        try:
            return str(_EPOCH + timedelta(microseconds=cell))
        except OverflowError:
            return f"{cell} µs since 1970"
    return f"x'{cell.hex()}'" if isinstance(cell, bytes) else repr(cell)


def _document(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{json.dumps(key)}:{_document(value[key])}" for key in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_document, value)) + "]"
    return _number(value) if isinstance(value, Decimal) else json.dumps(value)


def _number(value: Decimal) -> str:
    """A number without the zeros at its end, which say nothing: 1.50 and 15e-1 are the same."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    return f"{'-' if sign else ''}{stripped}e{exponent + len(text) - len(stripped)}" if stripped else "0"
