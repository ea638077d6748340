"""Experiments are begun, advanced and ended; their strategies are ranked, the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from records.conftest import Ask
from trdinger.errors import UsageError
from trdinger.records.experiments import Experiments
from trdinger.records.strategies import Strategies, gene

WHOLE = {
    "id": "", "indicators": [], "entry_conditions": [], "exit_conditions": [], "risk_management": {},
    "metadata": {},
}  # fmt: skip


def test_an_experiment_goes_its_way(session: Session, ask: Ask) -> None:
    experiments = Experiments(session)
    row = experiments.create("進化", {"population_size": 50}, 30)
    assert (row.status, row.progress, row.current_generation, row.best_fitness) == ("running", 0.0, 0, None)
    assert row.completed_at is None
    assert row.created_at is not None
    assert experiments.advance(row.id, 3, 0.1, 1.5)
    assert experiments.advance(row.id, 4, 0.15)
    columns = "status, progress, current_generation, best_fitness, total_generations"
    assert ask(f"SELECT {columns} FROM ga_experiments") == [("running", 0.15, 4, 1.5, 30)]
    assert experiments.set_status(row.id, "paused")
    assert ask("SELECT status, completed_at FROM ga_experiments") == [("paused", None)]
    assert experiments.complete(row.id, 2.5, 30)
    assert ask(f"SELECT {columns} FROM ga_experiments") == [("completed", 1.0, 30, 2.5, 30)]
    _ended_now(session, row.id)
    for status in ("completed", "error", "cancelled"):
        other = experiments.create("e", {}, 1, status="starting")
        assert other.status == "starting"
        assert experiments.set_status(other.id, status)
        _ended_now(session, other.id)
    given = datetime(2024, 1, 1, 9, tzinfo=UTC)
    assert experiments.set_status(row.id, "error", given)
    session.expire_all()
    found = experiments.by_id(row.id)
    assert found is not None
    assert found.completed_at is not None
    assert found.completed_at.replace(tzinfo=UTC) == given
    unknown = row.id + 10**6
    assert experiments.by_id(unknown) is None
    assert not experiments.advance(unknown, 1, 0.5)
    assert not experiments.set_status(unknown, "error")
    assert not experiments.complete(unknown, 1.0, 1)


def test_experiments_are_listed_newest_first_and_counted(session: Session) -> None:
    experiments = Experiments(session)
    assert experiments.statistics() == {
        "total_experiments": 0, "running_experiments": 0, "completed_experiments": 0,
        "error_experiments": 0, "best_fitness": None, "best_experiment_id": None,
    }  # fmt: skip
    ids = [experiments.create(f"e{n}", {}, 1, status=status).id
           for n, status in enumerate(("running", "error", "running", "completed", "starting"))]  # fmt: skip
    for n, moment in enumerate(("05", "03", "07", "01", "06")):
        session.execute(
            sa.text("UPDATE ga_experiments SET created_at = :at, best_fitness = :best WHERE id = :id"),
            {"at": f"2024-01-{moment} 00:00:00", "best": (None, 2.0, -1.0, 5.0, None)[n], "id": ids[n]},
        )
    session.expire_all()
    assert [row.name for row in experiments.recent()] == ["e2", "e4", "e0", "e1", "e3"]
    assert [row.name for row in experiments.recent(2)] == ["e2", "e4"]
    assert [row.name for row in experiments.by_status("running")] == ["e2", "e0"]
    assert [row.name for row in experiments.by_status("running", 1)] == ["e2"]
    assert experiments.by_status("nowhere") == []
    assert experiments.statistics() == {
        "total_experiments": 5, "running_experiments": 2, "completed_experiments": 1,
        "error_experiments": 1, "best_fitness": 5.0, "best_experiment_id": ids[3],
    }  # fmt: skip


def test_genes_are_filled_up(session: Session, ask: Ask) -> None:
    assert gene({}) == WHOLE
    assert list(gene({})) == list(WHOLE)
    given = {"id": 7, "indicators": [{"type": "SMA"}], "metadata": [], "entry_conditions": None, "own": "x"}
    filled = WHOLE | {"id": 7, "indicators": [{"type": "SMA"}], "own": "x"}
    assert gene(given) == filled
    with pytest.raises(UsageError, match="not list"):
        gene([])
    experiment = Experiments(session).create("e", {}, 1)
    (row,) = Strategies(session).save(
        [{"experiment_id": experiment.id, "gene_data": given, "generation": 2, "fitness_score": 0.5}]
    )
    assert row.gene_data == filled
    text = "CAST(parent_ids AS TEXT)"  # named None, it is JSON's null
    assert ask(f"SELECT {text}, generation, fitness_score FROM generated_strategies") == [("null", 2, 0.5)]


def test_strategies_are_ranked_by_their_fitness_the_unmeasured_last(session: Session, ask: Ask) -> None:
    first, second = (Experiments(session).create(name, {}, 2).id for name in "ab")
    strategies = Strategies(session)
    scores = ((first, 0, 1.0), (first, 0, None), (first, 0, 3.0), (first, 1, 2.0), (second, 0, 9.0))
    rows = strategies.save(
        [
            {"experiment_id": at, "gene_data": {"id": str(n)}, "generation": generation,
             "fitness_score": score, "parent_ids": [n, n + 1]}
            for n, (at, generation, score) in enumerate(scores)
        ]
    )  # fmt: skip
    ids = [row.id for row in rows]
    assert [row.gene_data["id"] for row in rows] == list("01234")

    def order(found: list[Any]) -> list[int]:
        return [ids.index(row.id) for row in found]

    assert order(strategies.of_experiment(first)) == [2, 3, 0, 1]
    assert order(strategies.of_experiment(first, limit=2)) == [2, 3]
    assert order(strategies.of_experiment(first, generation=0)) == [2, 0, 1]
    assert order(strategies.best()) == [4, 2, 3, 0]
    assert order(strategies.best(first, limit=2)) == [2, 3]
    assert strategies.statistics(first, 0) == {
        "strategy_count": 3, "best_fitness": 3.0, "worst_fitness": 1.0, "average_fitness": 2.0,
        "fitness_scores": [3.0, 1.0],
    }  # fmt: skip
    assert strategies.statistics(first, 7) == {}
    assert strategies.set_fitness(ids[4], None)
    assert strategies.statistics(second, 0) == {"strategy_count": 1}
    assert strategies.set_fitness(ids[1], 4.0)
    assert order(strategies.best(limit=1)) == [1]
    assert not strategies.set_fitness(max(ids) + 1, 1.0)
    assert not strategies.set_backtest(max(ids) + 1, None)
    assert strategies.by_id(max(ids) + 1) is None
    assert strategies.remove_of_experiment(first) == 4
    assert strategies.remove_of_experiment(first) == 0
    assert ask("SELECT experiment_id FROM generated_strategies") == [(second,)]


def test_a_batch_is_kept_whole_or_not_at_all(session: Session, ask: Ask) -> None:
    experiment = Experiments(session).create("e", {}, 1)
    good = {"experiment_id": experiment.id, "gene_data": {}, "generation": 0}
    for bad, said in (({"gene_data": {}}, "experiment_id, generation"), (good | {"fitnes": 1.0}, "fitnes")):
        with pytest.raises(UsageError, match=said):
            Strategies(session).save([good, bad])
    session.commit()
    with pytest.raises(SQLAlchemyError):
        Strategies(session).save([good, good | {"generation": None}])
    session.rollback()
    assert ask("SELECT count(*) FROM generated_strategies") == [(0,)]


def _ended_now(session: Session, experiment: int) -> None:
    session.expire_all()
    row = Experiments(session).by_id(experiment)
    assert row is not None
    assert row.completed_at is not None
    assert abs(row.completed_at.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=5)
