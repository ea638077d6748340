"""The other repositories: what they change is committed, and errors answer as the application knows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from records.conftest import Ask
from trdinger.compat.database.repositories import (
    BacktestResultRepository,
    DataCollectionLogRepository,
    GAExperimentRepository,
    GeneratedStrategyRepository,
)

AT = datetime(2024, 1, 1, tzinfo=UTC)
BACKTEST: dict[str, Any] = {
    "strategy_name": "SMA", "symbol": "BTC/USDT:USDT", "timeframe": "1h", "initial_capital": 1.0,
    "start_date": AT, "end_date": AT, "performance_metrics": {"total_return": 2.0},
}  # fmt: skip


def test_the_log_is_committed(session: Session, ask: Ask) -> None:
    log = DataCollectionLogRepository(session)
    row = log.log_collection("BTC/USDT:USDT", "1d", AT, AT, 5, "error", "x" * 501)
    session.rollback()
    assert ask("SELECT id, records_collected, status, length(error_message) FROM data_collection_log") == [
        (row.id, 5, "error", 500)
    ]
    log.log_collection("BTC/USDT:USDT", "1d", AT, AT, 6, "success")
    assert [one.records_collected for one in log.get_recent_logs()] == [6, 5]
    assert len(log.get_recent_logs(limit=1)) == 1
    with pytest.raises(Exception, match="status"):
        log.log_collection("BTC/USDT:USDT", "1d", AT, AT, 6, None)  # type: ignore[arg-type]
    assert ask("SELECT count(*) FROM data_collection_log") == [(2,)]


def test_backtests_are_dictionaries_and_committed(session: Session, ask: Ask) -> None:
    backtests = BacktestResultRepository(session)
    saved = [backtests.save_backtest_result(BACKTEST | {"symbol": symbol}) for symbol in ("A", "B", "B")]
    session.rollback()
    assert ask("SELECT symbol FROM backtest_results ORDER BY id") == [("A",), ("B",), ("B",)]
    found = backtests.get_backtest_results()
    assert found == backtests.get_recent_backtest_results() == saved[::-1]
    assert backtests.get_backtest_results(limit=1, offset=1) == [saved[1]]
    assert backtests.get_backtest_results(symbol="B", strategy_name="") == saved[:0:-1]
    assert backtests.get_backtest_results(symbol="", strategy_name="none") == []
    assert backtests.count_backtest_results() == backtests.count_backtest_results(symbol="") == 3
    assert backtests.count_backtest_results(symbol="B", strategy_name="SMA") == 2
    assert backtests.get_backtest_results_by_symbol("A") == [saved[0]]
    assert backtests.get_backtest_results_by_symbol("") == []
    assert backtests.get_backtest_results_by_strategy("SMA") == found
    assert backtests.get_backtest_result_by_id(saved[0]["id"]) == saved[0]
    assert backtests.get_backtest_result_by_id(10**6) is None
    assert backtests.get_performance_summary()["recent_results"] == found
    assert backtests.delete_backtest_result(saved[0]["id"])
    session.rollback()
    assert not backtests.delete_backtest_result(saved[0]["id"])
    old = f"{datetime.now(UTC) - timedelta(days=31):%Y-%m-%d %H:%M:%S}"
    session.execute(sa.text(f"UPDATE backtest_results SET created_at = '{old}' WHERE id = {saved[1]['id']}"))
    assert backtests.cleanup_old_results(32) == 0
    assert backtests.cleanup_old_results() == 1
    session.rollback()
    assert ask("SELECT id FROM backtest_results") == [(saved[2]["id"],)]
    for name in ("symbol", "start_date"):
        lacking = {key: value for key, value in BACKTEST.items() if key != name}
        with pytest.raises(Exception, match=f"^Failed to save backtest result: .*{name}"):
            backtests.save_backtest_result(lacking)
    with pytest.raises(Exception, match=r"^Failed to save backtest result: "):
        backtests.save_backtest_result(BACKTEST | {"timeframe": None})
    assert backtests.count_backtest_results() == 1  # the session goes on


def test_experiments_and_strategies_are_committed(session: Session, ask: Ask) -> None:
    experiments, strategies = GAExperimentRepository(session), GeneratedStrategyRepository(session)
    row = experiments.create_experiment("e", {"n": 1}, 9)
    experiment = row.id
    one = strategies.save_strategy(experiment, {"id": "x"}, 1, fitness_score=0.5)
    batch = [{"experiment_id": experiment, "gene_data": {}, "generation": 2, "fitness_score": float(n)}
             for n in range(3)]  # fmt: skip
    many = strategies.save_strategies_batch(batch)
    assert [more.fitness_score for more in many] == [0.0, 1.0, 2.0]
    assert one.gene_data["metadata"] == {}
    assert experiments.update_experiment_progress(experiment, 2, 0.2, best_fitness=2.0)
    assert experiments.update_experiment_status(experiment, "paused")
    assert strategies.update_fitness_score(one.id, 5.0)
    session.rollback()
    assert ask("SELECT status, current_generation, best_fitness FROM ga_experiments") == [("paused", 2, 2.0)]
    assert experiments.complete_experiment(experiment, 5.0, 9)
    assert not experiments.complete_experiment(experiment + 1, 5.0, 9)
    session.rollback()
    assert [row.status for row in experiments.get_experiments_by_status("completed")] == ["completed"]
    assert experiments.get_recent_experiments()[0].id == experiment
    found = experiments.get_experiment_by_id(experiment)
    assert found is not None
    assert found.completed_at is not None
    assert experiments.get_experiment_statistics()["best_experiment_id"] == experiment

    def scores(found: list[Any]) -> list[float]:
        return [row.fitness_score for row in found]

    assert scores(strategies.get_strategies_by_experiment(experiment, limit=2)) == [5.0, 2.0]
    assert scores(strategies.get_strategies_by_experiment(experiment, generation=1)) == [5.0]
    assert scores(strategies.get_strategies_by_generation(experiment, 2)) == [2.0, 1.0, 0.0]
    assert scores(strategies.get_best_strategies(limit=1)) == [5.0]
    assert strategies.get_strategy_by_id(one.id) is one
    assert strategies.get_generation_statistics(experiment, 2)["average_fitness"] == 1.0
    named = BacktestResultRepository(session).save_backtest_result(BACKTEST)["id"]
    assert strategies.update_backtest_result(one.id, named)
    assert BacktestResultRepository(session).delete_backtest_result(named)
    assert ask("SELECT count(*) FROM generated_strategies WHERE backtest_result_id IS NOT NULL") == [(0,)]
    with pytest.raises(Exception, match="generation"):
        strategies.save_strategies_batch([*batch, batch[0] | {"generation": None}])
    assert ask("SELECT count(*) FROM generated_strategies") == [(4,)]
    assert strategies.delete_strategies_by_experiment(experiment) == 4
    session.rollback()
    assert ask("SELECT count(*) FROM generated_strategies") == [(0,)]


def test_after_an_error_questions_and_changes_answer_and_creating_raises(session: Session) -> None:
    experiments, strategies = GAExperimentRepository(session), GeneratedStrategyRepository(session)
    backtests = BacktestResultRepository(session)
    with _away(session, "ga_experiments"):
        assert experiments.get_experiment_by_id(1) is None
        session.rollback()
        assert experiments.get_recent_experiments() == experiments.get_experiments_by_status("x") == []
        assert experiments.get_experiment_statistics() == {}
        session.rollback()
        assert not experiments.update_experiment_progress(1, 1, 0.5)
        assert not experiments.update_experiment_status(1, "error")
        assert not experiments.complete_experiment(1, 1.0, 1)
        with pytest.raises(Exception, match="ga_experiments"):
            experiments.create_experiment("e", {}, 1)
    with _away(session, "generated_strategies"):
        assert strategies.get_strategy_by_id(1) is None
        session.rollback()
        assert strategies.get_best_strategies() == strategies.get_strategies_by_generation(1, 1) == []
        assert strategies.get_generation_statistics(1, 1) == {}
        session.rollback()
        assert strategies.delete_strategies_by_experiment(1) == 0
        assert not strategies.update_fitness_score(1, 1.0)
        with pytest.raises(Exception, match="generated_strategies"):
            strategies.save_strategy(1, {}, 1)
    with _away(session, "backtest_results"):
        with pytest.raises(Exception, match=r"^Failed to get backtest results: "):
            backtests.get_backtest_results()
        session.rollback()
        with pytest.raises(Exception, match=r"^Failed to delete backtest result: "):
            backtests.delete_backtest_result(1)


@contextmanager
def _away(session: Session, table: str) -> Iterator[None]:
    """The table is not there in the block."""
    session.commit()
    session.execute(sa.text(f"ALTER TABLE {table} RENAME TO away"))
    session.commit()
    try:
        yield
    finally:
        session.rollback()
        session.execute(sa.text(f"ALTER TABLE away RENAME TO {table}"))
        session.commit()
