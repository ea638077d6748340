"""Read a SQLite file of the application as a move would: the same rules, the same rows that do not fit.

A file that a program may write to is copied first, so all of it is of one moment. Nothing is written
to it.
"""

from __future__ import annotations

import sqlite3
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa

from trdinger.errors import SourceError
from trdinger.export.form import Unheld
from trdinger.export.snapshot import Held, Segment
from trdinger.legacy import rejects
from trdinger.legacy.backup import back_up
from trdinger.legacy.check import check
from trdinger.legacy.judging import Change, Found, Reject, judge
from trdinger.legacy.reading import series_reader
from trdinger.legacy.source import Source, quoted
from trdinger.legacy.survey import Survey, TableSurvey, spans, survey
from trdinger.legacy.values import Rules, Value
from trdinger.progress import Progress
from trdinger.schema.shape import ARROW, Column, TableShape

_ROWS = 100_000  # of a page of a series
_SLICE = 1_000  # rows of a page of a small table, or
_SLICE_BYTES = 32 << 20  # so many bytes of text


class FileRows:
    """A file's rows. Until `prepare` it is only surveyed; from then on its copy is read."""

    def __init__(self, file: Source, rules: Rules, stack: ExitStack) -> None:
        whole = survey(file, look=False)
        self._given = whole.trdingers()
        self._others = tuple(table.shape.name for table in whole.own)
        self._rules = rules
        self._stack = stack
        self._read: Survey = self._given.judged(rules)

    @property
    def source(self) -> str:
        """The file's path."""
        return str(self._given.source.path)

    @property
    def server(self) -> str:
        """What reads it."""
        return f"SQLite {sqlite3.sqlite_version}"

    def held(self, shapes: Sequence[TableShape]) -> tuple[Held, ...]:
        """What it holds of these tables; one that it lacks is empty."""
        return tuple(self._held(shape) for shape in shapes)

    def others(self) -> tuple[str, ...]:
        """The tables of a user's own."""
        return self._others

    def bytes(self, shape: TableShape) -> int:
        """What a small table takes, at most."""
        del shape
        return self._given.bytes // max(1, len(self._given.tables))

    def prepare(self, folder: Path, progress: Progress) -> list[Unheld]:
        """Copy the file beside the export and judge every row; those that do not fit go to the rejects file.

        Raises SourceError.
        """
        file = self._given.source
        progress.stage("Back up", total=self._given.bytes, measure="bytes")
        beside = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix=".trdinger-", dir=folder.parent)
        )
        backup = back_up(file, Path(beside), tell=progress.advance)
        copy = survey(backup.source, look=False).trdingers().judged(self._rules)
        progress.stage("Check", total=copy.rows)
        with rejects.writing(folder / rejects.NAME, str(uuid.uuid4()), self.source) as writer:
            keeper = _Keeper(writer)
            found = check(copy, tell=lambda table, rows: progress.advance(rows, detail=table), keeper=keeper)
        self._read = copy.judged(
            self._rules, {table: frozenset(rows) for table, rows in found.rejected.items()}
        )
        return keeper.unheld

    def pages(self, held: Held) -> Iterator[pa.Table]:
        """The rows of a table that fit, a series in the order of time."""
        table = self._read.table(held.shape.name)
        if table is None:
            return
        yield from self._series(table) if held.shape.series else self._rows(table)

    def _held(self, shape: TableShape) -> Held:
        table = self._read.table(shape.name)
        if table is None:
            return Held(shape, 0)
        segments = tuple(Segment(series.segment, series.rows) for series in table.series)
        return Held(shape, table.rows, segments)

    def _series(self, table: TableSurvey) -> Iterator[pa.Table]:
        shape, source = table.shape, self._read.source
        assert shape.series is not None
        with (
            source.connect() as connection,
            series_reader(source, shape, table.present, rules=table.rules, without=table.rejected) as reader,
        ):
            for series in table.series:
                constants = dict(zip(shape.series.segment_by, series.segment, strict=True))
                for span, rows in spans(connection, table, series, _ROWS):
                    held = reader.read(span, rows=rows).table
                    arrays = [
                        pa.repeat(pa.scalar(constants[name], pa.string()), held.num_rows)
                        if name in constants
                        else held.column(name)
                        for name in shape.column_names
                    ]
                    yield pa.Table.from_arrays(arrays, schema=shape.arrow(shape.column_names))

    def _rows(self, table: TableSurvey) -> Iterator[pa.Table]:
        columns = ", ".join(map(quoted, table.present))
        rows: list[list[Value]] = []
        size = 0
        with self._read.source.connect() as connection:
            for rowid, *cells in connection.execute(
                f"SELECT rowid, {columns} FROM {quoted(table.shape.name)} ORDER BY rowid"
            ):
                if rowid in table.rejected:
                    continue
                row = judge(table.shape, table.present, rowid, cells, found=Found(), rules=table.rules)
                if row is None:
                    raise SourceError(f"{self.source} was written to while it was read.")
                rows.append(row)
                size += sum(len(cell) for cell in row if isinstance(cell, str))
                if len(rows) == _SLICE or size > _SLICE_BYTES:
                    yield _page(table, rows)
                    rows, size = [], 0
        if rows:
            yield _page(table, rows)


@contextmanager
def file_rows(file: Source, rules: Rules) -> Iterator[FileRows]:
    """The rows of a file, for as long as the block lasts. Raises SourceError."""
    with ExitStack() as stack:
        yield FileRows(file, rules, stack)


class _Keeper:
    """Writes what does not fit into a rejects file, and lists it."""

    def __init__(self, writer: rejects.Writer) -> None:
        self._writer = writer
        self.unheld: list[Unheld] = []

    def reject(self, reject: Reject) -> None:
        self._writer.reject(reject)
        self.unheld += [
            Unheld(bad.table, bad.rowid, bad.column, bad.value, bad.reason) for bad in reject.reasons
        ]

    def change(self, change: Change) -> None:
        self.unheld.append(
            Unheld(
                change.table,
                change.row,
                f"{change.column} {change.path}",
                change.was,
                "JSON has no such number",
                "null",
            )
        )


def _page(table: TableSurvey, rows: list[list[Value]]) -> pa.Table:
    given = dict(zip(table.present, zip(*rows, strict=True), strict=True))
    nothing = (None,) * len(rows)
    arrays = [_array(column, given.get(column.name, nothing)) for column in table.shape.columns]
    return pa.Table.from_arrays(arrays, schema=table.shape.arrow(table.shape.column_names))


def _array(column: Column, cells: Sequence[Value]) -> pa.Array:
    target = ARROW[column.kind]
    if column.kind == "time":
        return pa.array(cells, pa.int64()).cast(pa.timestamp("us")).cast(target)
    return pa.array(cells, target)
