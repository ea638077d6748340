"""Copy work units into the target. A unit's rows and its ledger line commit together.

Rows of a series are sent in
the order that the declaration gives to compressed segments; where the server is told so,
it is asserted on every unit first, because the server takes the promise unchecked and
loses rows to a wrong one. Comparing values is `trdinger.verify`'s.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from trdinger.engine.capabilities import Capabilities
from trdinger.errors import TargetError, ValuesDoNotFit
from trdinger.legacy import slices
from trdinger.legacy.judging import Found, judge
from trdinger.legacy.reading import SeriesReader, increasing, series_reader, times
from trdinger.legacy.source import Source
from trdinger.legacy.values import Value
from trdinger.move import ledger
from trdinger.move.encoding import encode
from trdinger.move.spool import Spool
from trdinger.move.units import SeriesUnit, SliceUnit, Unit
from trdinger.schema import bulk
from trdinger.schema.shape import TableShape

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Encoded:
    """A series unit, ready to send. `ordered`: strictly in the declared order, so the server may be told."""

    unit: SeriesUnit
    columns: tuple[str, ...]
    data: bytearray | memoryview
    rows: int
    ordered: bool


@dataclass(frozen=True)
class Copied:
    """A unit that is in. `rows` and `size` (bytes) are 0 where another process brought it before."""

    unit: Unit
    rows: int
    size: int


class Copier:
    """Copies units over one connection, which it does not share while it works."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        move: uuid.UUID,
        capabilities: Capabilities,
        spool: Spool | None = None,
    ) -> None:
        """spool: rows that were read before."""
        self._connection = connection
        self._move = move
        self._capabilities = capabilities
        self._spool = spool

    def copy(self, source: Source, units: list[Unit], *, ahead: bool = True) -> Generator[Copied, None, None]:
        """Copy units that the ledger lacks, each when the next one is asked for.

        ahead: read and encode the next unit while one is written. Raises TargetError, ValuesDoNotFit.
        """
        with _Reading(source, self._spool) as reading:
            for unit, encoded in reading.ahead(units) if ahead else reading.in_turn(units):
                with self._connection.transaction():
                    rows, size = (
                        self._send_series(encoded) if encoded is not None else self._send_slice(source, unit)
                    )
                yield Copied(unit, rows, size)

    def _send_series(self, encoded: Encoded) -> tuple[int, int]:
        unit = encoded.unit
        if not ledger.claim(self._connection, self._move, unit, encoded.rows):
            return 0, 0
        if not encoded.rows:
            return 0, 0
        bulk.direct(self._connection, self._capabilities, ordered=encoded.ordered)
        statement = _copy_statement(unit.table.shape.name, encoded.columns, binary=True)
        stored = bulk.send(self._connection, statement, memoryview(encoded.data))
        _expect(unit, encoded.rows, stored)
        return encoded.rows, len(encoded.data)

    def _send_slice(self, source: Source, unit: Unit) -> tuple[int, int]:
        assert isinstance(unit, SliceUnit)
        if not ledger.claim(self._connection, self._move, unit, 0):
            return 0, 0
        shape, present = unit.table.shape, unit.table.present
        sent = size = 0
        with self._connection.cursor() as cursor:
            with cursor.copy(
                _copy_statement(shape.name, (*present, *unit.table.absent), binary=False)
            ) as copy:
                for row in _slice_rows(source, unit):
                    copy.write_row([*_texts(shape, present, row), *(None for _ in unit.table.absent)])
                    sent += 1
                    size += sum(len(cell) for cell in row if isinstance(cell, str | bytes)) + 8 * len(row)
            _expect(unit, sent, cursor.rowcount)
        ledger.settle(self._connection, self._move, unit, sent)
        return sent, size


class _Reading:
    """Reads and encodes series units on a thread of its own, one ahead of the writer."""

    def __init__(self, source: Source, spool: Spool | None) -> None:
        self._source = source
        self._spool = spool
        self._readers: dict[str, SeriesReader] = {}
        self._open = ExitStack()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read")

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._open.close()

    def ahead(self, units: list[Unit]) -> Iterator[tuple[Unit, Encoded | None]]:
        """Each unit with its encoded rows; None for a slice, which is streamed by the writer."""
        pending: list[tuple[Unit, Future[Encoded] | None]] = []
        for unit in units:
            future = self._thread.submit(self._encode, unit) if isinstance(unit, SeriesUnit) else None
            pending.append((unit, future))
            if len(pending) > 1:
                ready, waiting = pending.pop(0)
                yield ready, waiting.result() if waiting else None
        for ready, waiting in pending:
            yield ready, waiting.result() if waiting else None

    def in_turn(self, units: list[Unit]) -> Iterator[tuple[Unit, Encoded | None]]:
        """The same, each read when it is asked for, by the caller's thread."""
        for unit in units:
            yield unit, self._encode(unit) if isinstance(unit, SeriesUnit) else None

    def _encode(self, unit: SeriesUnit) -> Encoded:
        series = unit.table.shape.series
        assert series is not None
        rows = self._rows(unit)
        if series.descending:
            rows = rows.take(np.arange(rows.num_rows)[::-1])
        moments = times(rows, series.time)
        ordered = increasing(moments[::-1] if series.descending else moments, strictly=True)
        columns, data = encode(series, rows, unit.span.segment)
        return Encoded(unit, columns, data, rows.num_rows, ordered)

    def _rows(self, unit: SeriesUnit) -> pa.Table:
        """The rows of a unit that are moved, sorted by time: as the check read them, or by reading them."""
        shape = unit.table.shape
        if self._spool is not None and not unit.table.rejected:
            kept = self._spool.rows(shape.name, unit.span)
            if kept is not None:
                return kept
        reader = self._readers.get(shape.name)
        if reader is None:
            reader = self._open.enter_context(
                series_reader(
                    self._source,
                    shape,
                    unit.table.present,
                    rules=unit.table.rules,
                    without=unit.table.rejected,
                )
            )
            self._readers[shape.name] = reader
        held = reader.read(unit.span, rows=unit.rows)
        if held.bad:
            raise ValuesDoNotFit(
                f"{held.bad[0]}: {held.bad[0].value}.", hint="The backup was checked before: is it whole?"
            )
        return held.table


def _slice_rows(source: Source, unit: SliceUnit) -> Iterator[list[Value]]:
    table = unit.table
    with source.connect() as connection:
        for name, cells in slices.rows(connection, table, unit.within):
            if name in table.rejected:
                continue
            found = Found()
            row = judge(table.shape, table.present, name, cells, found=found, rules=table.rules)
            if row is None:
                bad = found.bad[0]
                raise ValuesDoNotFit(
                    f"{bad}: {bad.value}.", hint="The backup was checked before: is it whole?"
                )
            yield row


def _texts(shape: TableShape, names: tuple[str, ...], row: list[Value]) -> Iterator[object]:
    """The cells as psycopg sends them in a text COPY: a time as a datetime, the rest as it is."""
    for name, cell in zip(names, row, strict=True):
        if cell is not None and shape.column(name).kind == "time":
            assert isinstance(cell, int)
            yield _EPOCH + timedelta(microseconds=cell)
        else:
            yield cell


def _copy_statement(table: str, columns: tuple[str, ...], *, binary: bool) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN" + (" (FORMAT binary)" if binary else "")).format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def _expect(unit: Unit, sent: int, stored: int) -> None:
    if sent != stored:
        raise TargetError(
            f"{unit}: {sent:,} rows were sent, the server stored {stored:,}.",
            hint="The unit was undone. Is there a trigger or a rule on the table?",
        )
