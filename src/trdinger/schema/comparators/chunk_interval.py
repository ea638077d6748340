"""Do new chunks span what is declared?"""

from __future__ import annotations

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import ModifyTableOps
from sqlalchemy import Table

from trdinger.schema.comparators.base import compares, series_state
from trdinger.schema.operations.hypertable import SetChunkIntervalOp


@compares("table")
def compare_chunk_interval(
    context: AutogenContext,
    changes: ModifyTableOps,
    _schema: str | None,
    _name: str,
    present: Table | None,
    declared: Table | None,
) -> None:
    """A hypertable with another interval than declared wants set_chunk_interval."""
    if (found := series_state(context, present, declared)) is None:
        return
    series, state = found
    if state.chunk_interval != series.chunk_interval:
        changes.ops.append(
            SetChunkIntervalOp(series.table, series.chunk_interval, existing=state.chunk_interval)
        )
