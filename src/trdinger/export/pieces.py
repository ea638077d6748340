"""Files of other programs, read a piece at a time, as their format gives the values.

Parquet keeps its types, JSON Lines come as Python's values, CSV as bytes. What is no row at all (a line
of too few cells, broken JSON) is told with its number. Whether values fit is `fitting`'s affair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from trdinger.errors import SourceError, UsageError
from trdinger.export.formats import Format
from trdinger.legacy.judging import BadValue
from trdinger.legacy.source import Text
from trdinger.legacy.values import Stored, show
from trdinger.schema.shape import TableShape

PIECE_ROWS = 50_000
_PIECE_BYTES = 32 << 20  # of lines of JSON
_BLOCK = 16 << 20  # bytes of CSV parsed at once
_LARGEST = 300 << 20  # a row is parsed whole, and a document may have 250 MB
_EXPORT_AGAIN = "Write the file again, or mend it."


@dataclass(frozen=True)
class Piece:
    """Some rows of a file: the cells by column, and the number of each row, from 1."""

    columns: dict[str, pa.ChunkedArray | list[Any]]
    numbers: Sequence[int]


@dataclass(frozen=True)
class NoRow:
    """What stands in a row's place and is none."""

    number: int
    text: Stored
    reason: str

    def bad(self, table: str) -> BadValue:
        """It as a value that does not fit."""
        return BadValue(table, self.number, "", show(self.text), self.reason)


Pieces = Iterator[Piece | NoRow]


def pieces(form: Format, path: Path, shape: TableShape) -> tuple[tuple[str, ...], Pieces]:
    """The columns of a file and its rows. Raises SourceError for what is not of the format, and UsageError.

    Rows of JSON Lines may leave columns out; the columns are those of the first piece.
    """
    names, read = _READERS[form](path, shape)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UsageError(
            f"{path} has more than one column {', '.join(repeated)}.", hint="Give each its own name."
        )
    strange = [name for name in names if name not in shape.column_names]
    if strange:
        raise UsageError(
            f"{path} has columns that {shape.name} has not: {', '.join(strange)}.",
            hint=f"Take them out. Its columns are: {', '.join(shape.column_names)}.",
        )
    needed = [
        column.name
        for column in shape.columns
        if column.name not in names
        and not column.nullable
        and not (column.default and (column.name != "id" or shape.series))
    ]
    if needed:
        raise UsageError(
            f"{path} lacks columns of {shape.name} that may not be null: {', '.join(needed)}.",
            hint="Add them with their values. Is it of another table? Name that with --table.",
        )
    return names, read


def _parquet(path: Path, _: TableShape) -> tuple[tuple[str, ...], Pieces]:
    try:
        file = pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
        names = tuple(file.schema_arrow.names)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "Parquet", error) from None

    def read() -> Pieces:
        begin = 1
        try:
            for batch in file.iter_batches(batch_size=PIECE_ROWS):
                table = pa.Table.from_batches([batch])
                numbers = range(begin, begin + table.num_rows)
                yield Piece(dict(zip(names, table.columns, strict=True)), numbers)
                begin += table.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, "Parquet", error) from None

    return names, read()


def _csv(path: Path, shape: TableShape) -> tuple[tuple[str, ...], Pieces]:
    skipped: list[NoRow] = []

    def no_row(row: Any) -> str:
        reason = f"a line of {row.actual_columns} cells where {row.expected_columns} belong"
        skipped.append(NoRow(row.number - 1, Text(row.text.encode("utf-8", "surrogateescape")), reason))
        return "skip"

    documents = any(column.kind == "json" for column in shape.columns)
    try:
        size = path.stat().st_size
        if not size:
            raise SourceError(f"{path} is empty: not even a header.", hint=_EXPORT_AGAIN)
        with path.open("rb") as beginning:  # every cell as bytes, also of columns that are no table's
            names = _header(path, beginning.readline())
        reader = pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=min(max(size, 1 << 20), _LARGEST if documents else _BLOCK)
            ),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=no_row),
            convert_options=pyarrow.csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.binary()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "CSV", error) from None

    def read() -> Pieces:
        begin = 1
        try:
            for batch in reader:
                left_out = {one.number for one in skipped}
                yield from skipped
                skipped.clear()
                numbers: list[int] = []
                while len(numbers) < batch.num_rows:
                    if begin not in left_out:
                        numbers.append(begin)
                    begin += 1
                for start in range(0, batch.num_rows, PIECE_ROWS):
                    part = pa.Table.from_batches([batch.slice(start, PIECE_ROWS)])
                    yield Piece(
                        dict(zip(names, part.columns, strict=True)), numbers[start : start + PIECE_ROWS]
                    )
            yield from skipped
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, "CSV", error) from None

    return names, read()


