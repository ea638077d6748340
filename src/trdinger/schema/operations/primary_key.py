"""op.replace_primary_key: Alembic compares no primary keys, and the series depend on theirs."""

from __future__ import annotations

from collections.abc import Sequence

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations
from psycopg import sql

from trdinger.schema.operations.base import TimescaleOp, driver, prefix


@Operations.register_operation("replace_primary_key")
class ReplacePrimaryKeyOp(TimescaleOp):
    """Give a table of PostgreSQL another primary key. `existing` is (name, columns), None without one."""

    def __init__(
        self,
        table: str,
        name: str,
        columns: Sequence[str],
        *,
        existing: tuple[str, Sequence[str]] | None = None,
    ) -> None:
        now = f"has the primary key ({', '.join(existing[1])})" if existing else "has no primary key"
        super().__init__(f"{table} {now} and should have ({', '.join(columns)}).")
        self.table, self.name, self.columns, self.existing = table, name, tuple(columns), existing

    @classmethod
    def replace_primary_key(
        cls,
        operations: Operations,
        table: str,
        name: str,
        columns: Sequence[str],
        *,
        existing: tuple[str, Sequence[str]] | None = None,
    ) -> None:
        """Drop the primary key `existing` and make `name` over `columns`; no columns: only drop."""
        operations.invoke(cls(table, name, columns, existing=existing))

    def reverse(self) -> ReplacePrimaryKeyOp:
        name, columns = self.existing or (self.name, ())
        return ReplacePrimaryKeyOp(
            self.table, name, columns, existing=(self.name, self.columns) if self.columns else None
        )


@Operations.implementation_for(ReplacePrimaryKeyOp)
def _replace(operations: Operations, operation: ReplacePrimaryKeyOp) -> None:
    if (connection := driver(operations)) is None:
        return
    table = sql.Identifier(operation.table)
    if operation.existing is not None:
        name = sql.Identifier(operation.existing[0])
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, name))
    if operation.columns:
        columns = sql.SQL(", ").join(map(sql.Identifier, operation.columns))
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY ({})").format(
                table, sql.Identifier(operation.name), columns
            )
        )


@renderers.dispatch_for(ReplacePrimaryKeyOp)
def _render(context: AutogenContext, operation: ReplacePrimaryKeyOp) -> str:
    existing = "" if operation.existing is None else f", existing={operation.existing!r}"
    key = f"{operation.name!r}, {list(operation.columns)!r}"
    return f"{prefix(context)}replace_primary_key({operation.table!r}, {key}{existing})"
