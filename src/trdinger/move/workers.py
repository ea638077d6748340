"""Copy units over several connections at once, where the server has them: a worker each, on a thread.

A worker takes a lane at a time: a whole series, or the small tables, parents before children. So two
streams never share a segment of a chunk, which the server was promised to get in order. What is told
of the work, and Ctrl-C, stay with the thread that called.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Generator
from contextlib import ExitStack, closing, suppress
from queue import Empty, SimpleQueue
from typing import Any

import psycopg

from trdinger.engine.capabilities import Capabilities
from trdinger.engine.connect import Database
from trdinger.legacy.source import Source
from trdinger.move import ledger
from trdinger.move.copying import Copied, Copier
from trdinger.move.units import SeriesUnit, Unit
from trdinger.progress import Progress

_MOST = 4  # connections: each takes some 30 MB here
_PATIENCE = 10.0  # seconds for a worker to leave its unit after another one failed
_TRIES = 3  # of a lane whose unit the server gave up for another's, to end a deadlock

_Lane = list[Unit]


def connections(capabilities: Capabilities) -> int:
    """How many connections a move uses: one more than there are cores, to fill the waits of commits."""
    return min(_MOST, (os.cpu_count() or 1) + 1) if capabilities.has("many_sessions") else 1


def copy(
    database: Database,
    connection: psycopg.Connection[Any],
    move: uuid.UUID,
    source: Source,
    units: list[Unit],
    *,
    progress: Progress,
) -> int:
    """Copy the units that the ledger lacks; how many rows. Raises TargetError, ValuesDoNotFit.

    connection: the caller's own, which alone is used where the server has no more.
    """
    done = ledger.committed(connection, move)
    left = [unit for unit in units if (unit.table.shape.name, unit.number) not in done]
    waiting = lanes(left)
    workers = min(connections(database.capabilities), len(waiting))
    rows = 0
    with ExitStack() as stack:
        if workers > 1:
            several = _Workers(database, move, source, waiting)
            stack.callback(several.stop)
            copied = several.copy(workers)
        else:
            copied = Copier(connection, move, database.capabilities).copy(source, left)
        for each in stack.enter_context(closing(copied)):
            rows += each.rows
            progress.advance(each.rows, detail=str(each.unit), size=each.size)
    return rows


def lanes(units: list[Unit]) -> list[_Lane]:
    """Units that must follow each other, together; the lane with the most rows first."""
    every: dict[object, _Lane] = {}
    for unit in units:
        series = (unit.table.shape.name, unit.span.segment) if isinstance(unit, SeriesUnit) else None
        every.setdefault(series, []).append(unit)
    return sorted(every.values(), key=lambda lane: -sum(unit.rows for unit in lane))


class _Workers:
    """Threads that copy lanes until none is left, one failed, or they are told to stop."""

    def __init__(self, database: Database, move: uuid.UUID, source: Source, waiting: list[_Lane]) -> None:
        self._database = database
        self._move = move
        self._source = source
        self._waiting: SimpleQueue[_Lane] = SimpleQueue()
        for lane in waiting:
            self._waiting.put(lane)
        self._told: SimpleQueue[Copied | BaseException | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: list[psycopg.Connection[Any]] = []

    def copy(self, workers: int) -> Generator[Copied]:
        """Each unit as it comes in. Raises the first error of a worker."""
        # Daemons: one that hangs on a dead line does not keep the process.
        self._threads = [
            threading.Thread(target=self._work, name=f"copy-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()
        at_work = workers
        while at_work:
            told = self._told.get()
            if isinstance(told, BaseException):
                raise told
            if told is None:
                at_work -= 1
            else:
                yield told

    def stop(self) -> None:
        """Let no worker begin another unit, break off those under way, and wait for them."""
        self._stopping.set()
        for connection in self._connections if any(map(threading.Thread.is_alive, self._threads)) else ():
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=_PATIENCE)
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _work(self) -> None:
        try:
            with self._database.connect(autocommit=True) as connection:
                self._connections.append(connection)
                copier = Copier(connection, self._move, self._database.capabilities)
                while (lane := self._next()) is not None:
                    self._copy(copier, lane)
            self._told.put(None)
        except BaseException as error:
            self._told.put(error)

    def _copy(self, copier: Copier, lane: _Lane) -> None:
        left = list(lane)
        for tries in range(1, _TRIES + 1):
            try:
                for copied in copier.copy(self._source, list(left), ahead=False):
                    left.remove(copied.unit)
                    self._told.put(copied)
                    if self._stopping.is_set():
                        return
            except psycopg.errors.DeadlockDetected:
                if tries == _TRIES:
                    raise
            else:
                return

    def _next(self) -> _Lane | None:
        if self._stopping.is_set():
            return None
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None
