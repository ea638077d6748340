"""Two Arrow tables cell by cell: bits of floats, instants, nulls, and rows that meet by their time."""

from __future__ import annotations

import math
import struct
from typing import Any

import pyarrow as pa
import pytest

from trdinger.verify.compare import compare
from trdinger.verify.differences import SHOWN, Difference, TableProof

SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("us", tz="UTC")),
        ("price", pa.float64()),
        ("id", pa.int64()),
        ("seen", pa.timestamp("us", tz="UTC")),
    ]
)
NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000000))[0]
OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]


def table(*rows: tuple[Any, ...]) -> pa.Table:
    """Rows of (time in microseconds, price, id, seen in microseconds), in two chunks."""
    columns = [
        pa.array([row[at] for row in rows], pa.int64() if at != 1 else pa.float64()) for at in range(4)
    ]
    whole = pa.table(
        [
            column if field.type == column.type else column.cast(field.type)
            for column, field in zip(columns, SCHEMA, strict=True)
        ],
        schema=SCHEMA,
    )
    return pa.concat_tables([whole.slice(0, 1), whole.slice(1)]) if len(rows) > 1 else whole


def found(ours: pa.Table, theirs: pa.Table) -> TableProof:
    proof = TableProof("t")
    compare(ours, theirs, time="at", key=str, proof=proof)
    return proof


def test_equal_rows_are_counted_and_nothing_is_told() -> None:
    rows = [(n, n / 7, n, None if n % 2 else n) for n in range(10)]
    proof = found(table(*rows), table(*rows))
    assert (proof.rows, proof.cells, proof.differing) == (10, 40, 0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (0.1, math.nextafter(0.1, 1)),
        (0.0, -0.0),
        (1.0, None),
        (None, 0.0),
        (NAN, OTHER_NAN),
        (math.inf, -math.inf),
    ],
)
def test_a_float_differs_by_its_bits(ours: float | None, theirs: float | None) -> None:
    proof = found(table((1, 1.0, 1, 1), (2, ours, 2, 2)), table((1, 1.0, 1, 1), (2, theirs, 2, 2)))
    (one,) = proof.shown
    assert (one.what, one.key, one.column) == ("value", "2", "price")


@pytest.mark.parametrize("value", [NAN, OTHER_NAN, -0.0, math.inf, 5e-324, None])
def test_the_same_bits_are_equal(value: float | None) -> None:
    assert found(table((1, value, 1, None)), table((1, value, 1, None))).differing == 0


def test_rows_meet_by_their_time() -> None:
    ours = table((1, 1.0, 1, 1), (2, 2.0, 2, 2), (4, 4.0, 4, 4))
    theirs = table((2, 2.0, 2, 2), (3, 3.0, 3, 3), (4, 4.5, 4, 4))
    proof = found(ours, theirs)
    assert proof.shown == [
        Difference("t", "missing", "1"),
        Difference("t", "extra", "3"),
        Difference("t", "value", "4", "price", "4.0", "4.5"),
    ]
    assert (proof.rows, proof.cells) == (3, 12)


def test_rows_of_one_time_are_told_on_the_side_that_has_more() -> None:
    once, twice = table((1, 1.0, 1, 1), (2, 2.0, 2, 2)), table((1, 1.0, 1, 1), (2, 2.0, 2, 2), (2, 2.0, 3, 2))
    assert [(one.what, one.key) for one in found(once, twice).shown] == [("repeated", "2")]
    assert [(one.what, one.key) for one in found(twice, once).shown] == [
        ("missing", "2, another row of that time")
    ]
    assert found(twice, twice).differing == 0


def test_nothing_against_something() -> None:
    nothing = table().slice(0, 0)
    assert found(nothing, nothing).differing == 0
    assert found(table((1, 1.0, 1, 1)), nothing).counts == {"missing": 1}
    assert found(nothing, table((1, 1.0, 1, 1))).counts == {"extra": 1}


def test_a_time_beyond_python_is_shown_all_the_same() -> None:
    proof = found(table((1, 1.0, 1, 1)), table((1, 1.0, 1, 2**62)))
    assert proof.shown[0].target


def test_all_are_counted_and_the_first_are_kept() -> None:
    rows = [(n, 1.0, n, n) for n in range(100)]
    proof = found(table(*rows), table(*((n, 2.0, n, n) for n in range(100))))
    assert proof.counts == {"value": 100}
    assert len(proof.shown) == SHOWN
