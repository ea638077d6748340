"""A piece is read all at once or cell by cell, and both ways give the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from trdinger.export import fitting
from trdinger.export.fitting import NUMBER, fit
from trdinger.export.formats import Format, writing
from trdinger.export.pieces import Piece, pieces
from trdinger.legacy.judging import Found
from trdinger.legacy.values import STRICT
from trdinger.schema.shape import TableShape, shape

LARGEST = 253_402_300_799_999_999  # microseconds: the last of the year 9999
SAMPLES: dict[str, list[Any]] = {
    "time": [0, 1_700_000_000_017_000, -62_135_596_800_000_000, LARGEST, None],
    "float": [
        0.1,
        2.0**63,
        123456789012345678.0,
        -0.0,
        5e-324,
        1.7976931348623157e308,
        math.inf,
        -math.inf,
        math.nan,
        1e22,
        None,
    ],
    "integer": [0, -1, 2**31 - 1, -(2**31), None],
    "boolean": [True, False, None],
    "json": ["null", "{}", '{"a": [0.10, 1e-7, "\\u00e9 😀"]}', "1e400", None],
    "text": ["", " ", "a,b", 'x "y"', "two\nlines", "\r\n", "取引 😀", "null", "NaN", "007", None],
}


def table_of(wanted: TableShape) -> pa.Table:
    """Rows with every sample of each column's kind."""
    arrays = []
    for column in wanted.columns:
        samples = [value for value in SAMPLES[column.kind] if value is not None or column.nullable]
        cells = [samples[at % len(samples)] for at in range(24)]
        if column.kind == "time":
            arrays.append(pa.array(cells, pa.int64()).cast(pa.timestamp("us", "UTC")))
        else:
            arrays.append(pa.array(cells, wanted.arrow((column.name,)).field(0).type))
    return pa.Table.from_arrays(arrays, schema=wanted.arrow(wanted.column_names))


def read(form: Format, path: Path, wanted: TableShape) -> list[Piece]:
    """The pieces of a file, which has nothing but rows."""
    _, found = pieces(form, path, wanted)
    given = list(found)
    assert all(isinstance(one, Piece) for one in given)
    return given  # type: ignore[return-value]


@pytest.mark.parametrize("form", [Format.PARQUET, Format.CSV, Format.JSONL])
@pytest.mark.parametrize("name", ["ohlcv_data", "funding_rate_data", "backtest_results", "strategy_showcase"])
def test_both_ways_give_what_was_written(form: Format, name: str, tmp_path: Path) -> None:
    wanted = shape(name)
    table = table_of(wanted)
    path = tmp_path / f"{name}.{form}"
    with writing(form, path, wanted) as write:
        write(table)
    (piece,) = read(form, path, wanted)
    found = Found()
    by_cell = fitting._cell_by_cell(form, wanted, piece, STRICT, found)
    assert found.rejects == []
    at_once = fitting._at_once(form, wanted, piece)
    if form is not Format.JSONL:  # where NaN and the infinities are objects
        assert at_once is not None
    for way in filter(None, (at_once, by_cell)):
        assert way.column(NUMBER).to_pylist() == list(range(1, 25))
        for column in wanted.columns:
            ours, theirs = way.column(column.name), table.column(column.name)
            assert ours.type == theirs.type
            if column.kind == "float":
                assert list(map(repr, ours.to_pylist())) == list(map(repr, theirs.to_pylist()))
            else:
                assert ours.combine_chunks().equals(theirs.combine_chunks()), column


@pytest.mark.parametrize(
    ("column", "cells", "kept"),
    [
        ("timestamp", ["2024-01-01 00:00:00.000000Z", "2024-01-01T09:00:00+09:00"], 2),
        ("timestamp", ["2024-02-30 00:00:00.000000Z", "2024-01-01 25:00:00.000000Z"], 0),
        ("timestamp", ["0000-01-01 00:00:00.000000Z", "9999-12-31 23:59:59.999999Z"], 1),
        ("close", [1, 1.5], 2),
        ("close", [True, 1.5], 1),
        ("close", [2**53 + 1, 1.5], 1),
        ("id", [1.5, 2.0], 1),
        ("id", [True, 2], 1),
        ("symbol", ["x" * 50, "x" * 51], 1),
        ("symbol", ["\ud800", "a\x00", "é" * 50], 1),
    ],
)
def test_what_is_not_plainly_right_is_judged_cell_by_cell(column: str, cells: list[Any], kept: int) -> None:
    wanted = shape("ohlcv_data")
    piece = Piece({column: cells}, range(1, len(cells) + 1))
    found = Found()
    table = fit(Format.JSONL, wanted, piece, STRICT, found)
    assert table.num_rows == kept
    assert len(found.rejects) == len(cells) - kept


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        ([b"1e999", b"1"], 1),
        ([b"-1e999", b"inf"], 1),
        ([b"1,5", b"0x10"], 0),
        ([b" 1", b"+1", b"1.", b".5", b"1E5"], 5),
        ([b"9007199254740993", b"0.1000000000000000055511151231257827"], 2),
        ([b"NaN", b"-Inf"], 2),
        ([b"", b"1"], 1),
    ],
)
def test_numbers_of_csv_are_their_digits(cells: list[bytes], kept: int) -> None:
    wanted = shape("ohlcv_data")
    piece = Piece({"close": pa.chunked_array([pa.array(cells, pa.binary())])}, range(1, len(cells) + 1))
    found = Found()
    table = fit(Format.CSV, wanted, piece, STRICT, found)
    assert table.num_rows == kept
