"""Measure what the indexes of `ohlcv_data` are worth, on a database that holds a moved file.

    tools/indexes.py ADDRESS        postgresql://… or embedded:DIRECTORY; prints docs/schema.md's table

Each set of indexes is made in a transaction that is rolled back: the database stays as it is. The sets take
turns, so that a busy machine is unfair to none; a figure is the median of all runs, in milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import ExitStack
from typing import Any

import psycopg
from psycopg import sql

from trdinger.engine.address import parse_address
from trdinger.engine.connect import ConnectionOptions
from trdinger.engine.open import open_database

ROUNDS, RUNS = 3, 15
SETS = {
    "the key alone": "DROP INDEX idx_ohlcv_newest",
    "and `(timestamp DESC, symbol)`, as it is": "",
    "and `(symbol, timeframe, timestamp DESC)`": "CREATE INDEX ON ohlcv_data"
    " (symbol, timeframe, timestamp DESC)",
}
SERIES = "symbol = %(symbol)s AND timeframe = %(timeframe)s"
QUESTIONS = {
    "newest 100 of a series": f"SELECT * FROM ohlcv_data WHERE {SERIES} ORDER BY timestamp DESC LIMIT 100",
    "oldest 100 of a series": f"SELECT * FROM ohlcv_data WHERE {SERIES} ORDER BY timestamp LIMIT 100",
    "newest time of a series": f"SELECT max(timestamp) FROM ohlcv_data WHERE {SERIES}",
    "newest time of all": "SELECT max(timestamp) FROM ohlcv_data",
    "oldest time of all": "SELECT min(timestamp) FROM ohlcv_data",
    "newest 100 of all": "SELECT * FROM ohlcv_data ORDER BY timestamp DESC LIMIT 100",
    "one hour of every series": "SELECT * FROM ohlcv_data WHERE timestamp >= %(newest)s - interval '1 hour'"
    " AND timestamp <= %(newest)s",
}


def main(address: str) -> None:
    """Print the table."""
    with ExitStack() as stack:
        database = stack.enter_context(open_database(parse_address(address), ConnectionOptions()))
        connection = stack.enter_context(database.connect(autocommit=True))
        sys.stdout.write(f"{database.capabilities}; {rows(connection):,} candles\n\n")
        asked = largest(connection)
        taken: dict[str, dict[str, list[float]]] = {question: {} for question in QUESTIONS}
        for _ in range(ROUNDS):
            for name, change in SETS.items():
                with connection.transaction(force_rollback=True):
                    if change:
                        connection.execute(change)
                    connection.execute("ANALYZE ohlcv_data")
                    for question, statement in QUESTIONS.items():
                        taken[question].setdefault(name, []).extend(timed(connection, statement, asked))
    lines = [("question", *SETS), ("---",) * (1 + len(SETS))]
    for question, by_set in taken.items():
        lines.append((question, *(f"{statistics.median(by_set[name]):.2f}" for name in SETS)))
    sys.stdout.writelines(f"| {' | '.join(line)} |\n" for line in lines)


def rows(connection: psycopg.Connection[Any]) -> int:
    """How many candles there are."""
    return int((connection.execute("SELECT count(*) FROM ohlcv_data").fetchone() or (0,))[0])


def largest(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """The longest series and its newest time."""
    found = connection.execute(
        "SELECT symbol, timeframe, max(timestamp) FROM ohlcv_data"
        " GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 1"
    ).fetchone()
    if found is None:
        sys.exit("ohlcv_data is empty: move a file in first.")
    return dict(zip(("symbol", "timeframe", "newest"), found, strict=True))


def timed(connection: psycopg.Connection[Any], statement: str, asked: dict[str, Any]) -> list[float]:
    """Milliseconds of each run, but for a first one."""
    taken = []
    for _ in range(RUNS + 1):
        begun = time.perf_counter()
        connection.execute(sql.SQL(statement), asked).fetchall()
        taken.append(1000 * (time.perf_counter() - begun))
    return taken[1:]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
