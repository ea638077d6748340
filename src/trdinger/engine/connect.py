"""Connections to one PostgreSQL database, of the three kinds that the project uses.

- `connect`: psycopg, for statements, transactions and COPY;
- `arrow`: ADBC, for reading series as Arrow batches;
- `reading`: questions whose answers are Arrow tables, each in one round trip;
- `engine`: SQLAlchemy with its pool, for Alembic and the small relational tables.

Every session speaks UTC, whatever the server's own time zone is. A server with one
session (the embedded one) lets the second connection wait for the first, so hold one
kind at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from trdinger.engine.capabilities import Capabilities, probe
from trdinger.engine.failures import speaking
from trdinger.engine.reading import ArrowReader, Reader
from trdinger.engine.wire import Encrypted, Wire

APPLICATION_NAME = "trdinger"


@dataclass(frozen=True)
class ConnectionOptions:
    """Pool and timeouts. Seconds, but for `statement_timeout` (milliseconds, 0 for none)."""

    pool_size: int = 10
    max_overflow: int = 20
    pool_timeout: float = 30.0
    pool_recycle: int = 1800
    pre_ping: bool = True
    connect_timeout: int = 10
    statement_timeout: int = 0


@dataclass(frozen=True)
class Database:
    """One PostgreSQL database, reached by `url` (drivername postgresql+psycopg).

    sessions: how many connections it serves at once; None when that is the server's affair.
    name: what people call it where `url` holds only for now, as the embedded engine's does; with
    it (`embedded:DIRECTORY`) it can be named again tomorrow.
    snapshot: an exported snapshot (pg_export_snapshot) that `arrow` and transactions of `connect` read,
    and write nothing; it holds while the transaction that exported it does.
    """

    url: URL
    options: ConnectionOptions = field(default_factory=ConnectionOptions)
    sessions: int | None = None
    name: str | None = None
    snapshot: str | None = None

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        return self.url.set(drivername="postgresql").render_as_string(hide_password=True)

    @property
    def conninfo(self) -> str:
        """libpq's form of the address, password included: for drivers, never for people.

        Keywords and values, not a URL: no character of a password can end or break it.
        """
        said = self.url.get_dialect()().create_connect_args(self.url)[1]
        return make_conninfo("", **self._defaults | dict(said))

    @contextmanager
    def connect(self, *, autocommit: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """A psycopg connection; commits at the end of the block, rolls back when it raises.

        Raises TargetError (Transient where a retry may help).
        """
        with speaking(self), psycopg.connect(self.conninfo, autocommit=True) as connection:
            self._prepare(connection)
            connection.autocommit = autocommit
            if self.snapshot is not None and not autocommit:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                connection.execute(self._seeing)
            with speaking(self, established=True):
                yield connection

    @contextmanager
    def arrow(self) -> Iterator[Any]:
        """An ADBC connection (DB-API with Arrow results). Raises TargetError."""
        # Where pandas is installed this loads it: a third of a second that most commands need not wait.
        import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415

        with speaking(self), adbc.connect(self.conninfo, autocommit=True) as connection:
            with connection.cursor() as cursor:
                for statement in self._first_statements:
                    cursor.execute(statement)
                if self.snapshot is not None:
                    cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    cursor.execute(self._seeing)
            with speaking(self, established=True):
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A session for questions that come again and again. Raises TargetError."""
        reader: Reader
        with ExitStack() as opened:
            opened.enter_context(speaking(self))
            try:
                reader = opened.enter_context(closing(Wire(self._unencrypted)))
            except Encrypted:
                reader = ArrowReader(opened.enter_context(self.arrow()))
            with speaking(self, established=True):
                yield reader

    def engine(self) -> sa.Engine:
        """A SQLAlchemy engine with its own pool, sized by the options and by what the server serves.

        It knows this database as its execution option "database", so that its errors can be told.
        """
        size, overflow = self.options.pool_size, self.options.max_overflow
        if self.sessions is not None:
            size, overflow = min(size, self.sessions), 0
        engine = sa.create_engine(
            self.url,
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=overflow,
            pool_timeout=self.options.pool_timeout,
            pool_recycle=self.options.pool_recycle,
            pool_pre_ping=self.options.pre_ping,
            execution_options={"database": self},
            connect_args={
                name: value for name, value in self._defaults.items() if name not in self.url.query
            },
        )

        @event.listens_for(engine, "connect")
        def _speak_utc(connection: psycopg.Connection[Any], _record: object) -> None:
            autocommit = connection.autocommit
            connection.autocommit = True
            self._prepare(connection)
            connection.autocommit = autocommit

        return engine

    @cached_property
    def capabilities(self) -> Capabilities:
        """What the server can do, read once. Raises TargetError when it cannot be reached."""
        with self.connect(autocommit=True) as connection:
            return probe(connection)

    def fresh(self) -> Database:
        """The same database with its capabilities unread: after an extension was created."""
        return replace(self)

    def at(self, snapshot: str) -> Database:
        """The same database as it was when this snapshot was taken."""
        return replace(self, snapshot=snapshot)

    def _unencrypted(self) -> psycopg.Connection[Any]:
        """A connection whose socket tells what was said. Raises Encrypted, and the driver's errors."""
        if self.url.query.get("gssencmode", "disable") != "disable" or self.snapshot is not None:
            raise Encrypted
        connection = psycopg.connect(make_conninfo(self.conninfo, gssencmode="disable"), autocommit=True)
        if connection.pgconn.ssl_in_use:
            connection.close()
            raise Encrypted
        self._prepare(connection)
        return connection

    @property
    def _seeing(self) -> str:
        return f"SET TRANSACTION SNAPSHOT {sql.Literal(self.snapshot).as_string()}"

    @property
    def _defaults(self) -> dict[str, Any]:
        """What libpq is told where the address itself says nothing of it."""
        return {"connect_timeout": self.options.connect_timeout, "application_name": APPLICATION_NAME}

    @property
    def _first_statements(self) -> tuple[str, ...]:
        """Said in every session: UTC, our limit instead of the server's (0: none), and no compiling.

        A plan over the chunks of a hypertable is long and soon done: compiling it took a second for 2 ms.
        """
        limit = f"SET statement_timeout = {int(self.options.statement_timeout)}"
        return ("SET TIME ZONE 'UTC'", limit, "SET jit = off")

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("; ".join(self._first_statements).encode())


def sqlite_engine(url: URL, options: ConnectionOptions | None = None) -> sa.Engine:
    """The application's SQLite database as an engine; waits up to five seconds for a lock."""
    chosen = options or ConnectionOptions()
    return sa.create_engine(
        url,
        connect_args={"check_same_thread": False, "timeout": 5.0},
        poolclass=QueuePool,
        pool_size=chosen.pool_size,
        max_overflow=chosen.max_overflow,
        pool_timeout=chosen.pool_timeout,
        pool_pre_ping=chosen.pre_ping,
    )
