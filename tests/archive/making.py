"""Rows of every awkward kind for an archive, and what they are by other means than the archive's own."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from trdinger.archive.layout import Partition
from trdinger.archive.place import Place
from trdinger.archive.rows import arrow
from trdinger.archive.writing import Writing
from trdinger.declaration import FUNDING_RATE, OHLCV, Series

SYMBOLS = ("BTC/USDT:USDT", "btc/USDT:USDT", "1000", "a=b%2F c", "Ünï 日本", "..", "")
VALUES = (1.5, math.nan, -0.0, 0.0, math.inf, 5e-324, None)


def rows(series: Series, month: str, count: int = 7, *, shift: float = 0.0) -> pa.Table:
    """So many rows of a month, an hour apart; null where the table has it, and every odd float."""
    schema = arrow(series)
    first = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)
    times = [first + timedelta(hours=at) for at in range(count)]
    columns: dict[str, list[Any]] = {}
    for field in schema:
        if pa.types.is_timestamp(field.type):
            columns[field.name] = times if field.name != "next_funding_timestamp" else [None, *times[1:]]
        elif pa.types.is_integer(field.type):
            columns[field.name] = list(range(count))
        else:
            values = [VALUES[at % len(VALUES)] for at in range(count)]
            if series is OHLCV:
                values = [0.25 if value is None else value for value in values]
            columns[field.name] = [value if value is None else value + shift for value in values]
    return pa.table(columns, schema=schema)


def bits(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows as tuples in which every float is its eight bytes."""
    return [tuple(map(_bits, row.values())) for row in table.to_pylist()]


def filled(place: Place) -> dict[Partition, pa.Table]:
    """An archive of fourteen files, written as two chunks."""
    made = {
        Partition(OHLCV.table, (symbol, "1h"), month): rows(OHLCV, month, 5 + at)
        for at, symbol in enumerate(SYMBOLS)
        for month in ("2024-01", "2024-02")
    }
    made[Partition(FUNDING_RATE.table, ("BTC/USDT:USDT",), "2024-01")] = rows(FUNDING_RATE, "2024-01")
    write(place, made)
    return made


def write(place: Place, made: dict[Partition, pa.Table]) -> None:
    """Each partition as a chunk that was dropped."""
    with Writing(place, "here") as writing:
        for partition, table in made.items():
            writing.put(partition, table)
        writing.publish("token", "chunk")
        writing.close(dropped=True)


def _bits(value: Any) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value
