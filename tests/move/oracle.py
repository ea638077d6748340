"""Whether a file and a target hold the same values, found out without the program's own readers.

sqlite3's rows against psycopg's, asked as the existing application asks: by equality on the
segment, a range of time with both ends in it given as text without an offset, an order, a limit.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from trdinger.engine.connect import Database

SERIES = {
    "ohlcv_data": (("symbol", "timeframe"), "timestamp"),
    "funding_rate_data": (("symbol",), "funding_timestamp"),
    "open_interest_data": (("symbol",), "data_timestamp"),
}
OTHERS = (
    "data_collection_log",
    "backtest_results",
    "ga_experiments",
    "generated_strategies",
    "strategy_showcase",
    "strategy_templates",
)
TABLES = (*SERIES, *OTHERS)
RANGES = 7  # that each series is read by
LATEST = 100

Row = tuple[Any, ...]


def count_equal_cells(file: Path, database: Database) -> dict[str, int]:
    """The cells of each table that were compared; fails at the first that differs."""
    counted = {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as ours, _session(database) as theirs:
        for table in TABLES:
            both = _Both(ours, theirs, table)
            compared = both.series() if table in SERIES else both.whole()
            (rows,) = ours.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert compared == rows, f"{table}: the predicates gave {compared} of {rows} rows"
            assert theirs.execute(f"SELECT count(*) FROM {table}").fetchone() == (rows,), table
            counted[table] = rows * len(both.names)
    return counted


class _Both:
    """One table on both sides."""

    def __init__(self, ours: sqlite3.Connection, theirs: psycopg.Connection[Any], table: str) -> None:
        self.ours, self.theirs, self.table = ours, theirs, table
        kinds = dict(
            theirs.execute(
                "SELECT column_name, data_type FROM information_schema.columns"
                " WHERE table_name = %s AND table_schema = current_schema",
                (table,),
            ).fetchall()
        )
        self.names = [row[1] for row in ours.execute(f"PRAGMA table_info({table})")]
        assert set(self.names) == set(kinds), table
        self.plain = [_PLAIN.get(kinds[name], _as_it_is) for name in self.names]
        as_text = {"jsonb": "::text"}
        self.ours_columns = ", ".join(f'"{name}"' for name in self.names)
        self.theirs_columns = ", ".join(f'"{name}"{as_text.get(kinds[name], "")}' for name in self.names)

    def whole(self) -> int:
        """Compare a small table in the order of its ids."""
        return self._same("ORDER BY id", ())

    def series(self) -> int:
        """Compare a series table by ranges of time, and the newest rows of each series."""
        segment, time = SERIES[self.table]
        rows = 0
        where = " AND ".join(f"{name} = ?" for name in segment)
        for values in self.ours.execute(f"SELECT DISTINCT {', '.join(segment)} FROM {self.table}").fetchall():
            times = [
                row[0]
                for row in self.ours.execute(
                    f"SELECT {time} FROM {self.table} WHERE {where} ORDER BY {time}", values
                )
            ]
            step = max(1, len(times) // RANGES)
            ends = [*times[::step], times[-1]] if times[::step][-1] != times[-1] else times[::step]
            shared = 0
            for first, last in pairwise(ends) if len(ends) > 1 else [(ends[0], ends[0])]:
                rows += self._same(
                    f"WHERE {where} AND {time} >= ? AND {time} <= ? ORDER BY {time}", (*values, first, last)
                )
                shared += 1
            rows -= shared - 1  # an end that two ranges share was given twice
            newest = f"WHERE {where} ORDER BY {time} DESC LIMIT {LATEST}"
            assert self._same(newest, values) == min(LATEST, len(times))
            oldest = f"WHERE {where} AND {time} >= ? ORDER BY {time} LIMIT 1"
            assert self._same(oldest, (*values, times[0])) == 1
        return rows

    def _same(self, rest: str, values: Sequence[Any]) -> int:
        ours = self.ours.execute(f"SELECT {self.ours_columns} FROM {self.table} {rest}", values)
        theirs = self.theirs.execute(
            f"SELECT {self.theirs_columns} FROM {self.table} {rest.replace('?', '%s')}", values
        )
        count = 0
        for mine, other in zip(self._normal(ours), self._normal(theirs), strict=True):
            assert mine == other, f"{self.table} {rest} {values}"
            count += 1
        return count

    def _normal(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            yield tuple(
                None if cell is None else plain(cell) for plain, cell in zip(self.plain, row, strict=True)
            )


def exact(text: str) -> Any:
    """JSON with every number as written, to its last digit."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def _session(database: Database) -> psycopg.Connection[Any]:
    """As the application connects: no word about time zones, so the database's own must be UTC."""
    return psycopg.connect(database.conninfo, autocommit=True)


def _instant(cell: Any) -> datetime:
    if isinstance(cell, str):
        stored = datetime.fromisoformat(cell)
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)
    assert isinstance(cell, datetime)
    assert cell.tzinfo is not None
    return cell.astimezone(UTC)


def _bits(cell: Any) -> bytes:
    return struct.pack("<d", cell)


def _truth(cell: Any) -> bool:
    assert cell in (0, 1)
    return bool(cell)


def _as_it_is(cell: Any) -> Any:
    assert type(cell) in (int, str)
    return cell


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "timestamp with time zone": _instant,
    "double precision": _bits,
    "jsonb": exact,
    "boolean": _truth,
}
