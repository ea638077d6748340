"""What every engine under test promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from trdinger.engine.connect import Database


class EngineUnderTest(ABC):
    """A database server for the suite: started on first use, stopped when the run ends, however it ends.

    `facts` are known without starting it, so that a test can leave it out cheaply.
    """

    name: ClassVar[str]
    facts: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def absent(self) -> str | None:
        """Why it cannot run here, in words with the way to mend it; None when it can. Starts nothing."""

    @abstractmethod
    def describe(self) -> str:
        """Its versions and where it is, for the header. Starts nothing; no secrets."""

    @abstractmethod
    def start(self) -> None:
        """Bring it up. Raises with the server's own words when it does not come."""

    @abstractmethod
    def stop(self) -> None:
        """Take it down and remove what it left. Harmless when it does not run."""

    @abstractmethod
    def empty(self, *, timescaledb: bool = True) -> Iterator[Database]:
        """A context: a database with no user tables, with TimescaleDB where there is one and it is wanted."""


class Server(EngineUnderTest):
    """An engine that creates and drops databases: `administrator` may do both, `owner` owns them."""

    administrator: URL
    owner: URL

    def __init__(self) -> None:
        self._made = 0

    def admin(self, database: str | None = None) -> Database:
        """The server as its administrator, in `database` or where administrators start."""
        return Database(self.administrator.set(database=database) if database else self.administrator)

    def statement(self, statement: sql.Composable | str) -> None:
        """Run one statement as the administrator, outside a transaction."""
        url = self.administrator.set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement)

    def unused_name(self, stem: str = "test") -> str:
        """A database name that no other run of the suite uses."""
        self._made += 1
        return f"trdinger_{stem}_{id(self):x}_{self._made}"

    @contextmanager
    def created(self, name: str, template: str | None) -> Iterator[Database]:
        """The database `name`, the owner's; dropped after, whoever is still connected.

        template: None for the server's own (template1).
        """
        owner = self.owner.username or "postgres"
        self.statement(
            sql.SQL("CREATE DATABASE {} {} OWNER {}").format(
                sql.Identifier(name),
                sql.SQL("TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL(""),
                sql.Identifier(owner),
            )
        )
        try:
            yield Database(self.owner.set(database=name))
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Drop a database together with its sessions and any setting that tests left on it."""
        self.statement(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
