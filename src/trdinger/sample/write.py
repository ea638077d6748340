"""Writes the file: tables, rows, indexes, then the name that was asked for.

The file appears whole under its name or not at all. What happens to be there is kept
unless overwriting was asked for.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, ExecutableDDLElement

from trdinger.declaration import TABLES
from trdinger.errors import SourceError, UsageError
from trdinger.sample import derivatives, research
from trdinger.sample.candles import candles, update_begin
from trdinger.sample.moments import Clock, Ids, at
from trdinger.sample.options import SampleOptions, SampleSummary
from trdinger.sample.plan import Plan, plan
from trdinger.schema.models import Base

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total): stage is "candles" (rows), "other tables" or "indexes" (pieces)."""

PAGE_SIZE = 4096  # bytes; the application's
_CACHE = 40_000  # KiB for SQLite's pages, and for each run that an index sorts in memory
_FULL = "Free some space there, or ask for fewer rows."
# Whatever generation is cut short by leaves no file, so nothing needs a journal or a flush.
_BULK = (
    f"PRAGMA page_size = {PAGE_SIZE}",
    "PRAGMA journal_mode = off",
    "PRAGMA synchronous = off",
    "PRAGMA locking_mode = exclusive",
    f"PRAGMA cache_size = -{_CACHE}",
    "PRAGMA threads = 2",
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
    with _writing(path):
        _refuse(path, overwrite)
    planned = plan(options)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with _writing(path):
            rows = _fill(partial, options, planned, progress or _silent)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            _refuse(path, overwrite)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return SampleSummary(
        path=path,
        rows=MappingProxyType(rows),
        start=at(planned.start),
        end=at(planned.end),
        size=path.stat().st_size,
    )


def _refuse(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", hint="Name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(
            f"There is no folder {path.parent}.", hint=f"Make it: mkdir -p {shlex.quote(str(path.parent))}"
        )
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no ordinary file.", hint="Name another.")
    if path.exists() and not overwrite:
        raise UsageError(
            f"{path} is there already; nothing was written.", hint="Name another file, or add --force."
        )
    for suffix in ("-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            raise UsageError(
                f"{beside} belongs to a database that is in use or was cut off; nothing was written.",
                hint="Stop what uses it, or name another file.",
            )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the system inside the block into SourceErrors that name the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if (error.sqlite_errorcode & 0xFF) == sqlite3.SQLITE_FULL:
            raise SourceError(f"The disk is full: {path} was not written.", hint=_FULL) from None
        raise SourceError(f"{path} cannot be written: {error}.", hint="Name another folder.") from None
    except OSError as error:
        said = (error.strerror or str(error)).rstrip(".")
        raise SourceError(f"{path} cannot be written: {said}.", hint="Name another folder.") from None


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def _fill(file: Path, options: SampleOptions, planned: Plan, progress: Progress) -> dict[str, int]:
    tables, indexes = _ddl()
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        for statement in (*_BULK, *tables):
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
    finally:
        connection.close()
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


def _ddl() -> tuple[list[str], list[str]]:
    """What `create_all` sends on SQLite: the tables, and the indexes."""
    tables: list[str] = []
    indexes: list[str] = []

    def keep(statement: ExecutableDDLElement, *_: Any, **__: Any) -> None:
        kept = tables if isinstance(statement, CreateTable) else indexes
        kept.append(str(statement.compile(dialect=engine.dialect)))

    engine = sa.create_mock_engine("sqlite://", keep)
    Base.metadata.create_all(engine, checkfirst=False)
    return tables, indexes
