"""What a comparison of a database with the models looks at, and how it says what differs.

Looked at: our tables in the default schema, and everything in them. Not looked at:
other people's tables, TimescaleDB's own schemas and indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, ops

from trdinger import declaration
from trdinger.schema.comparators.base import OURS
from trdinger.schema.models import Base, NaturalKey, UtcDateTime
from trdinger.schema.models.base import belongs_on
from trdinger.schema.operations.base import TimescaleOp

_SENTENCES: dict[type[MigrateOperation], str] = {
    ops.CreateTableOp: "Table {change.table_name} is missing.",
    ops.AddColumnOp: "Column {change.table_name}.{change.column.name} is missing.",
    ops.DropColumnOp: "Column {change.table_name}.{change.column_name} is not part of the schema.",
    ops.CreateIndexOp: "Index {change.index_name} on {change.table_name} is missing, or differs.",
    ops.DropIndexOp: "Index {change.index_name} on {change.table_name} is surplus, or differs.",
    ops.DropConstraintOp: "Constraint {change.constraint_name} on {change.table_name} is surplus.",
    ops.CreateUniqueConstraintOp: "Constraint UNIQUE {change.columns} on {change.table_name} is missing.",
    ops.CreateForeignKeyOp: "A foreign key from {change.source_table} {change.local_cols}"
    " to {change.referent_table} is missing.",
}


def metadata_for(dialect: str) -> sa.MetaData:
    """The models' metadata as a database of `dialect` has it; a copy, for Alembic, which asks no `ddl_if`."""
    metadata = sa.MetaData(info={OURS: True})
    for table in Base.metadata.sorted_tables:
        copy = table.to_metadata(metadata)
        elsewhere = {index.name for index in table.indexes if not belongs_on(index, dialect)}
        copy.indexes = {index for index in copy.indexes if index.name not in elsewhere}
        if dialect == "sqlite":
            # The rowid hands out ids there; Alembic would miss the identity.
            copy.c.id.identity = copy.c.id.server_default = None
    return metadata


def context_options(dialect: str) -> dict[str, Any]:
    """The options for Alembic's `configure`: what is compared, how types render, transactions."""
    return {
        "include_name": _include_name,
        "include_object": _include_object,
        "render_item": _render_item,
        "compare_type": True,
        "compare_server_default": True,
        "transaction_per_migration": dialect == "postgresql",
        "transactional_ddl": True,
    }


def sentences(changes: Iterable[MigrateOperation]) -> Iterator[str]:
    """Each difference as a sentence about the database, from the operations that would mend it."""
    for change in changes:
        if isinstance(change, ops.ModifyTableOps):
            yield from sentences(change.ops)
        else:
            yield _sentence(change)


def _sentence(change: MigrateOperation) -> str:
    if isinstance(change, TimescaleOp):
        return change.sentence
    for kind, template in _SENTENCES.items():
        if isinstance(change, kind):
            return template.format(change=change)
    if isinstance(change, ops.AlterColumnOp):
        return f"Column {change.table_name}.{change.column_name} differs: {', '.join(_aspects(change))}."
    return f"The schema differs: {change.to_diff_tuple()}."


def _aspects(change: ops.AlterColumnOp) -> Iterator[str]:
    if change.modify_type is not None:
        yield f"type {change.existing_type} should be {change.modify_type}"
    if change.modify_nullable is not None:
        yield "NULL should be allowed" if change.modify_nullable else "NULL should not be allowed"
    if change.modify_server_default is not False:
        yield "its server default"


def _include_name(
    name: str | None,
    kind: Literal[
        "schema",
        "table",
        "column",
        "index",
        "unique_constraint",
        "foreign_key_constraint",
        "check_constraint",
    ],
    _parents: Mapping[Any, str | None],
) -> bool:
    if kind == "schema":
        return name is None
    return kind != "table" or name in Base.metadata.tables


def _include_object(
    item: sa.schema.SchemaItem, name: str | None, _kind: str, reflected: bool, _declared: object
) -> bool:
    if not reflected or not isinstance(item, sa.Index) or item.table is None:
        return True
    # The one that create_hypertable makes by default, in hypertables that others made.
    series = declaration.SERIES.get(item.table.name)
    return series is None or name != f"{series.table}_{series.time}_idx"


def _render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    # Generated revisions spell our types out: history must not change when the models do.
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, NaturalKey):
        columns = ", ".join(repr(column.name) for column in item.columns)
        return f"sa.PrimaryKeyConstraint({columns}, name={item.name!r})"
    return False
