"""Bars out of finer bars: open of the first, highest high, lowest low, close of the last, volume summed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trdinger.series.timeframes import origin, width

TIME = pa.timestamp("us", tz="UTC")
PRICES = ("open", "high", "low", "close", "volume")
COUNT = "bars"
"""The column that tells how many finer bars a derived bar saw; fewer than it spans means that some lack."""
BARS = pa.schema([("timestamp", TIME), *((name, pa.float64()) for name in PRICES), (COUNT, pa.int32())])


def derived(candles: pa.Table, timeframe: str) -> pa.Table:
    """Bars of `timeframe` out of candles (timestamp, open, high, low, close, volume), sorted by time.

    Answers the same columns and `bars` (int32), a row for each bar that saw at least one candle.
    A null counts for nothing; the sum of volumes is in the order of time.
    """
    moments = candles.column("timestamp").cast(pa.int64()).to_numpy()
    size, start = width(timeframe), origin(timeframe)
    opens = (moments - start) // size * size + start
    at = np.flatnonzero(np.diff(opens, prepend=opens[:1] - 1)) if len(opens) else np.array([], np.int64)
    bar = pa.array(np.repeat(np.arange(len(at)), np.diff(np.append(at, len(opens)))))
    table = candles.select(list(PRICES)).append_column("bar", bar)
    grouped = table.group_by("bar", use_threads=False).aggregate(
        [
            ("open", "first"),
            ("high", "max"),
            ("low", "min"),
            ("close", "last"),
            ("volume", "sum"),
            ("bar", "count"),
        ]
    )
    return pa.table(
        {
            "timestamp": pa.array(opens[at]).cast(pa.timestamp("us")).cast(TIME),
            "open": grouped["open_first"],
            "high": grouped["high_max"],
            "low": grouped["low_min"],
            "close": grouped["close_last"],
            "volume": grouped["volume_sum"],
            COUNT: pc.cast(grouped["bar_count"], pa.int32()),
        }
    )


def whole(bars: pa.Table, finer: str, timeframe: str) -> pa.Table:
    """Those bars that saw every finer bar that they span."""
    return bars.filter(pc.equal(bars[COUNT], width(timeframe) // width(finer)))


def with_count(candles: pa.Table) -> pa.Table:
    """Candles as bars that were made of none."""
    return candles.append_column(COUNT, pa.nulls(candles.num_rows, pa.int32())).cast(BARS)


def of_symbols(bars: Mapping[str, pa.Table]) -> pa.Table:
    """Bars of several symbols as one table, by symbol and time, in a column `symbol` before the others."""
    schema = BARS.insert(0, pa.field("symbol", pa.string()))
    tables = [
        table.add_column(0, "symbol", pa.repeat(pa.scalar(symbol, pa.string()), table.num_rows))
        for symbol, table in sorted(bars.items())
    ]
    return pa.concat_tables([table.cast(schema) for table in tables]) if tables else schema.empty_table()
