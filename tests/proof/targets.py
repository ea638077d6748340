"""Targets of the real command, of which each move gets a new one: a server's database, a data directory."""

from __future__ import annotations

import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from engines import EngineUnderTest, laid
from trdinger.engine.connect import Database
from trdinger.engine.embedded import Running, running, status


class Place(ABC):
    """Where moves of one test go: to an engine by its name."""

    engine: str

    @abstractmethod
    def new(self) -> Iterator[Target]:
        """A context: an empty target."""


@dataclass
class Target(ABC):
    """One target: `address` is what the command is given."""

    address: str

    @abstractmethod
    def served(self) -> Iterator[str]:
        """A context: a conninfo by which it can be read."""

    @abstractmethod
    def crash(self) -> None:
        """Kill the engine too, where it is this target's own."""


class Databases(Place):
    """A new database of a server for each move."""

    def __init__(self, engine: EngineUnderTest) -> None:
        self._engine, self.engine = engine, engine.name

    @contextmanager
    def new(self) -> Iterator[Target]:
        with self._engine.empty() as database:
            url = database.url.set(drivername="postgresql")
            yield _OfServer(url.render_as_string(hide_password=False), database.conninfo)


@dataclass
class _OfServer(Target):
    conninfo: str

    @contextmanager
    def served(self) -> Iterator[str]:
        yield self.conninfo

    def crash(self) -> None:
        """The server is there for others, too."""


class Directories(Place):
    """A new data directory of the embedded engine for each move."""

    engine = "embedded"

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, 0

    @contextmanager
    def new(self) -> Iterator[Target]:
        self._made += 1
        directory = laid(self._folder / f"data{self._made}")
        try:
            yield _OfDirectory(f"embedded:{directory}", directory)
        finally:
            shutil.rmtree(directory)


@dataclass
class _OfDirectory(Target):
    directory: Path

    @contextmanager
    def served(self) -> Iterator[str]:
        with running(self.directory) as server:
            yield _conninfo(server)

    def crash(self) -> None:
        if (server := status(self.directory)) is not None:
            os.kill(server.pid, signal.SIGKILL)


def _conninfo(server: Running) -> str:
    return Database(make_url(server.url), sessions=1).conninfo