def _header(path: Path, line: bytes) -> tuple[str, ...]:
    text = line.decode("utf-8-sig", "replace").rstrip("\r\n")
    names = tuple(name.strip('"') for name in text.split(","))
    if not all(name.isidentifier() for name in names):
        raise UsageError(
            f"The first line of {path} does not name columns.", hint="It has to: id,symbol,timeframe,…"
        )
    return names


@dataclass(frozen=True)
class _Line:
    number: int
    text: bytes
    row: dict[str, Any]


def _jsonl(path: Path, shape: TableShape) -> tuple[tuple[str, ...], Pieces]:
    parts = _parts(_lines(path, shape))
    try:
        first = next(parts, [])
    except OSError as error:
        raise _unreadable(path, "JSON Lines", error) from None
    held = {name for line in first if isinstance(line, _Line) for name in line.row}
    names = tuple(name for name in shape.column_names if name in held or not held)

    def read() -> Pieces:
        for part in chain([first], parts):
            rows: list[_Line] = []
            for line in part:
                if isinstance(line, NoRow):
                    yield line
                elif late := ", ".join(sorted(line.row.keys() - set(names))):
                    reason = f"a column that no row of the beginning has: {late}"
                    yield NoRow(line.number, Text(line.text), reason)
                else:
                    rows.append(line)
            if rows:
                cells = {name: [line.row.get(name) for line in rows] for name in names}
                yield Piece(cells, [line.number for line in rows])

    return names, read()


def _parts(lines: Iterator[_Line | NoRow]) -> Iterator[list[_Line | NoRow]]:
    """The lines in parts of so many rows and bytes."""
    part: list[_Line | NoRow] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line.text) if isinstance(line, _Line) else 0
        if len(part) == PIECE_ROWS or size > _PIECE_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _lines(path: Path, shape: TableShape) -> Iterator[_Line | NoRow]:
    number = 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                number += 1
                yield _line(line.rstrip(b"\r\n"), number, shape)


def _line(text: bytes, number: int, shape: TableShape) -> _Line | NoRow:
    try:
        row = json.loads(text)
    except ValueError as error:
        said = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8"
        return NoRow(number, Text(text), f"no line of JSON: {said}")
    except RecursionError:
        return NoRow(number, Text(text), "no line of JSON: nested too deep")
    if not isinstance(row, dict):
        return NoRow(number, Text(text), "a line of JSON that is no object")
    strange = sorted(row.keys() - set(shape.column_names))
    if strange:
        return NoRow(number, Text(text), f"no such column: {', '.join(strange)}")
    return _Line(number, text, row)


def _unreadable(path: Path, form: str, error: Exception) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError(f"There is no file {path}.", hint="Check its path.")
    if isinstance(error, OSError) and error.strerror:
        return SourceError(f"{path} cannot be read: {error.strerror}.", hint="Check its path and rights.")
    said = str(error).splitlines()[0].rstrip(".")
    return SourceError(f"{path} cannot be read as {form}: {said}.", hint=_EXPORT_AGAIN)


_READERS: dict[Format, Callable[[Path, TableShape], tuple[tuple[str, ...], Pieces]]] = {
    Format.PARQUET: _parquet,
    Format.CSV: _csv,
    Format.JSONL: _jsonl,
}
