"""Arrow rows as PostgreSQL's binary COPY.

Rows whose columns are each full or empty, which is nearly all that the application writes, have one
length and one layout: a template repeated, into which each column is laid at once. Others go through
pgpq, value by value, at a third of the speed. Both give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from trdinger.declaration import Series

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # the signature, no flags, no extension
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_POSTGRES_EPOCH = 946_684_800_000_000  # microseconds from 1970 to 2000
_BLOCK = 4096  # rows laid out at a time: what stays in a core's cache


def encode(
    series: Series, rows: pa.Table, segment: tuple[str, ...]
) -> tuple[tuple[str, ...], bytearray | memoryview]:
    """The columns and the bytes of one COPY for rows of one series; the segment's values join every row."""
    names = (*series.segment_by, *rows.column_names)
    layout = _layout(rows, segment)
    return names, _laid_out(layout, rows.num_rows) if layout is not None else _by_value(names, rows, segment)


@dataclass(frozen=True)
class _Layout:
    """A row with every value zero, and what is laid where: an offset, a type as it is sent, the values."""

    template: bytes
    columns: list[tuple[int, str, npt.NDArray[np.generic]]]


def _layout(rows: pa.Table, segment: tuple[str, ...]) -> _Layout | None:
    """How rows are laid out; None where they have several lengths or a type that is not known here."""
    template = bytearray((len(segment) + rows.num_columns).to_bytes(2, "big"))
    for value in segment:
        text = value.encode()
        template += len(text).to_bytes(4, "big") + text
    columns: list[tuple[int, str, npt.NDArray[np.generic]]] = []
    for column in rows.columns:
        if column.null_count == rows.num_rows:
            template += _NULL
            continue
        sent = _sent(column)
        if column.null_count or sent is None:
            return None
        kind, values = sent
        width = np.dtype(kind).itemsize
        template += width.to_bytes(4, "big")
        columns.append((len(template), kind, values))
        template += bytes(width)
    return _Layout(bytes(template), columns)


def _sent(column: pa.ChunkedArray) -> tuple[str, npt.NDArray[np.generic]] | None:
    """A column's type as it is sent, most significant byte first, and its values."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "us":
        return ">i8", np.asarray(column.cast(pa.int64()).to_numpy()) - _POSTGRES_EPOCH
    kind = {pa.float64(): ">f8", pa.int64(): ">i8", pa.int32(): ">i4"}.get(column.type)
    return (kind, np.asarray(column.to_numpy())) if kind is not None else None


def _laid_out(layout: _Layout, rows: int) -> memoryview:
    size = len(layout.template)
    whole = np.empty(len(_HEADER) + rows * size + len(_TRAILER), dtype=np.uint8)
    whole[: len(_HEADER)] = np.frombuffer(_HEADER, np.uint8)
    whole[len(whole) - len(_TRAILER) :] = np.frombuffer(_TRAILER, np.uint8)
    template = np.frombuffer(layout.template, np.uint8)
    body = whole[len(_HEADER) : len(whole) - len(_TRAILER)]
    record = np.dtype(
        {
            "names": [str(offset) for offset, _, _ in layout.columns],
            "formats": [kind for _, kind, _ in layout.columns],
            "offsets": [offset for offset, _, _ in layout.columns],
            "itemsize": size,
        }
    )
    for start in range(0, rows, _BLOCK):
        block = body[start * size : (start + _BLOCK) * size]
        block.reshape(-1, size)[:] = template
        records = block.view(record)
        for offset, _, values in layout.columns:
            records[str(offset)] = values[start : start + _BLOCK]
    return whole.data


def _by_value(names: tuple[str, ...], rows: pa.Table, segment: tuple[str, ...]) -> bytearray:
    constant = [pa.repeat(pa.scalar(value, pa.string()), rows.num_rows) for value in segment]
    table = pa.Table.from_arrays([*constant, *rows.columns], names=list(names))
    encoder = ArrowToPostgresBinaryEncoder(table.schema)
    buffer = bytearray(encoder.write_header())
    for batch in table.to_batches():
        buffer += encoder.write_batch(batch)
    buffer += encoder.finish()
    return buffer
