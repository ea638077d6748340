"""The file that the existing application makes: its tables and indexes, word for word, and its page size.

Read off the models, which `create_all` of the application agrees with. Writes nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, ExecutableDDLElement

from trdinger.schema.models import Base

PAGE_SIZE = 4096  # bytes


@cache
def ddl() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What `create_all` sends on SQLite: the statements for the tables, and those for the indexes."""
    tables: list[str] = []
    indexes: list[str] = []

    def keep(statement: ExecutableDDLElement, *_: Any, **__: Any) -> None:
        kept = tables if isinstance(statement, CreateTable) else indexes
        kept.append(str(statement.compile(dialect=engine.dialect)))

    engine = sa.create_mock_engine("sqlite://", keep)
    Base.metadata.create_all(engine, checkfirst=False)
    return tuple(tables), tuple(indexes)
