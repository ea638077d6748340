"""The database that is asked: one of its own with the sample file in it, its aggregates up to date, kept.

It has the file's name, so the same options find it again, and says in its comment what is in it: one that an
interrupted run left, or that another version made, is made anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import sql

import trdinger
from trdinger.bench import ours
from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions, Database
from trdinger.engine.embedded import stop
from trdinger.engine.open import open_database
from trdinger.progress import Progress
from trdinger.schema import aggregates
from trdinger.schema.upgrade import heads

_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"


class Kept:
    """A server on which a database may be made, or a folder for the embedded engine's."""

    def __init__(self, address: Address, options: ConnectionOptions, folder: Path) -> None:
        self.embedded = address.kind == "embedded"
        self._address = address
        self._options = options
        self._folder = folder

    @contextmanager
    def of(self, file: Path, progress: Progress) -> Iterator[Database]:
        """The database of a file. Raises TargetError; ValuesDiffer where it is not proven equal."""
        whole = f"{file.name}, trdinger {trdinger.__version__}, schema {', '.join(heads())}"
        with self._there(_name(file)) as database:
            if self._says(database) == whole:
                yield database.fresh()
                return
        self.drop(file)
        with self._there(_name(file)) as database:
            self._fill(database, file, progress)
            with database.connect(autocommit=True) as connection:
                name = sql.Identifier(connection.info.dbname)
                connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(whole)))
            yield database.fresh()

    def drop(self, file: Path) -> bool:
        """Take the database of a file away; whether it was there. Raises TargetError."""
        name = _name(file)
        if self.embedded:
            directory = self._folder / name
            there = directory.exists()
            if there:
                stop(directory)
                shutil.rmtree(directory)
            return there
        with open_database(self._address, self._options) as server, server.connect(autocommit=True) as one:
            there = _exists(one, name)
            if there:
                one.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        return there

    @contextmanager
    def _there(self, name: str) -> Iterator[Database]:
        if self.embedded:
            place = Address("embedded", directory=self._folder / name)
            with open_database(place, self._options) as database:
                yield database
            return
        with open_database(self._address, self._options) as server:
            with server.connect(autocommit=True) as one:
                if not _exists(one, name):
                    one.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            yield Database(server.url.set(database=name), self._options)

    def _says(self, database: Database) -> str | None:
        with database.connect(autocommit=True) as connection:
            found = connection.execute(_COMMENT).fetchone()
        return found[0] if found else None

    def _fill(self, database: Database, file: Path, progress: Progress) -> None:
        workdir = self._folder / f"{_name(file)}-move"
        progress.stage("Move")
        ours.move(file, database, None, workdir=workdir)
        shutil.rmtree(workdir, ignore_errors=True)
        filled = database.fresh()
        if filled.capabilities.has("continuous_aggregates"):
            progress.stage("Refresh")
            with filled.connect(autocommit=True) as connection:
                aggregates.create(connection)
                for _ in aggregates.refresh(connection):
                    pass


def _name(file: Path) -> str:
    return f"trdinger_queries_{file.stem.removeprefix('sample-').replace('-', '_')}"


def _exists(connection: object, name: str) -> bool:
    asked = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))  # type: ignore[attr-defined]
    return asked.fetchone() is not None
