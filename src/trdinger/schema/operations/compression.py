"""op.set_compression, op.drop_compression."""

from __future__ import annotations

from collections.abc import Sequence

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations

from trdinger.schema import timescale
from trdinger.schema.operations.base import TimescaleOp, driver, prefix
from trdinger.schema.timescale import Compression


@Operations.register_operation("set_compression")
class SetCompressionOp(TimescaleOp):
    """Switch compression on for a hypertable, or change its settings."""

    def __init__(self, table: str, wanted: Compression, *, existing: Compression | None = None) -> None:
        now = f"is compressed {existing}" if existing else "is not set to be compressed"
        super().__init__(f"{table} {now} and should be compressed {wanted}.")
        self.table, self.wanted, self.existing = table, wanted, existing

    @classmethod
    def set_compression(
        cls, operations: Operations, table: str, *, segment_by: Sequence[str], order_by: str
    ) -> None:
        """Compress chunks from now on: a segment per value of `segment_by`, rows in `order_by`."""
        operations.invoke(cls(table, Compression(tuple(segment_by), order_by)))

    def reverse(self) -> SetCompressionOp | DropCompressionOp:
        if self.existing is None:
            return DropCompressionOp(self.table, existing=self.wanted)
        return SetCompressionOp(self.table, self.existing, existing=self.wanted)


@Operations.register_operation("drop_compression")
class DropCompressionOp(TimescaleOp):
    """Decompress what is compressed and switch compression off."""

    def __init__(self, table: str, *, existing: Compression | None = None) -> None:
        super().__init__(f"{table} is set to be compressed and should not be.")
        self.table, self.existing = table, existing

    @classmethod
    def drop_compression(cls, operations: Operations, table: str) -> None:
        """Decompress every chunk of the table and switch compression off."""
        operations.invoke(cls(table))

    def reverse(self) -> SetCompressionOp:
        if self.existing is None:
            raise NotImplementedError("drop_compression without the existing settings cannot be reversed")
        return SetCompressionOp(self.table, self.existing)


@Operations.implementation_for(SetCompressionOp)
def _set(operations: Operations, operation: SetCompressionOp) -> None:
    if (connection := driver(operations)) is not None:
        wanted = operation.wanted
        timescale.set_compression(
            connection, operation.table, segment_by=wanted.segment_by, order_by=wanted.order_by
        )


@Operations.implementation_for(DropCompressionOp)
def _drop(operations: Operations, operation: DropCompressionOp) -> None:
    if (connection := driver(operations)) is not None:
        timescale.drop_compression(connection, operation.table)


@renderers.dispatch_for(SetCompressionOp)
def _render_set(context: AutogenContext, operation: SetCompressionOp) -> str:
    settings = f"segment_by={list(operation.wanted.segment_by)!r}, order_by={operation.wanted.order_by!r}"
    return f"{prefix(context)}set_compression({operation.table!r}, {settings})"


@renderers.dispatch_for(DropCompressionOp)
def _render_drop(context: AutogenContext, operation: DropCompressionOp) -> str:
    return f"{prefix(context)}drop_compression({operation.table!r})"
