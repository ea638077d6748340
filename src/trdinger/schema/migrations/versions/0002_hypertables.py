"""the three series are hypertables, compressed by series and time

Where the server has TimescaleDB, or lets us create it; where it gains it later,
`trdinger.schema.apply` does the same from the declaration.

Revises: 0001
"""

# op gains our operations when they are registered, which no type checker sees.
# mypy: disable-error-code="attr-defined"

from datetime import timedelta

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# (table, time, chunk, segment by)
SERIES = (
    ("ohlcv_data", "timestamp", timedelta(days=90), ["symbol", "timeframe"]),
    ("funding_rate_data", "funding_timestamp", timedelta(days=365), ["symbol"]),
    ("open_interest_data", "data_timestamp", timedelta(days=365), ["symbol"]),
)


def upgrade() -> None:
    op.ensure_timescaledb()
    for table, time, chunk, segment_by in SERIES:
        op.create_hypertable(table, by=time, chunk_interval=chunk, create_default_indexes=False)
        op.set_compression(table, segment_by=segment_by, order_by=time)


def downgrade() -> None:
    for table, time, chunk, _ in reversed(SERIES):
        op.drop_hypertable(table, by=time, chunk_interval=chunk)
