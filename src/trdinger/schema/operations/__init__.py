"""TimescaleDB's operations for migrations, used like Alembic's own:

    op.ensure_timescaledb()
    op.create_hypertable("ohlcv_data", by="timestamp", chunk_interval=timedelta(days=90))
    op.set_compression("ohlcv_data", segment_by=["symbol", "timeframe"], order_by="timestamp")

Each does nothing on SQLite; on a PostgreSQL server that lacks the ability it is skipped,
and the log "trdinger.schema" says so. Importing this package registers them, their
reverses and their rendering in generated revisions.
"""

from __future__ import annotations

from trdinger.schema.operations.compression import DropCompressionOp, SetCompressionOp
from trdinger.schema.operations.database import EnsureTimescaleDBOp, SetDatabaseTimezoneOp
from trdinger.schema.operations.hypertable import CreateHypertableOp, DropHypertableOp, SetChunkIntervalOp
from trdinger.schema.operations.primary_key import ReplacePrimaryKeyOp

__all__ = [
    "CreateHypertableOp",
    "DropCompressionOp",
    "DropHypertableOp",
    "EnsureTimescaleDBOp",
    "ReplacePrimaryKeyOp",
    "SetChunkIntervalOp",
    "SetCompressionOp",
    "SetDatabaseTimezoneOp",
]
