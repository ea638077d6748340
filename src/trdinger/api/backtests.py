"""`/api/backtest`: stored backtests. Computing one is another program's work."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from trdinger.api.answers import Answer, Refused, not_yet, now
from trdinger.api.asked import no_further_than, possible
from trdinger.api.fixed import BACKTEST_STRATEGIES
from trdinger.api.home import Here
from trdinger.records.backtests import Backtests, dictionary

router = APIRouter(prefix="/api/backtest", tags=["backtest"])


class StrategyConfig(BaseModel):
    """Which strategy, with which parameters."""

    strategy_type: str
    parameters: dict[str, Any] = {}


class Run(BaseModel):
    """A backtest to be run."""

    strategy_name: str
    symbol: str
    timeframe: str
    start_date: datetime
    end_date: datetime
    initial_capital: float = Field(gt=0)
    commission_rate: float = Field(default=0.00055, ge=0, le=1)
    strategy_config: StrategyConfig


class Optimization(BaseModel):
    """A backtest whose parameters are to be searched for."""

    base_config: Run
    optimization_params: dict[str, Any]


class MultiObjective(BaseModel):
    """The same for several objectives at once."""

    base_config: Run
    objectives: list[str]
    weights: list[float] | None = None
    optimization_params: dict[str, Any] | None = None


class Robustness(BaseModel):
    """The same over several periods."""

    base_config: Run
    test_periods: list[list[str]]
    optimization_params: dict[str, Any]


@router.get("/results")
def results(
    home: Here,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
    symbol: str | None = None,
    strategy_name: str | None = None,
) -> Answer:
    """Backtests, newest first, with their curves and trades in full; total counts all that match."""
    which = {"symbol": symbol or None, "strategy_name": strategy_name or None}
    with home.session() as session:
        backtests = Backtests(session)
        found = backtests.find(**which, limit=limit, offset=no_further_than(offset))
        answered = [dictionary(row) for row in found]
        total = backtests.count(**which)
    return Answer({"success": True, "results": answered, "total": total, "error": None})


@router.get("/results/{result_id}")
def result(home: Here, result_id: int) -> Answer:
    """One backtest."""
    with home.session() as session:
        row = Backtests(session).by_id(result_id) if possible(result_id) else None
        if row is None:
            raise Refused(404, "Backtest result not found")
        return Answer({"success": True, "result": dictionary(row), "error": None})


@router.delete("/results/{result_id}")
def remove(home: Here, result_id: int) -> Answer:
    """Take one away; strategies that name it name none then."""
    with home.session() as session:
        if not possible(result_id) or not Backtests(session).remove(result_id):
            raise Refused(404, "Backtest result not found")
        session.commit()
    return Answer({"success": True, "message": "Backtest result deleted successfully"})


@router.get("/strategies")
def strategies() -> Answer:
    """The strategies that the existing application's engine knows, and their parameters."""
    return Answer({"success": True, "strategies": BACKTEST_STRATEGIES})


@router.get("/health")
def health() -> Answer:
    """That this part answers."""
    return Answer({"success": True, "service": "backtest", "status": "healthy", "timestamp": now()})


@router.post("/run")
def run(asked: Run) -> Answer:
    """Answers 501: there is no engine yet."""
    raise not_yet("Running backtests")


@router.post("/optimize")
@router.post("/optimize-enhanced")
def optimize(asked: Optimization) -> Answer:
    """Answers 501: there is no engine yet."""
    raise not_yet("Optimizing backtests")


@router.post("/multi-objective-optimization")
def multi_objective(asked: MultiObjective) -> Answer:
    """Answers 501: there is no engine yet."""
    raise not_yet("Optimizing backtests")


@router.post("/robustness-test")
def robustness(asked: Robustness) -> Answer:
    """Answers 501: there is no engine yet."""
    raise not_yet("Testing the robustness of backtests")
