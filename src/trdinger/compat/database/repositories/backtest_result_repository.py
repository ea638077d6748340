"""The application's repository of backtests: dictionaries in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from trdinger.compat.database.models import BacktestResult
from trdinger.compat.database.repositories.base_repository import BaseRepository
from trdinger.records.backtests import Backtests, dictionary


class BacktestResultRepository(BaseRepository):
    """Finished backtests. Errors are plain exceptions that say what failed, and why."""

    def __init__(self, db: Session) -> None:
        super().__init__(db, BacktestResult)
        self._backtests = Backtests(db)

    def save_backtest_result(self, result_data: Mapping[str, Any]) -> dict[str, Any]:
        """Keep and commit one; as it is stored."""
        with _failing("save backtest result"):
            with self._writing():
                row = self._backtests.save(result_data)
            return dictionary(row)

    def get_backtest_results(
        self,
        limit: int | None = 50,
        offset: int = 0,
        symbol: str | None = None,
        strategy_name: str | None = None,
    ) -> list[dict[str, Any]]:
        """The newest, newest first; an empty symbol or name is none."""
        with _failing("get backtest results"), self._logged():
            found = self._backtests.find(
                symbol=symbol or None, strategy_name=strategy_name or None, limit=limit, offset=offset
            )
            return [dictionary(row) for row in found]

    def count_backtest_results(self, symbol: str | None = None, strategy_name: str | None = None) -> int:
        """How many there are; an empty symbol or name is none."""
        with _failing("count backtest results"), self._logged():
            return self._backtests.count(symbol=symbol or None, strategy_name=strategy_name or None)

    def get_backtest_result_by_id(self, result_id: int) -> dict[str, Any] | None:
        """The backtest of that id; None if there is none."""
        with _failing("get backtest result by ID"), self._logged():
            row = self._backtests.by_id(result_id)
            return None if row is None else dictionary(row)

    def delete_backtest_result(self, result_id: int) -> bool:
        """Take one away and commit; False if there is none."""
        with _failing("delete backtest result"), self._writing():
            return self._backtests.remove(result_id)

    def get_backtest_results_by_strategy(self, strategy_name: str) -> list[dict[str, Any]]:
        """All of a strategy, newest first."""
        with _failing("get backtest results by strategy"), self._logged():
            return [dictionary(row) for row in self._backtests.find(strategy_name=strategy_name)]

    def get_backtest_results_by_symbol(self, symbol: str) -> list[dict[str, Any]]:
        """All of a symbol, newest first."""
        with _failing("get backtest results by symbol"), self._logged():
            return [dictionary(row) for row in self._backtests.find(symbol=symbol)]

    def get_recent_backtest_results(self, limit: int = 10) -> list[dict[str, Any]]:
        """The newest, newest first."""
        with _failing("get recent backtest results"), self._logged():
            return [dictionary(row) for row in self._backtests.find(limit=limit)]

    def get_performance_summary(self) -> dict[str, Any]:
        """How many, of how many strategies, their returns, and the newest five."""
        with _failing("get performance summary"), self._logged():
            return self._backtests.summary()

    def cleanup_old_results(self, days_to_keep: int = 30) -> int:
        """Take away and commit what is older; how many."""
        with _failing("clean up old results"), self._writing():
            return self._backtests.remove_before(datetime.now(UTC) - timedelta(days=days_to_keep))


@contextmanager
def _failing(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise Exception(f"Failed to {what}: {error}") from error
