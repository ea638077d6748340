"""Are chunks compressed by what is declared, in the order that is declared?"""

from __future__ import annotations

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import ModifyTableOps
from sqlalchemy import Table

from trdinger.engine.capabilities import probe
from trdinger.schema.comparators.base import compares, series_state
from trdinger.schema.operations.base import psycopg_connection
from trdinger.schema.operations.compression import SetCompressionOp
from trdinger.schema.timescale import declared_compression


@compares("table")
def compare_compression(
    context: AutogenContext,
    changes: ModifyTableOps,
    _schema: str | None,
    _name: str,
    present: Table | None,
    declared: Table | None,
) -> None:
    """A hypertable without compression, or with other settings, wants set_compression."""
    if (found := series_state(context, present, declared)) is None:
        return
    if not probe(psycopg_connection(context.connection)).has("compression"):
        return
    series, state = found
    wanted = declared_compression(series)
    if state.compression != wanted:
        changes.ops.append(SetCompressionOp(series.table, wanted, existing=state.compression))
