"""Strategies that experiments bred: kept with their genes, ranked by their fitness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.errors import UsageError
from trdinger.records.table import Table, columns_alone, require
from trdinger.schema.models import GeneratedStrategy

_NEEDED = ("experiment_id", "gene_data", "generation")
_FITTEST_FIRST = (GeneratedStrategy.fitness_score.desc().nulls_last(), GeneratedStrategy.id)
_GENE: Mapping[str, type] = {
    "indicators": list,
    "entry_conditions": list,
    "exit_conditions": list,
    "risk_management": dict,
    "metadata": dict,
}


class Strategies(Table[GeneratedStrategy]):
    """Rows of `generated_strategies`. Changes answer False for an id that is not there."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, GeneratedStrategy)

    def save(self, strategies: Sequence[Mapping[str, Any]]) -> list[GeneratedStrategy]:
        """Keep strategies: experiment_id, gene_data, generation; if known fitness_score, parent_ids and
        backtest_result_id. Genes are filled up, see `gene`. All of them or an error.
        """
        rows = []
        for strategy in strategies:
            require("strategy", strategy, _NEEDED)
            columns_alone("strategy", strategy, GeneratedStrategy)
            given = {"parent_ids": None, **strategy}  # named, it is JSON's null, as the application stores it
            rows.append(
                GeneratedStrategy(**given | {"gene_data": self._document(gene(strategy["gene_data"]))})
            )
        self._session.add_all(rows)
        self._session.flush()
        return rows

    def of_experiment(
        self, experiment_id: int, generation: int | None = None, limit: int | None = None
    ) -> list[GeneratedStrategy]:
        """An experiment's strategies, or those of one generation: the fittest first, the unmeasured last."""
        return self._rows(*_where(experiment_id, generation), order=_FITTEST_FIRST, limit=limit)

    def best(self, experiment_id: int | None = None, limit: int | None = 10) -> list[GeneratedStrategy]:
        """The fittest, of one experiment or of all; only those that were measured."""
        measured = GeneratedStrategy.fitness_score.is_not(None)
        return self._rows(measured, *_where(experiment_id), order=_FITTEST_FIRST, limit=limit)

    def set_fitness(self, row_id: int, score: float | None) -> bool:
        """Note how fit one is."""
        return self._changed(row_id, fitness_score=score)

    def set_backtest(self, row_id: int, backtest_result_id: int | None) -> bool:
        """Note which backtest measured one."""
        return self._changed(row_id, backtest_result_id=backtest_result_id)

    def statistics(self, experiment_id: int, generation: int) -> dict[str, Any]:
        """Of one generation: strategy_count, and if any was measured best_fitness, worst_fitness,
        average_fitness and fitness_scores, the best first. Empty if there is none.
        """
        asked = sa.select(GeneratedStrategy.fitness_score).where(*_where(experiment_id, generation))
        found = list(self._session.scalars(asked.order_by(*_FITTEST_FIRST)))
        if not found:
            return {}
        scores = [score for score in found if score is not None]
        statistics: dict[str, Any] = {"strategy_count": len(found)}
        if scores:
            statistics |= {
                "best_fitness": scores[0],
                "worst_fitness": scores[-1],
                "average_fitness": math.fsum(scores) / len(scores),
                "fitness_scores": scores,
            }
        return statistics

    def remove_of_experiment(self, experiment_id: int) -> int:
        """Take away all strategies of an experiment; how many they were."""
        statement = sa.delete(GeneratedStrategy).where(*_where(experiment_id))
        gone = self._session.execute(statement, execution_options={"synchronize_session": "fetch"})
        return int(cast("sa.CursorResult[Any]", gone).rowcount)


def gene(given: Any) -> dict[str, Any]:
    """A gene with all its parts: what lacks, or is of another kind, is empty; what else it has stays."""
    if not isinstance(given, Mapping):
        raise UsageError(f"A gene is an object, not {type(given).__name__}.")
    whole = {"id": "", **given}
    for part, kind in _GENE.items():
        if not isinstance(whole.get(part), kind):
            whole[part] = kind()
    return whole


def _where(experiment_id: int | None, generation: int | None = None) -> list[sa.ColumnElement[bool]]:
    pairs: tuple[tuple[Any, int | None], ...] = (
        (GeneratedStrategy.experiment_id, experiment_id),
        (GeneratedStrategy.generation, generation),
    )
    return [column == value for column, value in pairs if value is not None]
