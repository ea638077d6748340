"""The replay limit: the rows of the series, encoded and sorted in memory, only sent and completed.

As many connections as a move uses, the same statements, the same end state: what a move would reach
if reading and converting cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import psycopg
from psycopg import sql

from trdinger.bench.clock import Clock
from trdinger.bench.hypertables import complete, prepare
from trdinger.engine.capabilities import Capabilities
from trdinger.engine.connect import Database
from trdinger.legacy.reading import series_reader
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.encoding import encode
from trdinger.move.units import SeriesUnit, Sizes, units
from trdinger.schema import bulk


@dataclass(frozen=True)
class _Ready:
    table: str
    columns: tuple[str, ...]
    data: bytearray | memoryview


def replay(file: Path, database: Database, server: int | None, *, connections: int) -> Clock:
    """Send and complete; the clock runs from the first byte that is sent. Raises TargetError."""
    database = prepare(database)
    waiting: SimpleQueue[list[_Ready]] = SimpleQueue()
    for series in _series(Source(file, immutable=True)):
        waiting.put(series)
    capabilities = database.capabilities
    clock = Clock(server)
    clock.stage("Copy")

    def work() -> None:
        with database.connect(autocommit=True) as connection:
            while True:
                try:
                    units = waiting.get_nowait()
                except Empty:
                    return
                for unit in units:
                    _send(connection, unit, capabilities)

    with ThreadPoolExecutor(connections) as pool:
        for ended in [pool.submit(work) for _ in range(connections)]:
            ended.result()
    clock.stage("Finish")
    with database.connect(autocommit=True) as connection:
        complete(connection, compression=capabilities.has("compression"))
    clock.end()
    return clock


def _series(source: Source) -> Iterator[list[_Ready]]:
    """Each series' units, encoded: two streams never share a segment."""
    held = survey(source)
    every: dict[tuple[str, tuple[str, ...]], list[SeriesUnit]] = {}
    for unit in units(held, Sizes()):
        if isinstance(unit, SeriesUnit):
            every.setdefault((unit.table.shape.name, unit.span.segment), []).append(unit)
    for series in sorted(every.values(), key=lambda each: -sum(unit.rows for unit in each)):
        table = series[0].table
        declared = table.shape.series
        assert declared is not None
        with series_reader(source, table.shape, table.present) as reader:
            ready = []
            for unit in series:
                read = reader.read(unit.span, rows=unit.rows).table
                columns, data = encode(declared, read, unit.span.segment)
                ready.append(_Ready(table.shape.name, columns, data))
        yield ready


def _send(connection: psycopg.Connection[Any], unit: _Ready, capabilities: Capabilities) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(unit.table), sql.SQL(", ").join(map(sql.Identifier, unit.columns))
    )
    with connection.transaction():
        bulk.direct(connection, capabilities, ordered=True)
        bulk.send(connection, statement, memoryview(unit.data))
