"""Compare two Arrow tables of one series, cell by cell, without a Python object per cell.

Floats bit for bit, times as instants, nulls as nulls. Rows meet by their time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trdinger.legacy.reading import times
from trdinger.verify.differences import Difference, TableProof

_Indices = np.ndarray[Any, np.dtype[np.int64]]


def compare(
    source: pa.Table, target: pa.Table, *, time: str, key: Callable[[int], str], proof: TableProof
) -> None:
    """Add to `proof` what differs between two tables of the same columns, both sorted by `time`.

    key: how a row is named, from its time in microseconds. Of rows that share a time the first
    are compared; the others are told.
    """
    ours, theirs = times(source, time), times(target, time)
    proof.rows += len(ours)
    proof.cells += len(ours) * source.num_columns
    if len(ours) == len(theirs) and bool((ours == theirs).all()):
        _cells(source, target, ours, key, proof)
        return
    for moment in np.setdiff1d(ours, theirs):
        proof.add(Difference(proof.table, "missing", key(int(moment))))
    for moment in np.setdiff1d(theirs, ours):
        proof.add(Difference(proof.table, "extra", key(int(moment))))
    mine, at_ours, count_ours = np.unique(ours, return_index=True, return_counts=True)
    other, at_theirs, count_theirs = np.unique(theirs, return_index=True, return_counts=True)
    both, in_ours, in_theirs = np.intersect1d(mine, other, assume_unique=True, return_indices=True)
    more = count_theirs[in_theirs] - count_ours[in_ours]
    for moment in both[more > 0]:
        proof.add(Difference(proof.table, "repeated", key(int(moment))))
    for moment in both[more < 0]:
        proof.add(Difference(proof.table, "missing", f"{key(int(moment))}, another row of that time"))
    _cells(source.take(at_ours[in_ours]), target.take(at_theirs[in_theirs]), both, key, proof)


def _cells(
    source: pa.Table, target: pa.Table, moments: _Indices, key: Callable[[int], str], proof: TableProof
) -> None:
    for name in source.column_names:
        ours, theirs = source.column(name), target.column(name)
        for at in differing(ours, theirs):
            proof.add(
                Difference(
                    proof.table,
                    "value",
                    key(int(moments[at])),
                    name,
                    _show(ours[int(at)]),
                    _show(theirs[int(at)]),
                )
            )


def differing(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> _Indices:
    """The places where two columns of equal type and length differ."""
    null_ours, null_theirs = _nulls(ours), _nulls(theirs)
    unequal = null_ours != null_theirs
    bits_ours, bits_theirs = _bits(ours), _bits(theirs)
    unequal |= (bits_ours != bits_theirs) & ~null_ours & ~null_theirs
    return np.flatnonzero(unequal)


def _nulls(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if column.null_count == 0:
        return np.zeros(len(column), dtype=np.bool_)
    return np.asarray(pc.is_null(column).to_numpy(), dtype=np.bool_)


def _bits(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """A column as what is stored: 64 bits a cell. Null cells hold zero."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if column.null_count:
        column = column.fill_null(0)
    values = np.ascontiguousarray(column.to_numpy())
    return values.view(np.int64) if values.dtype == np.float64 else values


def _show(cell: pa.Scalar) -> str:
    try:
        value = cell.as_py()
    except (ValueError, OverflowError):  # a time that Python has no word for
        return f"{cell.value} µs since 1970"
    return "null" if value is None else repr(value) if isinstance(value, float) else str(value)
