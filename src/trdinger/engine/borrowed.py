"""A connection that is somebody else's, in their transaction: statements and COPY, and nothing committed.

Takes psycopg's and sqlite3's own connections, and SQLAlchemy's connections and sessions over psycopg,
psycopg2 or sqlite3. Statements are the driver's: `%s` marks a value on PostgreSQL, `?` on SQLite.
Errors leave as they are raised there: those of a statement as SQLAlchemy's over its connections.
"""

from __future__ import annotations

import io
import select
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Literal

import psycopg
import sqlalchemy as sa
from psycopg import pq
from sqlalchemy.orm import Session

from trdinger.errors import UsageError

Handed = psycopg.Connection[Any] | sqlite3.Connection | sa.Connection | Session
"""What can be handed in."""

_WRITE_BYTES = 1 << 18  # of one COPY message


class Borrowed:
    """One connection. dialect: whose SQL it speaks."""

    def __init__(self, connection: Handed) -> None:
        self._alchemy = connection.connection() if isinstance(connection, Session) else None
        if isinstance(connection, sa.Connection):
            self._alchemy = connection
        own: Any = connection if self._alchemy is None else self._alchemy.connection.dbapi_connection
        self._own = own
        self._lite = isinstance(own, sqlite3.Connection)
        if not self._lite and not isinstance(own, psycopg.Connection) and not _is_psycopg2(own):
            raise UsageError(
                f"A connection of {type(own).__module__} cannot be written through.",
                hint="Hand in one of psycopg or sqlite3, or SQLAlchemy's over psycopg, psycopg2 or sqlite3.",
            )

    @property
    def dialect(self) -> Literal["postgresql", "sqlite"]:
        return "sqlite" if self._lite else "postgresql"

    @contextmanager
    def whole(self) -> Iterator[None]:
        """All in the block or nothing of it, also on a psycopg connection that commits each statement."""
        if isinstance(self._own, psycopg.Connection) and self._own.autocommit:
            with self._own.transaction():
                yield
        else:
            yield

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run one statement; how many rows it changed."""
        with self._ran(statement, tuple(values)) as cursor:
            return int(cursor.rowcount)

    def run_each(self, statement: str, rows: list[tuple[object, ...]]) -> int:
        """Run one statement for each row of values; how many rows they changed together."""
        if not rows:
            return 0
        if self._alchemy is not None:
            return int(self._alchemy.exec_driver_sql(statement, rows).rowcount)
        with closing(self._own.cursor()) as cursor:
            cursor.executemany(statement, rows)
            return int(cursor.rowcount)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What one statement answers, as plain tuples."""
        with self._ran(statement, tuple(values)) as cursor:
            return list(cursor.fetchall())

    def copy_in(self, statement: str, data: bytes | bytearray) -> None:
        """COPY … FROM STDIN. PostgreSQL only."""
        with closing(self._own.cursor()) as cursor:
            if _is_psycopg2(self._own):
                cursor.copy_expert(statement, io.BytesIO(data))
                return
            view = memoryview(data)
            with cursor.copy(statement.encode()) as copy:
                for start in range(0, len(view), _WRITE_BYTES):
                    copy.write(view[start : start + _WRITE_BYTES])

    def copy_out(self, statement: str, values: Sequence[object] = ()) -> bytes | bytearray:
        """COPY … TO STDOUT, all of it. Values are put into the text by the driver. PostgreSQL only."""
        with closing(self._own.cursor()) as cursor:
            if _is_psycopg2(self._own):
                gathered = io.BytesIO()
                cursor.copy_expert(cursor.mogrify(statement, tuple(values)), gathered)
                return gathered.getvalue()
            with cursor.copy(statement.encode(), tuple(values)):
                return _copied(self._own.pgconn)

    @contextmanager
    def _ran(self, statement: str, values: tuple[object, ...]) -> Iterator[Any]:
        if self._alchemy is not None:
            result = self._alchemy.exec_driver_sql(statement, values or None)
            try:
                yield result.cursor if result.returns_rows else result
            finally:
                result.close()
            return
        with closing(self._own.cursor()) as cursor:
            asked = statement.encode() if isinstance(self._own, psycopg.Connection) else statement
            cursor.execute(asked, values)
            yield cursor


def _copied(connection: pq.abc.PGconn) -> bytearray:
    """What a COPY that has begun gives. psycopg's own loop takes four times as long, row by row."""
    gathered = bytearray()
    while True:
        size, data = connection.get_copy_data(1)
        if size > 0:
            gathered += data
        elif size == 0:  # nothing yet
            select.select([connection.socket], [], [])
            connection.consume_input()
        else:
            break
    failed = None
    while (result := connection.get_result()) is not None:  # to the last: the next statement waits for it
        if result.status == pq.ExecStatus.FATAL_ERROR:
            failed = psycopg.errors.error_from_result(result)
    if failed is not None:
        raise failed
    return gathered


def _is_psycopg2(connection: object) -> bool:
    """Whether it is the driver of the existing application, which this package does not import."""
    return type(connection).__module__.partition(".")[0] == "psycopg2"
