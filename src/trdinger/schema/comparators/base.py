"""What the comparators share: whether a table is one of our series, and its state in the catalog."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic.autogenerate import comparators
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Table

from trdinger import declaration
from trdinger.declaration import Series
from trdinger.schema import timescale
from trdinger.schema.operations.base import psycopg_connection
from trdinger.schema.timescale import Hypertable

OURS = "trdinger"  # marks the metadata that is compared, in its `info`


def compares(target: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a comparison for autogenerate, on PostgreSQL. `target` is "table" or "schema"."""

    # Alembic before 1.18 lets a comparison for one dialect replace those for all: ours stand beside them.
    def register(compare: Callable[..., None]) -> Callable[..., None]:
        @comparators.dispatch_for(target)
        def _on_postgresql(context: AutogenContext, *arguments: Any) -> None:
            if context.dialect.name == "postgresql":
                compare(context, *arguments)

        return compare

    return register


def ours(present: Table | None, declared: Table | None) -> bool:
    """Whether the table is of our metadata, and exists."""
    return present is not None and declared is not None and bool(declared.metadata.info.get(OURS))


def series_state(
    context: AutogenContext, present: Table | None, declared: Table | None
) -> tuple[Series, Hypertable] | None:
    """A series and what it is in the database; None for other tables and for those that are no hypertable."""
    if declared is None or not ours(present, declared) or declared.name not in declaration.SERIES:
        return None
    state = timescale.hypertable(psycopg_connection(context.connection), declared.name)
    return None if state is None else (declaration.SERIES[declared.name], state)
