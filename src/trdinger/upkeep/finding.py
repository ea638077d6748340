"""What a doctor looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from trdinger.archive.place import Place
from trdinger.declaration import Lifecycle
from trdinger.engine.connect import Database


@dataclass(frozen=True)
class Patient:
    """A database over one connection in autocommit. archive: where the settings say that it is."""

    database: Database
    connection: psycopg.Connection[Any]
    lifecycle: Lifecycle
    archive: Place | None

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers."""
        return self.connection.execute(query.encode(), values or None).fetchall()

    def has(self, relation: str) -> bool:
        """Whether a table of the schema is there."""
        return bool(self.rows("SELECT to_regclass(%s) IS NOT NULL", relation)[0][0])


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    level: `wrong` where answers, rows or the server suffer; a `note` where it could be better.
    fix: a command, a statement, or what to do.
    """

    said: str
    fix: str
    level: Literal["wrong", "note"] = "wrong"


Check = Callable[[Patient], list[Finding]]
