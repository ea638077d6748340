"""Is a series that is declared a hypertable one?"""

from __future__ import annotations

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import ModifyTableOps
from sqlalchemy import Table

from trdinger import declaration
from trdinger.engine.capabilities import probe
from trdinger.schema import timescale
from trdinger.schema.comparators.base import compares, ours
from trdinger.schema.operations.base import psycopg_connection
from trdinger.schema.operations.hypertable import CreateHypertableOp


@compares("table")
def compare_hypertable(
    context: AutogenContext,
    changes: ModifyTableOps,
    _schema: str | None,
    _name: str,
    present: Table | None,
    declared: Table | None,
) -> None:
    """A series that is a plain table, on a server that has hypertables, wants create_hypertable."""
    if declared is None or not ours(present, declared) or declared.name not in declaration.SERIES:
        return
    connection = psycopg_connection(context.connection)
    if not probe(connection).has("hypertables"):
        return
    series = declaration.SERIES[declared.name]
    state = timescale.hypertable(connection, declared.name)
    if state is None or state.by != series.time:
        changes.ops.append(
            CreateHypertableOp(declared.name, by=series.time, chunk_interval=series.chunk_interval)
        )
