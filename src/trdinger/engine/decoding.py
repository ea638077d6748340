"""Rows as PostgreSQL sends them in binary, as Arrow: many at a time, without a Python object per cell.

Rows that follow each other and whose values have the same lengths are a run, and a run is an array of
records: its columns are cut out by numpy. Candles are one run; texts and nulls begin new ones, and what
is in no run worth that is taken row by row.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

ROW = ord("D")  # the message that holds one row
_HEAD = struct.Struct("!ciH")  # its letter, its length but for the letter, its number of columns
_LENGTH = struct.Struct("!i")
_SINCE_2000 = (
    946_684_800_000_000  # microseconds from 1970, where Arrow counts from, to 2000, as PostgreSQL does
)
_WORTH = 16  # rows of a run from which arrays take less time than values one by one
_LOOK = 256  # rows that are looked at before a run is followed to its end


@dataclass(frozen=True)
class _Kind:
    """A type of the server: what Arrow makes of it, its form on the wire ("" for a text), one value."""

    arrow: pa.DataType
    form: str
    one: Callable[[bytes], Any]


def _number(arrow: pa.DataType, form: str, code: str) -> _Kind:
    unpack = struct.Struct(f"!{code}").unpack
    return _Kind(arrow, form, lambda value: unpack(value)[0])


_TEXT = _Kind(pa.string(), "", bytes.decode)
_MOMENT = pa.timestamp("us", tz="UTC")
_TIME = _Kind(_MOMENT, ">i8", lambda value: int.from_bytes(value, "big", signed=True) + _SINCE_2000)
_KINDS: dict[int, _Kind] = {
    16: _number(pa.bool_(), "?", "?"),
    17: _Kind(pa.binary(), "", bytes),
    20: _number(pa.int64(), ">i8", "q"),
    21: _number(pa.int16(), ">i2", "h"),
    23: _number(pa.int32(), ">i4", "i"),
    26: _number(pa.int64(), ">u4", "I"),
    700: _number(pa.float32(), ">f4", "f"),
    701: _number(pa.float64(), ">f8", "d"),
    1184: _TIME,
    **dict.fromkeys((19, 25, 705, 1043), _TEXT),
}


class Rows:
    """The rows of one answer, gathered as they come. columns: name and type (its OID) of each."""

    def __init__(self, columns: Sequence[tuple[str, int]]) -> None:
        for name, oid in columns:
            if oid not in _KINDS:
                raise psycopg.NotSupportedError(
                    f"the column {name} is of a type (OID {oid}) that is not read"
                )
        self._kinds = [_KINDS[oid] for _, oid in columns]
        self._schema = pa.schema([(name, _KINDS[oid].arrow) for name, oid in columns])
        self._batches: list[pa.RecordBatch] = []
        self._single: list[list[Any]] = [[] for _ in columns]

    def take(self, data: bytearray, at: int, end: int) -> int:
        """Take the whole rows that `data` holds from `at` on; where the first of what is left begins."""
        while end - at >= _HEAD.size and data[at] == ROW:
            size = 1 + _LENGTH.unpack_from(data, at + 1)[0]
            if end - at < size:
                break
            lengths = self._lengths(data, at)
            rows = self._run(data, at, end, lengths)
            if rows >= _WORTH:
                self._flush()
                self._batches.append(self._cut(data, at, rows, lengths))
            else:
                rows = 1
                self._one(data, at, lengths)
            at += rows * size
        return at

    def table(self) -> pa.Table:
        """All that was taken."""
        self._flush()
        return pa.Table.from_batches(self._batches, self._schema)

    def _lengths(self, data: bytearray, at: int) -> tuple[int, ...]:
        """How long each value of a row is; -1 for a null."""
        at += _HEAD.size
        lengths = []
        for _ in self._kinds:
            (length,) = _LENGTH.unpack_from(data, at)
            lengths.append(length)
            at += _LENGTH.size + max(length, 0)
        return tuple(lengths)

    def _run(self, data: bytearray, at: int, end: int, lengths: tuple[int, ...]) -> int:
        """How many rows from `at` on have these lengths."""
        record = _record(tuple(kind.form for kind in self._kinds), lengths)
        most = (end - at) // record.itemsize
        for rows in (min(most, _LOOK), most):
            looked = np.frombuffer(data, record, rows, at)
            alike = (looked["letter"] == ROW) & (looked["size"] == record.itemsize - 1)
            for place, length in enumerate(lengths):
                alike &= looked[f"l{place}"] == length
            if not alike.all():
                return int(np.argmin(alike))
        return most

    def _cut(self, data: bytearray, at: int, rows: int, lengths: tuple[int, ...]) -> pa.RecordBatch:
        run = np.frombuffer(data, _record(tuple(kind.form for kind in self._kinds), lengths), rows, at)
        arrays = []
        for place, (kind, length) in enumerate(zip(self._kinds, lengths, strict=True)):
            if length < 0:
                arrays.append(pa.nulls(rows, kind.arrow))
            elif not length:
                arrays.append(pa.repeat(pa.scalar("" if kind is _TEXT else b"", kind.arrow), rows))
            elif not kind.form:
                arrays.append(pa.array(run[f"v{place}"].copy()).cast(kind.arrow))
            else:
                values = run[f"v{place}"].astype(kind.form.replace(">", "="))  # a copy: `data` is used again
                if kind is _TIME:
                    values += _SINCE_2000
                    arrays.append(pa.array(values.view("datetime64[us]")).cast(_MOMENT))
                else:
                    array = pa.array(values)
                    arrays.append(array if array.type == kind.arrow else array.cast(kind.arrow))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _one(self, data: bytearray, at: int, lengths: tuple[int, ...]) -> None:
        at += _HEAD.size
        for kind, length, values in zip(self._kinds, lengths, self._single, strict=True):
            at += _LENGTH.size
            values.append(None if length < 0 else kind.one(bytes(data[at : at + length])))
            at += max(length, 0)

    def _flush(self) -> None:
        if self._single and self._single[0]:
            arrays = [
                pa.array(values, kind.arrow) for values, kind in zip(self._single, self._kinds, strict=True)
            ]
            self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._single = [[] for _ in self._kinds]


@cache
def _record(forms: tuple[str, ...], lengths: tuple[int, ...]) -> np.dtype[Any]:
    """One row of these lengths."""
    fields: list[tuple[str, str]] = [("letter", "u1"), ("size", ">i4"), ("columns", ">u2")]
    for place, (form, length) in enumerate(zip(forms, lengths, strict=True)):
        fields.append((f"l{place}", ">i4"))
        if length > 0:
            fields.append((f"v{place}", form or f"S{length}"))
    return np.dtype(fields)
