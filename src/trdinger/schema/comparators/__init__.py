"""What Alembic does not compare by itself, each in its own file; importing registers them.

They look at PostgreSQL alone and at our own metadata alone, and each answers with an
operation of ours. Where the server lacks the ability there is no difference.
"""

from __future__ import annotations

from trdinger.schema.comparators import chunk_interval, compression, hypertable, primary_key, time_zone

__all__ = ["chunk_interval", "compression", "hypertable", "primary_key", "time_zone"]
