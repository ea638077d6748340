"""Continuous aggregates of candles: one timeframe out of the next finer one, kept by the server.

A row's `timeframe` is that of the candles it was made of, so every stored series has its own bars. They are
real-time: what is not materialised yet is computed at the question. What was written below that since the
last refresh is *pending*; a bar of a pending range is stale, and `pending` tells. On a psycopg connection.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from trdinger.declaration import AGGREGATES, OHLCV, Aggregate
from trdinger.engine.capabilities import probe
from trdinger.series.timeframes import first_open, width

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRESENT = """
SELECT view_name FROM timescaledb_information.continuous_aggregates
WHERE view_schema = current_schema AND view_name = ANY(%s)
"""
# Every range that was written or never refreshed, below what each aggregate computes at the question: in the
# log of the table that it is made of, and in its own. Times are microseconds since 1970 in both.
PENDING = """
WITH ours AS (
    SELECT c.mat_hypertable_id AS id, c.raw_hypertable_id AS source, w.watermark
    FROM _timescaledb_catalog.continuous_agg c
    JOIN _timescaledb_catalog.continuous_aggs_watermark w ON w.mat_hypertable_id = c.mat_hypertable_id
    WHERE c.user_view_schema = current_schema AND c.user_view_name = ANY({names})
)
SELECT lowest_modified_value, least(greatest_modified_value, watermark - 1)
FROM ours JOIN _timescaledb_catalog.continuous_aggs_hypertable_invalidation_log ON hypertable_id = source
WHERE lowest_modified_value < watermark
UNION ALL
SELECT lowest_modified_value, least(greatest_modified_value, watermark - 1)
FROM ours
JOIN _timescaledb_catalog.continuous_aggs_materialization_invalidation_log ON materialization_id = id
WHERE lowest_modified_value < watermark
"""


@dataclass(frozen=True)
class Refreshed:
    """One aggregate that was refreshed over [start, end)."""

    name: str
    start: datetime
    end: datetime
    seconds: float


def present(connection: psycopg.Connection[Any]) -> tuple[Aggregate, ...]:
    """Our aggregates that are there, the finest first; none where the server knows none."""
    if not probe(connection).has("continuous_aggregates"):
        return ()
    names = [aggregate.name for aggregate in AGGREGATES]
    there = {row[0] for row in connection.execute(_PRESENT, (names,))}
    return tuple(aggregate for aggregate in AGGREGATES if aggregate.name in there)


def create(connection: psycopg.Connection[Any]) -> list[str]:
    """Make those that are missing, with no bar materialised; their names.

    Raises MissingCapability where the server cannot have them.
    """
    probe(connection).require("continuous_aggregates")
    there = {aggregate.name for aggregate in present(connection)}
    made = [aggregate for aggregate in AGGREGATES if aggregate.name not in there]
    for aggregate in made:
        connection.execute(ddl(aggregate))
    return [aggregate.name for aggregate in made]


def drop(connection: psycopg.Connection[Any]) -> list[str]:
    """Take them away, the coarsest first; their names. The candles stay. In the caller's transaction."""
    gone = [aggregate.name for aggregate in reversed(present(connection))]
    for name in gone:
        connection.execute(sql.SQL("DROP MATERIALIZED VIEW {}").format(sql.Identifier(name)))
    return gone


def ddl(aggregate: Aggregate) -> sql.Composed:
    """The statement that makes one aggregate."""
    finest = aggregate.of == OHLCV.table
    moment, bars = (OHLCV.time, "count(*)") if finest else ("bucket", "sum(bars)::bigint")
    return sql.SQL(
        """
        CREATE MATERIALIZED VIEW {name}
        WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
        SELECT symbol, timeframe, time_bucket({width}, {moment}) AS bucket, first(open, {moment}) AS open,
               max(high) AS high, min(low) AS low, last(close, {moment}) AS close, sum(volume) AS volume,
               {bars} AS bars
        FROM {of} GROUP BY symbol, timeframe, time_bucket({width}, {moment}) WITH NO DATA
        """
    ).format(
        name=sql.Identifier(aggregate.name),
        width=sql.Literal(timedelta(microseconds=width(aggregate.timeframe))),
        moment=sql.Identifier(moment),
        bars=sql.SQL(bars),
        of=sql.Identifier(aggregate.of),
    )


def refresh(
    connection: psycopg.Connection[Any], start: datetime | None = None, end: datetime | None = None
) -> Iterator[Refreshed]:
    """Materialise each in turn, the finest first, over whole bars that lie in the range; one that has ended.

    start, end: None for the first and the last candle. The last, still open bars stay to be computed at the
    question. The connection is in autocommit: the server commits as it goes.
    """
    first, last = _ends(connection)
    since = first if start is None else start
    until = last if end is None else min(end, last) if last else None
    if since is None or until is None:
        return
    for aggregate in present(connection):
        begin, stop = _whole_bars(aggregate, since, until)
        if begin >= stop:
            continue
        begun = time.perf_counter()
        connection.execute(
            "CALL refresh_continuous_aggregate(%s, %s::timestamptz, %s::timestamptz)",
            (aggregate.name, begin, stop),
        )
        yield Refreshed(aggregate.name, begin, stop, time.perf_counter() - begun)


def _whole_bars(aggregate: Aggregate, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """From the bar that `since` is in to the end of the last bar that `until` leaves whole."""
    size = width(aggregate.timeframe)
    begin = first_open(aggregate.timeframe, _microseconds(since) - size + 1)
    stop = first_open(aggregate.timeframe, _microseconds(until) - size + 1)
    return _EPOCH + timedelta(microseconds=begin), _EPOCH + timedelta(microseconds=stop)


def _ends(connection: psycopg.Connection[Any]) -> tuple[datetime | None, datetime | None]:
    row = connection.execute(f"SELECT min({OHLCV.time}), max({OHLCV.time}) FROM {OHLCV.table}").fetchone()
    return (row[0], row[1]) if row else (None, None)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
