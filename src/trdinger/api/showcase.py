"""`/api/strategies`: the showcase. What is not active is not shown."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from trdinger.api.answers import Answer, Refused, not_yet
from trdinger.api.asked import no_further_than, possible
from trdinger.api.fixed import CATEGORIES, RISK_LEVELS
from trdinger.api.home import Here
from trdinger.records.showcase import Showcase

router = APIRouter(prefix="/api/strategies", tags=["strategies"])


class Wanted(BaseModel):
    """How many strategies the showcase is to be filled with."""

    count: int = Field(default=30, ge=1, le=50)
    base_config: dict[str, Any] | None = None


@router.get("/showcase")
def showcase(
    home: Here,
    category: str | None = None,
    risk_level: str | None = None,
    limit: Annotated[int | None, Query(ge=1, le=100)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    sort_by: Annotated[str, Query(description="A column; any other word sorts by id")] = "expected_return",
    sort_order: Annotated[str, Query(pattern="^(asc|desc)$")] = "desc",
) -> Answer:
    """Strategies of a category, of a risk level, of both, or all; total_count counts this answer."""
    with home.session() as session:
        found = Showcase(session).find(
            category=category or None,
            risk_level=risk_level or None,
            sort_by=sort_by,
            descending=sort_order == "desc",
            limit=limit,
            offset=no_further_than(offset),
        )
        strategies = [row.to_dict() for row in found]
    return Answer(
        {
            "success": True,
            "strategies": strategies,
            "total_count": len(strategies),
            "message": "戦略一覧を取得しました",
        }
    )


@router.get("/showcase/stats")
def statistics(home: Here) -> Answer:
    """Means and distributions of all that is shown."""
    with home.session() as session:
        found = Showcase(session).statistics()
    return Answer({"success": True, "statistics": found, "message": "統計情報を取得しました"})


@router.get("/showcase/{strategy_id}")
def strategy(home: Here, strategy_id: int) -> Answer:
    """One strategy."""
    with home.session() as session:
        row = Showcase(session).by_id(strategy_id) if possible(strategy_id) else None
        if row is None:
            raise Refused(404, "Strategy not found")
        return Answer({"success": True, "strategy": row.to_dict(), "message": "戦略詳細を取得しました"})


@router.post("/showcase/generate")
def generate(asked: Wanted) -> Answer:
    """Answers 501: there is no engine yet."""
    raise not_yet("Generating strategies")


@router.get("/categories")
def categories() -> Answer:
    """The categories and their names."""
    return Answer({"success": True, "categories": CATEGORIES, "message": "戦略カテゴリ一覧を取得しました"})


@router.get("/risk-levels")
def risk_levels() -> Answer:
    """The risk levels and their names."""
    return Answer({"success": True, "risk_levels": RISK_LEVELS, "message": "リスクレベル一覧を取得しました"})
