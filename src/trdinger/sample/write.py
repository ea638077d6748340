"""Writes the file: tables, rows, indexes, then the name that was asked for.

The file appears whole under its name or not at all. What happens to be there is kept
unless overwriting was asked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trdinger.declaration import TABLES
from trdinger.legacy.layout import ddl
from trdinger.legacy.newfile import Words, filling, new_file, refuse, told
from trdinger.sample import derivatives, research
from trdinger.sample.candles import candles, update_begin
from trdinger.sample.moments import Clock, Ids, at
from trdinger.sample.options import SampleOptions, SampleSummary
from trdinger.sample.plan import Plan, plan
from trdinger.schema.models import Base

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total): stage is "candles" (rows), "other tables" or "indexes" (pieces)."""

_WORDS = Words(
    exists="Name another file, or add --force.", full="Free some space there, or ask for fewer rows."
)


def write_sample(
    path: Path, options: SampleOptions, *, progress: Progress | None = None, overwrite: bool = False
) -> SampleSummary:
    """Write a `trdinger.db` with all nine tables, as the existing application would have.

    Page size 4096, journal mode delete, user_version 0; tables and indexes are the models'
    own. The same seed and options give the same rows, to the byte, with the same numpy: its
    Generator's numbers may change between releases, and the last bit of exp() between
    processors, which can move a price by a tick.

    About 430 bytes and 8 µs a candle; memory stays below 400 MB at 20 million.
    Raises UsageError where the file is there already (unless `overwrite`), is in use, or has no
    folder; SourceError where it cannot be written. Neither leaves anything behind.
    """
    with told(path, _WORDS):
        refuse(path, _WORDS, overwrite=overwrite)
    planned = plan(options)
    with new_file(path, _WORDS, overwrite=overwrite) as part:
        rows = _fill(part, options, planned, progress or _silent)
    return SampleSummary(
        path=path,
        rows=MappingProxyType(rows),
        start=at(planned.start),
        end=at(planned.end),
        size=path.stat().st_size,
    )


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def _fill(file: Path, options: SampleOptions, planned: Plan, progress: Progress) -> dict[str, int]:
    tables, indexes = ddl()
    with filling(file) as connection:
        for statement in tables:
            connection.execute(statement)
        rows = dict.fromkeys(TABLES, 0)
        others = _others(options, planned)
        rows["ohlcv_data"] = _candles(connection, options, planned, progress)
        for done, (table, given) in enumerate(others.items(), 1):
            rows[table] = _insert(connection, table, given)
            progress("other tables", done, len(others))
        for done, statement in enumerate(indexes, 1):
            connection.execute(statement)
            progress("indexes", done, len(indexes))
    return rows


def _candles(
    connection: sqlite3.Connection, options: SampleOptions, planned: Plan, progress: Progress
) -> int:
    def flat() -> Iterator[tuple[Any, ...]]:
        done = 0
        progress("candles", done, options.rows)
        for page in candles(options, planned, Clock(update_begin(planned) * 60), Ids(options.rows)):
            yield from page
            done += len(page)
            progress("candles", done, options.rows)

    return _insert(connection, "ohlcv_data", flat())


def _others(options: SampleOptions, planned: Plan) -> dict[str, Iterable[tuple[Any, ...]]]:
    clock = Clock(planned.end * 60)
    payments = Ids(derivatives.funding_count(options, planned))
    readings = Ids(derivatives.open_interest_count(options, planned))
    return {
        "funding_rate_data": derivatives.funding(options, planned, clock, payments),
        "open_interest_data": derivatives.open_interest(options, planned, clock, readings),
        "data_collection_log": research.log(options, planned),
        "backtest_results": research.backtests(options, planned),
        "ga_experiments": research.experiments(options, planned),
        "generated_strategies": research.strategies(options, planned),
        "strategy_showcase": research.showcase(options, planned),
        "strategy_templates": research.templates(options, planned),
    }


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Insert rows of all columns of a table, in one transaction; how many there were."""
    columns = [column.name for column in Base.metadata.tables[table].columns]
    marks = ", ".join("?" * len(columns))
    connection.execute("BEGIN")
    cursor = connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
    connection.execute("COMMIT")
    return cursor.rowcount
