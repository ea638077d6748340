"""Rows of series as the check read them, kept on the disk until they are copied.

Reading SQLite is the dearest step of a move, and the check has read every row. What it found to fit is
kept in a nameless file in the work folder, some 72 bytes a row: it is gone when the process is, however that
ends. Without it, or without room for it, rows are read from the backup again. The proof never uses it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa

from trdinger.legacy.reading import Span

_A_ROW = 80  # bytes
_SPARE = 256 << 20  # bytes that stay free on the disk


class Spool:
    """Batches of rows by table and span. Written from one thread, read from several."""

    def __init__(self, folder: Path, rows: int) -> None:
        """For about so many rows. Keeps nothing where the disk has no room."""
        self._places: dict[tuple[str, Span], tuple[pa.Schema, int, int]] = {}
        self._end = 0
        self._file = None
        try:
            if shutil.disk_usage(folder).free > rows * _A_ROW + _SPARE:
                self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        except OSError:
            pass  # it spares time, nothing else

    def keep(self, table: str, span: Span, rows: pa.Table) -> None:
        """Keep the rows of a span, sorted by time; after a failure of the disk nothing more."""
        if self._file is None:
            return
        (batch,) = rows.combine_chunks().to_batches() or (pa.RecordBatch.from_pylist([], rows.schema),)
        data = memoryview(batch.serialize())
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError:
            self.close()
            return
        self._places[table, span] = (batch.schema, self._end, len(data))
        self._end += len(data)

    def rows(self, table: str, span: Span) -> pa.Table | None:
        """The rows of a span; None where they were not kept."""
        place = self._places.get((table, span))
        if place is None or self._file is None:
            return None
        schema, at, size = place
        data = os.pread(self._file.fileno(), size, at)
        if len(data) != size:
            return None
        return pa.Table.from_batches([pa.ipc.read_record_batch(pa.py_buffer(data), schema)])

    def close(self) -> None:
        """Let go of the disk."""
        self._places.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
