"""Strategies that are shown to users: those that are active, sorted and counted; put there by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.records.table import Table, columns_alone, require
from trdinger.schema.models import StrategyShowcase

_NEEDED = ("name", "category", "indicators", "parameters", "gene_data")
_DOCUMENTS = ("indicators", "parameters", "gene_data")
_ACTIVE = StrategyShowcase.is_active.is_(True)
_MEANS = ("expected_return", "sharpe_ratio", "max_drawdown")


@dataclass(frozen=True)
class Put:
    """How many strategies are new, and how many took the place of one of their name."""

    inserted: int
    overwritten: int


class Showcase(Table[StrategyShowcase]):
    """Rows of `strategy_showcase`. What is not active is not shown, by id neither."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, StrategyShowcase)

    def by_id(self, row_id: int) -> StrategyShowcase | None:
        """The active strategy of that id."""
        row = super().by_id(row_id)
        return row if row is not None and row.is_active else None

    def find(
        self,
        *,
        category: str | None = None,
        risk_level: str | None = None,
        sort_by: str = "expected_return",
        descending: bool = True,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[StrategyShowcase]:
        """Active strategies of a category, of a risk level, of both, or all.

        sort_by: any column, nulls last where the largest is first, else first; what is no column sorts by id.
        """
        pairs = ((StrategyShowcase.category, category), (StrategyShowcase.risk_level, risk_level))
        where = [column == value for column, value in pairs if value is not None]
        order: list[Any] = [StrategyShowcase.id]
        if (column := StrategyShowcase.__table__.columns.get(sort_by)) is not None:
            if isinstance(column.type, sa.JSON):  # the server does not sort documents
                column = sa.cast(column, sa.Text)  # type: ignore[assignment]
            order.insert(0, column.desc().nulls_last() if descending else column.asc().nulls_first())
        return self._rows(_ACTIVE, *where, order=order, limit=limit, offset=offset)

    def statistics(self) -> dict[str, Any]:
        """Of the active ones: total_strategies, avg_return, avg_sharpe_ratio and avg_max_drawdown (of those
        that have one, else 0), category_distribution and risk_distribution (name: how many).
        """
        means = [sa.func.avg(getattr(StrategyShowcase, name)) for name in _MEANS]
        found = self._session.execute(sa.select(*means).where(_ACTIVE)).one()
        averages = [float(mean or 0) for mean in found]
        return {
            "total_strategies": self._count(_ACTIVE),
            **dict(zip(("avg_return", "avg_sharpe_ratio", "avg_max_drawdown"), averages, strict=True)),
            "category_distribution": self._distribution(StrategyShowcase.category),
            "risk_distribution": self._distribution(StrategyShowcase.risk_level),
        }

    def put(self, strategies: Iterable[Mapping[str, Any]]) -> Put:
        """Show strategies: name, category, indicators, parameters, gene_data, and other columns if known.

        One of the same name is overwritten in what is given, and its updated_at moves.
        """
        inserted = overwritten = 0
        for strategy in strategies:
            require("strategy of the showcase", strategy, _NEEDED)
            columns_alone("strategy of the showcase", strategy, StrategyShowcase)
            values = {**strategy} | {name: self._document(strategy[name]) for name in _DOCUMENTS}
            row = self._session.scalar(
                sa.select(StrategyShowcase).where(StrategyShowcase.name == strategy["name"])
            )
            if row is None:
                self._stored(StrategyShowcase(**values))
                inserted += 1
            else:
                self._changed(row.id, **values, updated_at=datetime.now(UTC))
                overwritten += 1
        return Put(inserted, overwritten)

    def _distribution(self, column: Any) -> dict[str, int]:
        counted = sa.select(column, sa.func.count()).where(_ACTIVE).group_by(column).order_by(column)
        return {name: int(count) for name, count in self._session.execute(counted)}
