"""What the operations share: a sentence about the difference, and the way to the driver."""

from __future__ import annotations

from typing import Any

import psycopg
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations

from trdinger.errors import UsageError


class TimescaleOp(MigrateOperation):
    """An operation of ours. `sentence` says what a database that needs it lacks."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """The form that `alembic check` prints."""
        return (type(self).__name__.removesuffix("Op"), self.sentence)


def prefix(context: AutogenContext) -> str:
    """How generated revisions call operations: `op.`, unless their configuration says otherwise."""
    return str((context.opts or {}).get("alembic_module_prefix") or "op.")


def driver(operations: Operations) -> psycopg.Connection[Any] | None:
    """The psycopg connection under the migration; None on SQLite, where the operations do nothing."""
    if operations.get_context().dialect.name != "postgresql":
        return None
    return psycopg_connection(operations.get_bind())


def psycopg_connection(connection: Any) -> psycopg.Connection[Any]:
    """The psycopg connection under a SQLAlchemy one. Raises UsageError over another driver."""
    below = connection.connection.driver_connection
    if not isinstance(below, psycopg.Connection):
        raise UsageError(
            "The schema is managed over psycopg 3.",
            hint="Use an address that begins with postgresql+psycopg://.",
        )
    return below
