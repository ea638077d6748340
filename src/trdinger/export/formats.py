"""Tables as files for other programs: Parquet, CSV or JSON Lines, a page at a time.

    Parquet   zstd, a page a row group, times as UTC microseconds, JSON as text
    CSV       RFC 4180 with a header; null is nothing, an empty text is ""
    JSON      Lines: an object a row; what JSON has no number for is {"real": "NaN"}

In all of them a document is a text that holds its JSON, so that null, JSON's null and every digit stay
apart. Times in CSV and JSON are `YYYY-MM-DD HH:MM:SS.ffffffZ`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from trdinger.schema.shape import TableShape


class Format(StrEnum):
    """What an export writes: `sqlite` is a file of the application, the others are for other programs."""

    SQLITE = "sqlite"
    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


Write = Callable[[pa.Table], object]

# Bytes of a row of a series in a file, about.
ROW_BYTES = {Format.PARQUET: 60, Format.CSV: 200, Format.JSONL: 360}


@contextmanager
def writing(form: Format, path: Path, shape: TableShape) -> Iterator[Write]:
    """A new file for pages of a table's rows; it is complete and on the disk when the block ends well."""
    with path.open("xb") as file:
        with _WRITERS[form](file, shape) as write:
            yield write
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _parquet(file: Any, shape: TableShape) -> Iterator[Write]:
    schema = shape.arrow(shape.column_names)
    with pyarrow.parquet.ParquetWriter(
        file, schema, compression="zstd", write_page_checksum=True, version="2.6"
    ) as into:
        yield into.write_table


@contextmanager
def _csv(file: Any, shape: TableShape) -> Iterator[Write]:
    with pyarrow.csv.CSVWriter(file, shape.arrow(shape.column_names)) as into:
        yield into.write_table


@contextmanager
def _jsonl(file: Any, shape: TableShape) -> Iterator[Write]:
    names = [json.dumps(name).replace("%", "%%") for name in shape.column_names]
    line = "{" + ", ".join(f"{name}: %s" for name in names) + "}\n"

    def write(page: pa.Table) -> None:
        cells = [_JSON[column.kind](page.column(column.name)) for column in shape.columns]
        file.write("".join(map(line.__mod__, zip(*cells, strict=True))).encode())

    yield write


def _numbers(array: pa.ChunkedArray) -> list[str]:
    return ["null" if cell is None else str(cell) for cell in array.to_pylist()]


def _reals(array: pa.ChunkedArray) -> list[str]:
    return ["null" if cell is None else _real(cell) for cell in array.to_pylist()]


def _real(number: float) -> str:
    if math.isfinite(number):
        return repr(number)
    name = "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return f'{{"real": "{name}"}}'


def _truths(array: pa.ChunkedArray) -> list[str]:
    return ["null" if cell is None else "true" if cell else "false" for cell in array.to_pylist()]


def _texts(array: pa.ChunkedArray) -> list[str]:
    return [json.dumps(cell, ensure_ascii=False) for cell in array.to_pylist()]


def _times(array: pa.ChunkedArray) -> list[str]:
    return ["null" if cell is None else f'"{cell}"' for cell in array.cast(pa.string()).to_pylist()]


_JSON: dict[str, Callable[[pa.ChunkedArray], list[str]]] = {
    "time": _times,
    "float": _reals,
    "integer": _numbers,
    "boolean": _truths,
    "json": _texts,
    "text": _texts,
}
_WRITERS = {Format.PARQUET: _parquet, Format.CSV: _csv, Format.JSONL: _jsonl}
