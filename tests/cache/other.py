"""Somebody else at the same tables: every way in which rows come, go and are moved about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg

from trdinger.engine.connect import Database
from trdinger.errors import TargetError
from trdinger.store.postgres import Postgres

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
_LIVE = f"SELECT {', '.join(COLUMNS)} FROM ohlcv_data WHERE symbol = $1 AND timeframe = $2 ORDER BY timestamp"
_WAIT = "SET lock_timeout = '300ms'"  # who waits for longer, waits for itself


class Other:
    """Another connection; on an engine with one session the reader's own, which asks outside of the store."""

    def __init__(self, database: Database, reader: Postgres | None) -> None:
        self._reader = reader
        self._connection = None
        if reader is None:
            self._connection = psycopg.connect(
                database.conninfo, autocommit=True, cursor_factory=psycopg.RawCursor
            )
            self._connection.execute(_WAIT)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def ask(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if self._connection is None:
            assert self._reader is not None
            return [tuple(row.values()) for row in self._reader._ask(statement, values).to_pylist()]
        cursor = self._connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def tried(self, statement: str, values: Sequence[object] = ()) -> bool:
        """Run a statement that the server may refuse as things are; whether it did it."""
        try:
            self.ask(statement, values)
        except (psycopg.Error, TargetError):
            return False
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.ask("BEGIN")
        try:
            yield
        except BaseException:
            self.ask("ROLLBACK")
            raise
        self.ask("COMMIT")

    def rows(self, segment: tuple[str, str]) -> list[tuple[Any, ...]]:
        """All rows of a series as they are now."""
        return self.ask(_LIVE, segment)

    def insert(self, segment: tuple[str, str], opens: Sequence[datetime], value: float) -> None:
        self.ask(
            "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
            " SELECT $1, $2, t::timestamptz, v, v + 1, v, v, n FROM unnest($3::text::text[]) WITH ORDINALITY"
            " AS o (t, n), (SELECT $4::text::float8) AS f (v) ON CONFLICT DO NOTHING",
            (*segment, _array(opens), str(value)),
        )

    def update(self, segment: tuple[str, str], start: datetime, end: datetime, value: float) -> None:
        self.ask(
            "UPDATE ohlcv_data SET close = $3::text::float8 WHERE symbol = $1 AND timeframe = $2"
            " AND timestamp >= $4::text::timestamptz AND timestamp < $5::text::timestamptz",
            (*segment, str(value), start.isoformat(), end.isoformat()),
        )

    def delete(self, segment: tuple[str, str], start: datetime, end: datetime) -> None:
        self.ask(
            "DELETE FROM ohlcv_data WHERE symbol = $1 AND timeframe = $2"
            " AND timestamp >= $3::text::timestamptz AND timestamp < $4::text::timestamptz",
            (*segment, start.isoformat(), end.isoformat()),
        )

    def restore(
        self, segment: tuple[str, str], start: datetime, end: datetime, *, order: str, more: float
    ) -> None:
        """Take the rows of a range out and put as many in again in another order, `more` on the volume."""
        with self.transaction():
            self.ask("CREATE TEMPORARY TABLE away ON COMMIT DROP AS SELECT * FROM ohlcv_data WHERE false")
            self.ask(
                "INSERT INTO away SELECT * FROM ohlcv_data WHERE symbol = $1 AND timeframe = $2"
                " AND timestamp >= $3::text::timestamptz AND timestamp < $4::text::timestamptz",
                (*segment, start.isoformat(), end.isoformat()),
            )
            self.delete(segment, start, end)
            listed = ", ".join(COLUMNS[:-1])
            self.ask(
                f"INSERT INTO ohlcv_data (symbol, timeframe, {listed}, volume)"
                f" SELECT symbol, timeframe, {listed}, volume + $1::text::float8 FROM away ORDER BY {order}",
                (str(more),),
            )

    def chunks(self) -> list[str]:
        return [row[0] for row in self.ask("SELECT show_chunks('ohlcv_data')::text AS chunk ORDER BY 1")]


def grid(start: datetime, end: datetime, step: timedelta) -> list[datetime]:
    return [start + n * step for n in range((end - start) // step)]


def _array(opens: Sequence[datetime]) -> str:
    return "{" + ",".join(f'"{one.isoformat()}"' for one in opens) + "}"
