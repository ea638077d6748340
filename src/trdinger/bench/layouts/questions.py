"""What every layout is asked, and what is written into it and undone: in turn, so that noise meets all."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from trdinger.bench.layouts.candles import VALUES, Candles
from trdinger.bench.layouts.layout import Layout
from trdinger.bench.layouts.load import at_home, table
from trdinger.declaration import OHLCV
from trdinger.engine.borrowed import Borrowed
from trdinger.engine.connect import Database
from trdinger.errors import ValuesDiffer
from trdinger.store.inserting import insert

FIRST_PLAN = "first-plan"
LATE, CORRECTED = "late", "corrected"
_COLD = 3  # new connections whose first plan is taken
_LATEST = 100  # bars


@dataclass(frozen=True)
class Question:
    """One question. statement: SQL with {table}, and $1, $2 … for its values, as the store asks."""

    name: str
    what: str
    statement: str
    values: tuple[Any, ...]


@dataclass
class Asked:
    """How long a layout took, in seconds: by the name of a question its whole answers and its plans."""

    answers: dict[str, list[float]] = field(default_factory=dict)
    plans: dict[str, list[float]] = field(default_factory=dict)

    def milliseconds(self, name: str) -> float:
        """The median of the answers."""
        return round(median(self.answers[name]) * 1e3, 3)

    def planning(self, name: str) -> float | None:
        """The median of the plans; None of what has none."""
        return round(median(self.plans[name]) * 1e3, 3) if name in self.plans else None


def questions(candles: Candles) -> list[Question]:
    """The questions about the longest series."""
    segment, held = candles.longest
    moments = held.column(OHLCV.time)
    first, last = moments[0].as_py(), moments[-1].as_py()
    listed = ", ".join(VALUES)
    of_series = "FROM {table} WHERE symbol = $1 AND timeframe = $2"
    where = f"{of_series} AND {OHLCV.time} >= $3 AND {OHLCV.time} < $4"
    range_ = f"SELECT {listed} {where} ORDER BY {OHLCV.time}"
    daily = (
        "SELECT time_bucket(INTERVAL '1 day', timestamp) AS timestamp, first(open, timestamp) AS open,"
        " max(high) AS high, min(low) AS low, last(close, timestamp) AS close, sum(volume) AS volume"
        f" {where} GROUP BY 1 ORDER BY 1"
    )
    newest = f"SELECT {listed} {of_series} ORDER BY {OHLCV.time} DESC LIMIT {_LATEST}"

    def within(days: int) -> tuple[Any, ...]:
        since = first + (last - first) / 3
        return (*segment, since, since + timedelta(days=days))

    name = segment[1]
    return [
        Question("latest", f"the latest {_LATEST} bars", newest, segment),
        Question("week", f"a week of {name}", range_, within(7)),
        Question("quarter", f"three months of {name}", range_, within(91)),
        Question("whole", f"all of {name}", range_, (*segment, first, last + timedelta(microseconds=1))),
        Question("daily", f"{name} to 1d, a year", daily, within(365)),
    ]


def ask(
    database: Database, layouts: list[Layout], asked: list[Question], candles: Candles, *, repeat: int
) -> dict[str, Asked]:
    """Put every question to every layout, round by round, after a round that does not count.

    Raises ValuesDiffer where a layout answers another number of rows than the first one does.
    """
    found = {layout.name: Asked() for layout in layouts}
    rows: dict[str, int] = {}
    with database.reading() as reader:
        for turn in range(repeat + 1):
            for question in asked:
                for layout in layouts:
                    statement = question.statement.format(table=table(layout))
                    begun = time.perf_counter()
                    answer = reader.ask(statement, question.values)
                    seconds = time.perf_counter() - begun
                    _same(layout, question, answer, rows)
                    if turn:
                        found[layout.name].answers.setdefault(question.name, []).append(seconds)
    _plan(database, layouts, asked, found, repeat=repeat)
    with database.connect(autocommit=True) as connection:
        for turn in range(repeat + 1):
            for layout in layouts:
                for name, upserted in ((LATE, candles.late), (CORRECTED, candles.corrected)):
                    seconds = _upsert(connection, layout, name, upserted)
                    if turn:
                        found[layout.name].answers.setdefault(name, []).append(seconds)
    return found


def _plan(
    database: Database,
    layouts: list[Layout],
    asked: list[Question],
    found: dict[str, Asked],
    *,
    repeat: int,
) -> None:
    for layout in layouts:
        cold = found[layout.name].plans.setdefault(FIRST_PLAN, [])
        for _ in range(_COLD):
            with database.connect(autocommit=True) as connection:
                cold.append(_planning(connection, layout, asked[0]))
    with database.connect(autocommit=True) as connection:
        for turn in range(repeat + 1):
            for question in asked:
                for layout in layouts:
                    seconds = _planning(connection, layout, question)
                    if turn:
                        found[layout.name].plans.setdefault(question.name, []).append(seconds)


def _planning(connection: psycopg.Connection[Any], layout: Layout, question: Question) -> float:
    statement = question.statement.format(table=table(layout))
    for at, value in enumerate(question.values, 1):
        statement = statement.replace(f"${at}", sql.Literal(value).as_string(connection))
    row = connection.execute(f"EXPLAIN (SUMMARY, FORMAT JSON) {statement}".encode()).fetchone()
    assert row is not None
    return float(row[0][0]["Planning Time"]) / 1e3


def _upsert(connection: psycopg.Connection[Any], layout: Layout, name: str, rows: pa.Table) -> float:
    """Upsert as the store does, and undo it."""
    with at_home(connection, layout, undone=True):
        begun = time.perf_counter()
        done = insert(Borrowed(connection), OHLCV, rows, replace=True)
        seconds = time.perf_counter() - begun
        wanted = (rows.num_rows, 0) if name == LATE else (0, rows.num_rows)
        if (done.new, done.replaced) != wanted:
            raise ValuesDiffer(
                f"Layout {layout.name}: of {rows.num_rows:,} {name} candles {done.new:,} were new to it and"
                f" {done.replaced:,} were corrections.",
                hint="Figures of a server that does so are worth nothing.",
            )
    return seconds


def _same(layout: Layout, question: Question, answer: pa.Table, rows: dict[str, int]) -> None:
    expected = rows.setdefault(question.name, answer.num_rows)
    if answer.num_rows != expected:
        raise ValuesDiffer(
            f"Layout {layout.name} answers {answer.num_rows:,} rows for {question.what}, not {expected:,}.",
            hint="Figures of a server that does so are worth nothing.",
        )
