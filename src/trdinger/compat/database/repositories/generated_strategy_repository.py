"""The application's repository of strategies that experiments bred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.compat.database.models import GeneratedStrategy
from trdinger.compat.database.repositories.base_repository import BaseRepository
from trdinger.records.strategies import Strategies


class GeneratedStrategyRepository(BaseRepository):
    """Strategies and their fitness. Saving raises; questions and changes log an error and answer."""

    def __init__(self, db: Session) -> None:
        super().__init__(db, GeneratedStrategy)
        self._strategies = Strategies(db)

    def save_strategy(
        self,
        experiment_id: int,
        gene_data: Mapping[str, Any],
        generation: int,
        fitness_score: float | None = None,
        parent_ids: list[int] | None = None,
        backtest_result_id: int | None = None,
    ) -> GeneratedStrategy:
        """Keep and commit one."""
        one = {
            "experiment_id": experiment_id,
            "gene_data": gene_data,
            "generation": generation,
            "fitness_score": fitness_score,
            "parent_ids": parent_ids,
            "backtest_result_id": backtest_result_id,
        }
        return self.save_strategies_batch([one])[0]

    def save_strategies_batch(self, strategies_data: Sequence[Mapping[str, Any]]) -> list[GeneratedStrategy]:
        """Keep and commit all of them, or none: dictionaries by what `save_strategy` takes."""
        with self._writing():
            rows = self._strategies.save(strategies_data)
            ids = [row.id for row in rows]
        self.db.scalars(sa.select(GeneratedStrategy).where(GeneratedStrategy.id.in_(ids))).all()
        return rows

    def get_strategies_by_experiment(
        self, experiment_id: int, generation: int | None = None, limit: int | None = None
    ) -> list[GeneratedStrategy]:
        """Those of an experiment, the fittest first."""
        return self._read_or([], lambda: self._strategies.of_experiment(experiment_id, generation, limit))

    def get_strategies_by_generation(self, experiment_id: int, generation: int) -> list[GeneratedStrategy]:
        """Those of one generation, the fittest first."""
        return self._read_or([], lambda: self._strategies.of_experiment(experiment_id, generation))

    def get_best_strategies(
        self, experiment_id: int | None = None, limit: int = 10
    ) -> list[GeneratedStrategy]:
        """The fittest that were measured."""
        return self._read_or([], lambda: self._strategies.best(experiment_id, limit))

    def update_fitness_score(self, strategy_id: int, fitness_score: float) -> bool:
        """Note how fit one is."""
        return self._write_or(False, lambda: self._strategies.set_fitness(strategy_id, fitness_score))

    def update_backtest_result(self, strategy_id: int, backtest_result_id: int) -> bool:
        """Note which backtest measured one."""
        return self._write_or(False, lambda: self._strategies.set_backtest(strategy_id, backtest_result_id))

    def get_strategy_by_id(self, strategy_id: int) -> GeneratedStrategy | None:
        """The strategy of that id."""
        return self._read_or(None, lambda: self._strategies.by_id(strategy_id))

    def get_generation_statistics(self, experiment_id: int, generation: int) -> dict[str, Any]:
        """How many there are, and the fitness of those that were measured."""
        return self._read_or({}, lambda: self._strategies.statistics(experiment_id, generation))

    def delete_strategies_by_experiment(self, experiment_id: int) -> int:
        """Take away an experiment's strategies; how many."""
        return self._write_or(0, lambda: self._strategies.remove_of_experiment(experiment_id))
