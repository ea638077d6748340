"""The application's repository of experiments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from trdinger.compat.database.models import GAExperiment
from trdinger.compat.database.repositories.base_repository import BaseRepository
from trdinger.records.experiments import Experiments


class GAExperimentRepository(BaseRepository):
    """Runs of the genetic algorithm. Creating raises; questions and changes log an error and answer."""

    def __init__(self, db: Session) -> None:
        super().__init__(db, GAExperiment)
        self._experiments = Experiments(db)

    def create_experiment(
        self, name: str, config: Any, total_generations: int, status: str = "running"
    ) -> GAExperiment:
        """Begin and commit an experiment."""
        with self._writing():
            row = self._experiments.create(name, config, total_generations, status)
        self.db.refresh(row)
        return row

    def update_experiment_progress(
        self,
        experiment_id: int,
        current_generation: int,
        progress: float,
        best_fitness: float | None = None,
    ) -> bool:
        """Note how far it is; the best fitness only if it is given."""
        return self._write_or(
            False,
            lambda: self._experiments.advance(experiment_id, current_generation, progress, best_fitness),
        )

    def update_experiment_status(
        self, experiment_id: int, status: str, completed_at: datetime | None = None
    ) -> bool:
        """Set its status; an end is now unless it is given."""
        return self._write_or(
            False, lambda: self._experiments.set_status(experiment_id, status, completed_at)
        )

    def complete_experiment(self, experiment_id: int, best_fitness: float, final_generation: int) -> bool:
        """End it well, now."""
        return self._write_or(
            False, lambda: self._experiments.complete(experiment_id, best_fitness, final_generation)
        )

    def get_experiment_by_id(self, experiment_id: int) -> GAExperiment | None:
        """The experiment of that id."""
        return self._read_or(None, lambda: self._experiments.by_id(experiment_id))

    def get_experiments_by_status(self, status: str, limit: int | None = None) -> list[GAExperiment]:
        """Those of a status, newest first."""
        return self._read_or([], lambda: self._experiments.by_status(status, limit))

    def get_recent_experiments(self, limit: int = 10) -> list[GAExperiment]:
        """The newest, newest first."""
        return self._read_or([], lambda: self._experiments.recent(limit))

    def get_experiment_statistics(self) -> dict[str, Any]:
        """How many of each status, and the best."""
        return self._read_or({}, self._experiments.statistics)
