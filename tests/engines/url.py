"""The server that TRDINGER_TEST_DATABASE_URL names: a database of its own for each test, dropped after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import psycopg

from engines.base import Server
from trdinger.engine.address import parse_address
from trdinger.engine.connect import Database
from trdinger.errors import UsageError


class ByUrl(Server):
    """Somebody's server. Its user must be allowed to create databases; those it holds are left alone."""

    name: ClassVar[str] = "url"

    def __init__(self, url: str | None) -> None:
        super().__init__()
        self._given = url

    def absent(self) -> str | None:
        if not self._given:
            return "TRDINGER_TEST_DATABASE_URL is not set (postgresql://user:password@host/database)"
        try:
            address = parse_address(self._given)
        except UsageError as error:
            return f"TRDINGER_TEST_DATABASE_URL: {error}"
        return None if address.kind == "postgresql" else "TRDINGER_TEST_DATABASE_URL is no PostgreSQL server"

    def describe(self) -> str:
        return str(parse_address(self._given or ""))

    def start(self) -> None:
        url = parse_address(self._given or "").url
        assert url is not None
        self.administrator = self.owner = url

    def stop(self) -> None:
        """Nothing to do: the server is not ours, and each database went with its test."""

    def unused_name(self, stem: str = "test") -> str:
        return f"{super().unused_name(stem)}_{os.getpid()}"

    @contextmanager
    def empty(self, *, timescaledb: bool = True) -> Iterator[Database]:
        with self.created(self.unused_name(), "template0") as database:
            if timescaledb:
                with psycopg.connect(database.conninfo, autocommit=True) as connection:
                    offered = connection.execute(
                        "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
                    ).fetchone()
                    if offered:
                        connection.execute("CREATE EXTENSION timescaledb")
            yield database
