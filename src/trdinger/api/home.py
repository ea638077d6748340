"""Where the API's answers come from: one database, its sessions, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from trdinger.declaration import TABLES
from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions, sqlite_engine
from trdinger.engine.failures import speaking
from trdinger.engine.open import open_database
from trdinger.errors import SourceError


class Home:
    """One database behind the API. Usable from many threads; each asks in a session of its own.

    name: what people call it, without a password.
    """

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine, autoflush=False)
        self.name = name

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session in one transaction: what is not committed in the block is undone.

        Raises TargetError, of a file SourceError, for whatever the database refuses.
        """
        with self._speaking(), self._sessions() as session:
            yield session

    def lacking(self) -> list[str]:
        """Those of our tables that are not there. Raises as `session` does."""
        with self._speaking():
            there = set(sa.inspect(self._engine).get_table_names())
        return [table for table in TABLES if table not in there]

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        if self._engine.dialect.name != "sqlite":
            with speaking(self.name):
                yield
            return
        try:
            yield
        except SQLAlchemyError as error:
            cause: Any = getattr(error, "orig", None) or error
            raise SourceError(
                f"{self.name} answered: {cause}.", hint="trdinger inspect tells what is wrong with a file."
            ) from error


@contextmanager
def open_home(address: Address, options: ConnectionOptions) -> Iterator[Home]:
    """The database at `address`; an embedded one that this starts ends with the block.

    Raises SourceError where there is no such file, TargetError.
    """
    if address.kind == "sqlite":
        assert address.url is not None
        file = Path(address.url.database or "")
        if not file.is_file():
            raise SourceError(f"There is no file {file}.", hint="Name one with --to, or set DATABASE_URL.")
        engine = sqlite_engine(address.url, options)
        try:
            yield Home(engine, str(address))
        finally:
            engine.dispose()
        return
    with open_database(address, options) as database:
        engine = database.engine()
        try:
            yield Home(engine, str(database))
        finally:
            engine.dispose()


def _of(request: Request) -> Home:
    home: Home = request.app.state.home
    return home


Here = Annotated[Home, Depends(_of)]
"""The database of the application that an endpoint belongs to."""
