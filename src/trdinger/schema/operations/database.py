"""op.ensure_timescaledb, op.set_database_timezone: what concerns the database as a whole."""

from __future__ import annotations

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations

from trdinger.schema import timescale
from trdinger.schema.operations.base import TimescaleOp, driver, prefix


@Operations.register_operation("ensure_timescaledb")
class EnsureTimescaleDBOp(TimescaleOp):
    """Create the extension where it can be. Its reverse does nothing: others may use it."""

    def __init__(self) -> None:
        super().__init__("The database has no TimescaleDB extension.")

    @classmethod
    def ensure_timescaledb(cls, operations: Operations) -> None:
        """Create the TimescaleDB extension where it is absent, installed and permitted."""
        operations.invoke(cls())

    def reverse(self) -> MigrateOperation:
        return self


@Operations.register_operation("set_database_timezone")
class SetDatabaseTimezoneOp(TimescaleOp):
    """Give the database's new sessions a time zone."""

    def __init__(self, zone: str | None, *, existing: str | None = None) -> None:
        super().__init__(
            f"The database's time zone is {existing or 'not set'} and should be {zone or 'unset'}."
        )
        self.zone, self.existing = zone, existing

    @classmethod
    def set_database_timezone(
        cls, operations: Operations, zone: str | None, *, existing: str | None = None
    ) -> None:
        """Set the time zone of new sessions; None takes the setting away. `existing` serves the reverse."""
        operations.invoke(cls(zone, existing=existing))

    def reverse(self) -> SetDatabaseTimezoneOp:
        return SetDatabaseTimezoneOp(self.existing, existing=self.zone)


@Operations.implementation_for(EnsureTimescaleDBOp)
def _ensure(operations: Operations, _operation: EnsureTimescaleDBOp) -> None:
    if (connection := driver(operations)) is not None:
        timescale.ensure_extension(connection)


@Operations.implementation_for(SetDatabaseTimezoneOp)
def _set(operations: Operations, operation: SetDatabaseTimezoneOp) -> None:
    if (connection := driver(operations)) is not None:
        timescale.set_database_time_zone(connection, operation.zone)


@renderers.dispatch_for(EnsureTimescaleDBOp)
def _render_ensure(context: AutogenContext, _operation: EnsureTimescaleDBOp) -> str:
    return f"{prefix(context)}ensure_timescaledb()"


@renderers.dispatch_for(SetDatabaseTimezoneOp)
def _render_set(context: AutogenContext, operation: SetDatabaseTimezoneOp) -> str:
    return f"{prefix(context)}set_database_timezone({operation.zone!r}, existing={operation.existing!r})"
