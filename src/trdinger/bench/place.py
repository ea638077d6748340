"""Where contestants work: a new database for each run, dropped after it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions, Database
from trdinger.engine.embedded import stop
from trdinger.engine.open import open_database


class Place:
    """A server on which databases may be made, or a folder for the embedded engine's."""

    def __init__(self, address: Address, options: ConnectionOptions, folder: Path) -> None:
        self.embedded = address.kind == "embedded"
        self._address = address
        self._options = options
        self._folder = folder

    @contextmanager
    def fresh(self) -> Iterator[Database]:
        """An empty database with TimescaleDB where the server has it. Raises TargetError."""
        name = f"trdinger_bench_{uuid4().hex[:12]}"
        if self.embedded:
            yield from self._directory(self._folder / name)
        else:
            yield from self._created(name)

    def _directory(self, directory: Path) -> Iterator[Database]:
        try:
            with open_database(Address("embedded", directory=directory), self._options) as database:
                yield database
        finally:
            stop(directory)
            shutil.rmtree(directory, ignore_errors=True)

    def _created(self, name: str) -> Iterator[Database]:
        with open_database(self._address, self._options) as server:
            with server.connect(autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                with suppress(psycopg.errors.InsufficientPrivilege):
                    connection.execute("CHECKPOINT")  # none pays for the one before it
            database = Database(server.url.set(database=name), self._options)
            try:
                yield database
            finally:
                with server.connect(autocommit=True) as connection:
                    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
                    connection.execute(drop.format(sql.Identifier(name)))
