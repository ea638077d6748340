"""Is the primary key the declared one?"""

from __future__ import annotations

from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import ModifyTableOps
from sqlalchemy import Table

from trdinger.schema.comparators.base import compares, ours
from trdinger.schema.models import NaturalKey
from trdinger.schema.operations.primary_key import ReplacePrimaryKeyOp


@compares("table")
def compare_primary_key(
    _context: AutogenContext,
    changes: ModifyTableOps,
    _schema: str | None,
    _name: str,
    present: Table | None,
    declared: Table | None,
) -> None:
    """A table whose primary key has other columns, or another order of them, wants replace_primary_key."""
    if present is None or declared is None or not ours(present, declared):
        return
    natural = next((item for item in declared.constraints if isinstance(item, NaturalKey)), None)
    wanted = [column.name for column in (natural or declared.primary_key).columns]
    found = [column.name for column in present.primary_key.columns]
    if found != wanted:
        existing = (str(present.primary_key.name), found) if found else None
        changes.ops.append(
            ReplacePrimaryKeyOp(declared.name, f"{declared.name}_pkey", wanted, existing=existing)
        )
