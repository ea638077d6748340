"""Templates for strategies. No program writes one yet; here is how one would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.records.table import Table, columns_alone, require
from trdinger.schema.models import StrategyTemplate


class Templates(Table[StrategyTemplate]):
    """Rows of `strategy_templates`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, StrategyTemplate)

    def save(self, template: Mapping[str, Any]) -> StrategyTemplate:
        """Keep a template: name, which no other may have, config_json; if known description, category and
        is_public.
        """
        require("template", template, ("name", "config_json"))
        columns_alone("template", template, StrategyTemplate)
        config = self._document(template["config_json"])
        return self._stored(StrategyTemplate(**{**template, "config_json": config}))

    def find(self, *, category: str | None = None, public_only: bool = False) -> list[StrategyTemplate]:
        """Templates of a category or all, newest first."""
        where = [] if category is None else [StrategyTemplate.category == category]
        if public_only:
            where.append(StrategyTemplate.is_public.is_(True))
        return self._newest(*where)

    def by_name(self, name: str) -> StrategyTemplate | None:
        """The template of that name."""
        return self._session.scalar(sa.select(StrategyTemplate).where(StrategyTemplate.name == name))

    def remove(self, row_id: int) -> bool:
        """Take one away. False if unknown."""
        row = self.by_id(row_id)
        if row is None:
            return False
        self._session.delete(row)
        self._session.flush()
        return True
