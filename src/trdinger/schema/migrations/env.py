"""Alembic's entry: runs what it is asked to on the connection in `config.attributes["connection"]`."""

from __future__ import annotations

from alembic import context

from trdinger.errors import UsageError
from trdinger.schema.comparison import context_options, metadata_for

connection = context.config.attributes.get("connection")
if context.is_offline_mode() or connection is None:
    raise UsageError(
        "Migrations ask the database what it can do, so they need a connection.",
        hint="Run them with trdinger.schema.upgrade(), which hands one over.",
    )

dialect = connection.dialect.name
context.configure(connection=connection, target_metadata=metadata_for(dialect), **context_options(dialect))
with context.begin_transaction():
    context.run_migrations()
