"""op.create_hypertable, op.drop_hypertable, op.set_chunk_interval."""

from __future__ import annotations

from datetime import timedelta

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations

from trdinger.schema import timescale
from trdinger.schema.operations.base import TimescaleOp, driver, prefix


@Operations.register_operation("create_hypertable")
class CreateHypertableOp(TimescaleOp):
    """Make an empty table a hypertable."""

    def __init__(
        self, table: str, *, by: str, chunk_interval: timedelta, create_default_indexes: bool = False
    ) -> None:
        super().__init__(f"{table} is no hypertable partitioned by {by}.")
        self.table, self.by, self.chunk_interval = table, by, chunk_interval
        self.create_default_indexes = create_default_indexes

    @classmethod
    def create_hypertable(
        cls,
        operations: Operations,
        table: str,
        *,
        by: str,
        chunk_interval: timedelta,
        create_default_indexes: bool = False,
    ) -> None:
        """Make an empty table a hypertable with chunks of `chunk_interval` along the column `by`."""
        operations.invoke(
            cls(table, by=by, chunk_interval=chunk_interval, create_default_indexes=create_default_indexes)
        )

    def reverse(self) -> DropHypertableOp:
        return DropHypertableOp(self.table, by=self.by, chunk_interval=self.chunk_interval)


@Operations.register_operation("drop_hypertable")
class DropHypertableOp(TimescaleOp):
    """Make a hypertable a plain table, rows and all."""

    def __init__(self, table: str, *, by: str, chunk_interval: timedelta) -> None:
        super().__init__(f"{table} is a hypertable and should be a plain table.")
        self.table, self.by, self.chunk_interval = table, by, chunk_interval

    @classmethod
    def drop_hypertable(
        cls, operations: Operations, table: str, *, by: str, chunk_interval: timedelta
    ) -> None:
        """Make a hypertable a plain table: copies every row. `by` and `chunk_interval` serve the reverse."""
        operations.invoke(cls(table, by=by, chunk_interval=chunk_interval))

    def reverse(self) -> CreateHypertableOp:
        return CreateHypertableOp(self.table, by=self.by, chunk_interval=self.chunk_interval)


@Operations.register_operation("set_chunk_interval")
class SetChunkIntervalOp(TimescaleOp):
    """Set the span of new chunks."""

    def __init__(self, table: str, interval: timedelta, *, existing: timedelta | None = None) -> None:
        super().__init__(f"{table} has chunks of {existing or 'another span'} and should have {interval}.")
        self.table, self.interval, self.existing = table, interval, existing

    @classmethod
    def set_chunk_interval(
        cls, operations: Operations, table: str, interval: timedelta, *, existing: timedelta | None = None
    ) -> None:
        """Set the span of chunks made from now on. `existing` serves the reverse."""
        operations.invoke(cls(table, interval, existing=existing))

    def reverse(self) -> SetChunkIntervalOp:
        if self.existing is None:
            raise NotImplementedError("set_chunk_interval without `existing` cannot be reversed")
        return SetChunkIntervalOp(self.table, self.existing, existing=self.interval)


@Operations.implementation_for(CreateHypertableOp)
def _create(operations: Operations, operation: CreateHypertableOp) -> None:
    if (connection := driver(operations)) is not None:
        timescale.create_hypertable(
            connection,
            operation.table,
            by=operation.by,
            chunk_interval=operation.chunk_interval,
            create_default_indexes=operation.create_default_indexes,
        )


@Operations.implementation_for(DropHypertableOp)
def _drop(operations: Operations, operation: DropHypertableOp) -> None:
    if (connection := driver(operations)) is not None:
        timescale.drop_hypertable(connection, operation.table)


@Operations.implementation_for(SetChunkIntervalOp)
def _set_interval(operations: Operations, operation: SetChunkIntervalOp) -> None:
    if (connection := driver(operations)) is not None:
        timescale.set_chunk_interval(connection, operation.table, operation.interval)


@renderers.dispatch_for(CreateHypertableOp)
@renderers.dispatch_for(DropHypertableOp)
def _render(context: AutogenContext, operation: CreateHypertableOp | DropHypertableOp) -> str:
    name = "create_hypertable" if isinstance(operation, CreateHypertableOp) else "drop_hypertable"
    interval = render_interval(context, operation.chunk_interval)
    return f"{prefix(context)}{name}({operation.table!r}, by={operation.by!r}, chunk_interval={interval})"


@renderers.dispatch_for(SetChunkIntervalOp)
def _render_interval(context: AutogenContext, operation: SetChunkIntervalOp) -> str:
    interval = render_interval(context, operation.interval)
    existing = (
        "" if operation.existing is None else f", existing={render_interval(context, operation.existing)}"
    )
    return f"{prefix(context)}set_chunk_interval({operation.table!r}, {interval}{existing})"


def render_interval(context: AutogenContext, interval: timedelta) -> str:
    """The interval as Python, with the import that it needs."""
    context.imports.add("import datetime")
    return repr(interval)
