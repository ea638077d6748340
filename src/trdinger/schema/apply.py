"""Bring a database's hypertables to the declaration, after TimescaleDB or its edition changed."""

from __future__ import annotations

from typing import Any

import psycopg

from trdinger import declaration
from trdinger.schema import timescale


def apply(connection: psycopg.Connection[Any]) -> list[str]:
    """Make hypertables of series that are plain and empty; set chunk interval, compression, time zone.

    Idempotent, in the caller's transaction. Answers what was changed, in sentences; what the
    server cannot do, and tables that hold rows, are skipped and said in the log "trdinger.schema".
    """
    changed = []
    if timescale.database_time_zone(connection) != timescale.TIME_ZONE and timescale.set_database_time_zone(
        connection, timescale.TIME_ZONE
    ):
        changed.append(f"New sessions of the database speak {timescale.TIME_ZONE}.")
    if not timescale.ensure_extension(connection):
        return changed
    for series in declaration.SERIES.values():
        changed += _apply_series(connection, series)
    return changed


def _apply_series(connection: psycopg.Connection[Any], series: declaration.Series) -> list[str]:
    table, changed = series.table, []
    state = timescale.hypertable(connection, table)
    if state is None:
        if not timescale.create_hypertable(
            connection, table, by=series.time, chunk_interval=series.chunk_interval
        ):
            return []
        changed.append(f"{table} is a hypertable with chunks of {series.chunk_interval.days} days.")
    elif state.chunk_interval != series.chunk_interval and timescale.set_chunk_interval(
        connection, table, series.chunk_interval
    ):
        changed.append(f"New chunks of {table} span {series.chunk_interval.days} days.")
    wanted = timescale.declared_compression(series)
    if (state is None or state.compression != wanted) and timescale.set_compression(
        connection, table, segment_by=wanted.segment_by, order_by=wanted.order_by
    ):
        changed.append(f"{table} is compressed {wanted}.")
    return changed
