"""Copy units over several connections at once, where the server has them: each on a thread of its own.

A thread takes a lane at a time: a whole series, or the small tables, parents before children. So two
streams never share a segment of a chunk, which the server was promised to get in order.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg

from trdinger.crew import PATIENCE, crew
from trdinger.engine.capabilities import Capabilities
from trdinger.engine.connect import Database
from trdinger.legacy.source import Source
from trdinger.move import ledger
from trdinger.move.copying import Copied, Copier
from trdinger.move.spool import Spool
from trdinger.move.units import SeriesUnit, Unit
from trdinger.progress import Progress

_MOST = 4  # connections: each takes some 20 MB here
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
    spool: Spool | None = None,
) -> int:
    """Copy the units that the ledger lacks; how many rows. Raises TargetError, ValuesDoNotFit.

    connection: the caller's own, which alone is used where the server has no more.
    spool: rows that were read before.
    """
    done = ledger.committed(connection, move)
    left = [unit for unit in units if (unit.table.shape.name, unit.number) not in done]
    waiting = lanes(left)
    capabilities = database.capabilities
    hands = min(connections(capabilities), len(waiting))
    opened: list[psycopg.Connection[Any]] = []

    def work(own: Iterator[_Lane]) -> Generator[Copied, None, None]:
        with database.connect(autocommit=True) as mine:
            opened.append(mine)
            copier = Copier(mine, move, capabilities, spool)
            for lane in own:
                yield from _copied(copier, source, lane)

    def let_go() -> None:
        for each in opened:
            with suppress(psycopg.Error):
                each.cancel_safe(timeout=PATIENCE)

    if hands > 1:
        copied = crew(waiting, work, hands=hands, name="copy", let_go=let_go)
    else:
        copied = Copier(connection, move, capabilities, spool).copy(source, left)
    rows = 0
    with closing(copied):
        for each in copied:
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


def _copied(copier: Copier, source: Source, lane: _Lane) -> Generator[Copied, None, None]:
    left = list(lane)
    for tries in range(1, _TRIES + 1):
        try:
            for copied in copier.copy(source, list(left), ahead=False):
                left.remove(copied.unit)
                yield copied
        except psycopg.errors.DeadlockDetected:
            if tries == _TRIES:
                raise
        else:
            return
