"""Do new sessions of the database speak UTC, so that times without an offset mean it?"""

from __future__ import annotations

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import UpgradeOps
from sqlalchemy import MetaData

from trdinger.engine.capabilities import probe
from trdinger.schema import timescale
from trdinger.schema.comparators.base import OURS, compares
from trdinger.schema.operations.base import psycopg_connection
from trdinger.schema.operations.database import SetDatabaseTimezoneOp


@compares("schema")
def compare_time_zone(context: AutogenContext, changes: UpgradeOps, _schemas: set[str | None]) -> None:
    """A database of our own whose setting is not UTC wants set_database_timezone."""
    if not isinstance(context.metadata, MetaData) or not context.metadata.info.get(OURS):
        return
    connection = psycopg_connection(context.connection)
    zone = timescale.database_time_zone(connection)
    if zone != timescale.TIME_ZONE and probe(connection).may_alter:
        changes.ops.append(SetDatabaseTimezoneOp(timescale.TIME_ZONE, existing=zone))
