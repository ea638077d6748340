"""Backtests are kept as they were given, found newest first, and leave no loose end."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from records.conftest import Ask
from trdinger.errors import UsageError
from trdinger.records.backtests import Backtests, dictionary
from trdinger.schema.models import BacktestResult

KEYS = (
    "id strategy_name symbol timeframe start_date end_date initial_capital commission_rate config_json"
    " performance_metrics equity_curve trade_history total_return sharpe_ratio max_drawdown total_trades"
    " win_rate profit_factor execution_time status error_message created_at updated_at"
)
GIVEN: dict[str, Any] = {
    "strategy_name": "SMA_CROSS",
    "symbol": "BTC/USDT:USDT",
    "timeframe": "1h",
    "initial_capital": 1000.0,
    "start_date": "2024-01-01T09:00:00+09:00",
    "end_date": datetime(2024, 2, 1),  # noqa: DTZ001
}


def test_a_backtest_comes_back_as_it_was_given_with_its_defaults(session: Session, ask: Ask) -> None:
    curve = [{"timestamp": "2024-01-01T00:00:00", "equity": 1000.0}]
    row = Backtests(session).save(
        GIVEN
        | {"performance_metrics": {"total_return": 12.5, "名": "値"}, "equity_curve": curve, "id": 77, "x": 1}
    )
    answer = dictionary(row)
    assert " ".join(answer) == KEYS
    assert answer["id"] == row.id != 77
    assert answer | {"id": 0, "created_at": "", "updated_at": ""} == {
        **GIVEN,
        "id": 0,
        "start_date": answer["start_date"],
        "end_date": answer["end_date"],
        "commission_rate": 0.001,
        "config_json": {},
        "performance_metrics": {"total_return": 12.5, "名": "値"},
        "equity_curve": curve,
        "trade_history": [],
        "total_return": 12.5,
        "sharpe_ratio": 0.0,
        "max_drawdown": 0.0,
        "total_trades": 0,
        "win_rate": 0.0,
        "profit_factor": 0.0,
        "execution_time": None,
        "status": "completed",
        "error_message": None,
        "created_at": "",
        "updated_at": "",
    }
    assert [_utc(answer[name]) for name in ("start_date", "end_date")] == [
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 2, 1, tzinfo=UTC),
    ]
    assert abs(_utc(answer["created_at"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert ask("SELECT strategy_name, initial_capital FROM backtest_results") == [("SMA_CROSS", 1000.0)]


def test_metrics_come_from_where_they_are(session: Session) -> None:
    backtests = Backtests(session)
    nested = {
        "performance_metrics": {"sharpe_ratio": 2.0},
        "equity_curve": [{"equity": 1.0}],
        "trade_history": [{"size": 1}],
    }
    row = backtests.save(GIVEN | {"results_json": nested, "performance_metrics": {}})
    assert (row.performance_metrics, row.equity_curve, row.trade_history) == tuple(nested.values())
    row = backtests.save(GIVEN | {"total_return": 3.5, "total_trades": 4, "results_json": None})
    assert row.performance_metrics == {
        "total_return": 3.5, "sharpe_ratio": 0, "max_drawdown": 0,
        "total_trades": 4, "win_rate": 0, "profit_factor": 0,
    }  # fmt: skip


def test_what_is_no_number_in_a_document_is_null_where_the_database_has_none(session: Session) -> None:
    metrics = {"sharpe_ratio": math.nan, "of": [{"ratio": -math.inf, "fine": 0.5}], "n": 3}
    row = Backtests(session).save(GIVEN | {"performance_metrics": metrics})
    kept = row.performance_metrics
    assert (kept["n"], kept["of"][0]["fine"]) == (3, 0.5)
    if session.get_bind().dialect.name == "sqlite":
        assert math.isnan(kept["sharpe_ratio"])
        assert kept["of"][0]["ratio"] == -math.inf
    else:
        assert (kept["sharpe_ratio"], kept["of"][0]["ratio"]) == (None, None)


def test_they_are_found_newest_first_and_counted(session: Session) -> None:
    backtests = Backtests(session)
    for n in range(8):
        name, symbol = ("A", "B")[n % 2], ("X", "Y")[n // 4]
        backtests.save(GIVEN | {"strategy_name": name, "symbol": symbol, "execution_time": float(n)})
    made = _made_at(session, order=[3, 1, 4, 7, 5, 2, 6, 0])  # the first is the newest

    def found(**asked: Any) -> list[float | None]:
        return [row.execution_time for row in backtests.find(**asked)]

    assert found() == [3, 1, 4, 7, 5, 2, 6, 0]
    assert found(limit=3, offset=2) == [4, 7, 5]
    assert found(limit=0) == found(limit=None) == found()
    assert found(symbol="X") == [3, 1, 2, 0]
    assert found(strategy_name="B", symbol="Y") == [7, 5]
    assert found(symbol="x") == found(symbol="") == []
    assert (backtests.count(), backtests.count(symbol="X"), backtests.count(strategy_name="C")) == (8, 4, 0)
    assert backtests.remove_before(made[2] - timedelta(minutes=30)) == 5
    assert found() == [3, 1, 4]


def test_one_that_is_removed_leaves_no_row_that_names_it(session: Session, ask: Ask) -> None:
    backtests = Backtests(session)
    for _ in range(3):
        backtests.save(GIVEN)
    first, second, third = [row.id for row in reversed(backtests.find())]
    session.execute(sa.text("INSERT INTO ga_experiments (name, config, status, progress, current_generation)"
                            " VALUES ('e', '{}', 'running', 0, 0)"))  # fmt: skip
    for n, named in enumerate((first, second, third, None)):
        session.execute(
            sa.text(
                "INSERT INTO generated_strategies (experiment_id, gene_data, generation, backtest_result_id)"
                " SELECT id, '{}', :n, :named FROM ga_experiments"
            ),
            {"n": n, "named": named},
        )
        session.execute(
            sa.text(
                "INSERT INTO strategy_showcase (name, category, indicators, parameters, gene_data,"
                " risk_level, backtest_result_id, updated_at)"
                " VALUES (:name, 'c', '[]', '{}', '{}', 'low', :named, :old)"
            ),
            {"name": f"s{n}", "named": named, "old": "2020-01-01 00:00:00"},
        )
    _made_at(session, order=[2, 1, 0])
    assert not backtests.remove(third + 1000)
    assert backtests.remove(second)
    assert backtests.by_id(second) is None
    assert backtests.remove_before(datetime(2024, 1, 1, 11, 30, tzinfo=UTC)) == 1  # the first
    assert [row.id for row in backtests.find()] == [third]
    for table, order in (("generated_strategies", "generation"), ("strategy_showcase", "name")):
        named = [row[0] for row in ask(f"SELECT backtest_result_id FROM {table} ORDER BY {order}")]
        assert named == [None, None, third, None]
    moved = ask("SELECT name FROM strategy_showcase WHERE updated_at > '2021-01-01 00:00:00' ORDER BY name")
    assert moved == [("s0",), ("s1",)]


def test_the_summary_has_one_shape_with_rows_and_without(session: Session) -> None:
    backtests = Backtests(session)
    assert backtests.summary() == {
        "total_results": 0, "strategies_count": 0, "avg_return": 0, "best_return": 0, "worst_return": 0,
        "recent_results": [],
    }  # fmt: skip
    for n, metrics in enumerate(
        ({"total_return": 3.0}, {"total_return": -1.0}, {"other": 1}, [], None, {}, {})
    ):
        backtests.save(GIVEN | {"strategy_name": f"S{n % 3}", "performance_metrics": metrics or {"x": None}})
    summary = backtests.summary()
    recent = summary.pop("recent_results")
    assert summary == {
        "total_results": 7, "strategies_count": 3, "avg_return": 1.0, "best_return": 3.0,
        "worst_return": -1.0,
    }  # fmt: skip
    assert [one["id"] for one in recent] == [row.id for row in backtests.find(limit=5)]


def test_what_a_backtest_lacks_is_said_and_nothing_is_kept(session: Session, ask: Ask) -> None:
    lacking = {name: value for name, value in GIVEN.items() if name not in ("symbol", "end_date")}
    for given, said in ((lacking, "symbol, end_date"), (GIVEN | {"start_date": "yesterday"}, "yesterday")):
        with pytest.raises(UsageError, match=said):
            Backtests(session).save(given)
    assert ask("SELECT count(*) FROM backtest_results") == [(0,)]


def _made_at(session: Session, order: list[int]) -> list[datetime]:
    """Give the rows times of making: that of place order[0] noon, each next one an hour before."""
    ids = list(session.scalars(sa.select(BacktestResult.id).order_by(BacktestResult.id)))
    moments = [datetime(2024, 1, 1, 12, tzinfo=UTC) - timedelta(hours=n) for n in range(len(order))]
    for at, moment in zip(order, moments, strict=True):
        session.execute(
            sa.text("UPDATE backtest_results SET created_at = :at WHERE id = :id"),
            {"at": f"{moment:%Y-%m-%d %H:%M:%S}", "id": ids[at]},
        )
    session.expire_all()
    return moments


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
