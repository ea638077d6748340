"""What a researcher would pick instead, where it is installed: the same candles in ArcticDB and in Parquet.

No dependencies of the package: `pip install arcticdb polars duckdb` brings them. What they read is written
once, beside the sample file, and kept.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from trdinger.bench.queries.asked import LATEST, Asked
from trdinger.bench.queries.joining import PRICES, pandas

PEERS = ("arcticdb", "polars", "duckdb")
PLACES = ("arcticdb", "parquet")  # folders of what they read
_GROUP = 122_880  # rows of a row group: what DuckDB writes, and small enough to leave most of a file unread
_MICROSECOND = timedelta(microseconds=1)


class Candles(Protocol):
    """Whoever has the candles that are to be written."""

    def __call__(self) -> Iterable[tuple[str, str, pa.Table]]:
        """symbol, timeframe, and a table of timestamp, open, high, low, close, volume."""


def absent(name: str) -> str | None:
    """Why it cannot run here; None when it can."""
    try:
        importlib.import_module(name)
    except ImportError:
        return f"it is not installed (pip install {name})"
    return None


def opened(name: str, folder: Path, candles: Candles, asked: Asked) -> Any:
    """One of PEERS over its candles in `folder`, which are written where they are not there yet."""
    place = folder / ("arcticdb" if name == "arcticdb" else "parquet")
    if not (place / "whole").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        (_write_arctic if name == "arcticdb" else _write_parquet)(place, candles)
        (place / "whole").touch()
    return {"arcticdb": Arctic, "polars": Polars, "duckdb": Duck}[name](place, asked)


class Arctic:
    """ArcticDB over LMDB: a library for each timeframe, a symbol for each symbol."""

    name = "arcticdb"

    def __init__(self, place: Path, asked: Asked) -> None:
        self._asked = asked
        self._arctic = _arctic(place)
        self._minutes = self._arctic["1m"]

    def months(self) -> Any:
        start, end = self._asked.months
        return self._minutes.read(self._asked.symbol, date_range=(start, end - _MICROSECOND)).data

    again = months

    def latest(self) -> Any:
        return self._minutes.tail(self._asked.symbol, LATEST).data

    def inventory(self) -> list[tuple[Any, ...]]:
        libraries = [(name, self._arctic[name]) for name in self._arctic.list_libraries()]
        return sorted(
            (symbol, timeframe, *library.get_description(symbol).date_range)
            for timeframe, library in libraries
            for symbol in library.list_symbols()
        )

    def symbols(self) -> list[str]:
        return sorted(
            {one for name in self._arctic.list_libraries() for one in self._arctic[name].list_symbols()}
        )

    def range(self) -> tuple[Any, ...]:
        return tuple(self._minutes.get_description(self._asked.symbol).date_range)

    def days(self) -> Any:
        return pandas().concat(self._day(symbol) for symbol in self._asked.symbols)

    def days_of_one(self) -> Any:
        return self._day(self._asked.symbol)

    def _day(self, symbol: str) -> Any:
        builder = importlib.import_module("arcticdb").QueryBuilder().resample("1D")
        asked = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        return self._minutes.read(symbol, query_builder=builder.agg(asked)).data.assign(symbol=symbol)


class Polars:
    """polars over zstd Parquet, a file for each series."""

    name = "polars"

    def __init__(self, place: Path, asked: Asked) -> None:
        self._pl = importlib.import_module("polars")
        self._asked = asked
        self._minutes = _file(place, asked.symbol, "1m")
        self._all = place / "*.parquet"
        self._all_minutes = place / "*-1m.parquet"

    def months(self) -> Any:
        start, end = self._asked.months
        moment = self._pl.col("timestamp")
        return self._read(self._minutes).filter((moment >= start) & (moment < end)).collect()

    again = months

    def latest(self) -> Any:
        return self._read(self._minutes).tail(LATEST).collect()

    def inventory(self) -> list[tuple[Any, ...]]:
        moment = self._pl.col("timestamp")
        ends = self._pl.scan_parquet(self._all).group_by("symbol", "timeframe")
        return sorted(ends.agg(moment.min().alias("first"), moment.max().alias("last")).collect().rows())

    def symbols(self) -> list[str]:
        return sorted(
            self._pl.scan_parquet(self._all).select("symbol").unique().collect()["symbol"].to_list()
        )

    def range(self) -> tuple[Any, ...]:
        moment = self._pl.col("timestamp")
        ends = self._pl.scan_parquet(self._minutes).select(moment.min().alias("a"), moment.max().alias("b"))
        return tuple(ends.collect().row(0))

    def days(self) -> Any:
        return self._days(self._all_minutes)

    def days_of_one(self) -> Any:
        return self._days(self._minutes)

    def _read(self, path: Path) -> Any:
        return self._pl.scan_parquet(path).select("timestamp", *PRICES)

    def _days(self, path: Path) -> Any:
        col = self._pl.col
        grouped = self._pl.scan_parquet(path).group_by_dynamic("timestamp", every="1d", group_by="symbol")
        return grouped.agg(
            col("open").first(), col("high").max(), col("low").min(), col("close").last(), col("volume").sum()
        ).collect()


class Duck:
    """DuckDB over the same files."""

    name = "duckdb"

    def __init__(self, place: Path, asked: Asked) -> None:
        self._connection = importlib.import_module("duckdb").connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._asked = asked
        self._minutes = str(_file(place, asked.symbol, "1m"))
        self._all = str(place / "*.parquet")
        self._all_minutes = str(place / "*-1m.parquet")

    def months(self) -> Any:
        return self._ask(
            f"SELECT timestamp, {', '.join(PRICES)} FROM read_parquet(?)"
            " WHERE timestamp >= ? AND timestamp < ? ORDER BY timestamp",
            self._minutes, *self._asked.months,
        ).df()  # fmt: skip

    again = months

    def latest(self) -> Any:
        newest = "FROM read_parquet(?) ORDER BY timestamp DESC LIMIT ?"
        return self._ask(f"SELECT timestamp, {', '.join(PRICES)} {newest}", self._minutes, LATEST).df()

    def inventory(self) -> list[tuple[Any, ...]]:
        ends = "min(timestamp), max(timestamp) FROM read_parquet(?) GROUP BY ALL"
        return sorted(self._ask(f"SELECT symbol, timeframe, {ends}", self._all).fetchall())

    def symbols(self) -> list[str]:
        found = self._ask("SELECT DISTINCT symbol FROM read_parquet(?)", self._all).fetchall()
        return sorted(row[0] for row in found)

    def range(self) -> tuple[Any, ...]:
        ends = "SELECT min(timestamp), max(timestamp) FROM read_parquet(?)"
        return tuple(self._ask(ends, self._minutes).fetchone())

    def days(self) -> Any:
        return self._days(self._all_minutes)

    def days_of_one(self) -> Any:
        return self._days(self._minutes)

    def _days(self, path: str) -> Any:
        return self._ask(
            "SELECT symbol, date_trunc('day', timestamp) AS timestamp, arg_min(open, timestamp) AS open,"
            " max(high) AS high, min(low) AS low, arg_max(close, timestamp) AS close, sum(volume) AS volume"
            " FROM read_parquet(?) GROUP BY ALL",
            path,
        ).df()

    def _ask(self, statement: str, *values: object) -> Any:
        return self._connection.execute(statement, values)


def _write_arctic(place: Path, candles: Candles) -> None:
    arctic = _arctic(place)
    for symbol, timeframe, table in candles():
        frame = table.to_pandas().set_index("timestamp")
        arctic.get_library(timeframe, create_if_missing=True).write(symbol, frame)


def _write_parquet(place: Path, candles: Candles) -> None:
    for symbol, timeframe, table in candles():
        for name, value in (("timeframe", timeframe), ("symbol", symbol)):
            table = table.add_column(0, name, pa.repeat(pa.scalar(value), table.num_rows))  # noqa: PLW2901
        path = _file(place, symbol, timeframe)
        pq.write_table(table, path, compression="zstd", row_group_size=_GROUP)


def _file(place: Path, symbol: str, timeframe: str) -> Path:
    return place / f"{symbol.replace('/', '-').replace(':', '-')}-{timeframe}.parquet"


def _arctic(place: Path) -> Any:
    return importlib.import_module("arcticdb").Arctic(f"lmdb://{place / 'lmdb'}")
