"""Finished backtests: kept with their curves and trades, found again, taken away without a loose end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.errors import UsageError
from trdinger.records.table import Table, require
from trdinger.schema.models import BacktestResult, GeneratedStrategy, StrategyShowcase

_NEEDED = ("strategy_name", "symbol", "timeframe", "initial_capital", "start_date", "end_date")
# What is copied out of the metrics, in this order, and what stands for one that is not there.
_METRICS: Mapping[str, float] = {
    "total_return": 0.0,
    "sharpe_ratio": 0.0,
    "max_drawdown": 0.0,
    "total_trades": 0,
    "win_rate": 0.0,
    "profit_factor": 0.0,
}
_RECENT = 5  # of a summary


class Backtests(Table[BacktestResult]):
    """Rows of `backtest_results`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, BacktestResult)

    def save(self, backtest: Mapping[str, Any]) -> BacktestResult:
        """Keep one backtest.

        It needs strategy_name, symbol, timeframe, initial_capital, start_date and end_date (datetime or ISO
        text; without an offset UTC). Metrics, curve and trades are taken from it, else from its results_json;
        metrics else from the figures that it has beside them. Other keys are left out.
        """
        require("backtest", backtest, _NEEDED)
        nested: Mapping[str, Any] = backtest.get("results_json") or {}
        metrics = backtest.get("performance_metrics") or nested.get("performance_metrics")
        row = BacktestResult(
            strategy_name=backtest["strategy_name"],
            symbol=backtest["symbol"],
            timeframe=backtest["timeframe"],
            start_date=_moment("start_date", backtest["start_date"]),
            end_date=_moment("end_date", backtest["end_date"]),
            initial_capital=backtest["initial_capital"],
            commission_rate=backtest.get("commission_rate", 0.001),
            config_json=self._document(backtest.get("config_json", {})),
            performance_metrics=self._document(metrics or {name: backtest.get(name, 0) for name in _METRICS}),
            equity_curve=self._document(backtest.get("equity_curve") or nested.get("equity_curve") or []),
            trade_history=self._document(backtest.get("trade_history") or nested.get("trade_history") or []),
            execution_time=backtest.get("execution_time"),
            status=backtest.get("status", "completed"),
            error_message=backtest.get("error_message"),
        )
        return self._stored(row)

    def find(
        self,
        *,
        symbol: str | None = None,
        strategy_name: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[BacktestResult]:
        """The backtests of a symbol, of a strategy, of both, or all: newest first."""
        return self._newest(*_where(symbol, strategy_name), limit=limit, offset=offset)

    def count(self, *, symbol: str | None = None, strategy_name: str | None = None) -> int:
        """How many there are of a symbol, of a strategy, of both, or of all."""
        return self._count(*_where(symbol, strategy_name))

    def remove(self, row_id: int) -> bool:
        """Take one away; strategies and showcase rows that name it name none then. False if unknown."""
        if self.by_id(row_id) is None:
            return False
        self._remove(BacktestResult.id == row_id)
        return True

    def remove_before(self, moment: datetime) -> int:
        """Take those away that were made before a moment, as `remove` does; how many they were."""
        return self._remove(BacktestResult.created_at < moment)

    def summary(self) -> dict[str, Any]:
        """total_results, strategies_count; avg_return, best_return, worst_return of those that have a
        total_return (0 if none has); recent_results, the newest five as dictionaries.
        """
        names = sa.select(sa.func.count(sa.distinct(BacktestResult.strategy_name)))
        returns = [
            metrics["total_return"]
            for metrics in self._session.scalars(sa.select(BacktestResult.performance_metrics))
            if isinstance(metrics, dict) and _is_number(metrics.get("total_return"))
        ]
        return {
            "total_results": self.count(),
            "strategies_count": int(self._session.scalar(names) or 0),
            "avg_return": math.fsum(returns) / len(returns) if returns else 0,
            "best_return": max(returns, default=0),
            "worst_return": min(returns, default=0),
            "recent_results": [dictionary(row) for row in self.find(limit=_RECENT)],
        }

    def _remove(self, which: sa.ColumnElement[bool]) -> int:
        self._session.flush()
        at_once = {"synchronize_session": False}
        these = sa.select(BacktestResult.id).where(which)
        for model in (GeneratedStrategy, StrategyShowcase):
            statement = sa.update(model).where(model.backtest_result_id.in_(these))
            self._session.execute(statement.values(backtest_result_id=None), execution_options=at_once)
        gone = self._session.execute(sa.delete(BacktestResult).where(which), execution_options=at_once)
        self._session.expire_all()
        return int(cast("sa.CursorResult[Any]", gone).rowcount)


def dictionary(row: BacktestResult) -> dict[str, Any]:
    """A backtest as the existing application answers it, keys in its order; times in ISO's form.

    The usual figures stand beside the metrics, too: 0.0 for those that these lack.
    """
    columns = row.to_dict()
    metrics = columns["performance_metrics"] or {}
    figures = metrics if isinstance(metrics, dict) else {}
    answer: dict[str, Any] = {}
    for name, value in columns.items():
        answer[name] = metrics if name == "performance_metrics" else value
        if name == "trade_history":
            answer |= {metric: figures.get(metric, lacking) for metric, lacking in _METRICS.items()}
    return answer


def _where(symbol: str | None, strategy_name: str | None) -> list[sa.ColumnElement[bool]]:
    pairs = ((BacktestResult.symbol, symbol), (BacktestResult.strategy_name, strategy_name))
    return [column == value for column, value in pairs if value is not None]


def _moment(name: str, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime):
        raise UsageError(f"{name} {value!r} is no time.", hint="Give a datetime, or 2024-03-01T12:00:00Z.")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
