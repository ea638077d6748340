"""Runs of the genetic algorithm: begun, advanced, ended, and counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.records.table import Table
from trdinger.schema.models import GAExperiment

_ENDED = ("completed", "error", "cancelled")


class Experiments(Table[GAExperiment]):
    """Rows of `ga_experiments`. Changes answer False for an id that is not there."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, GAExperiment)

    def create(
        self, name: str, config: Any, total_generations: int | None, status: str = "running"
    ) -> GAExperiment:
        """Begin an experiment, at generation 0."""
        row = GAExperiment(
            name=name,
            config=self._document(config),
            total_generations=total_generations,
            status=status,
            progress=0.0,
            current_generation=0,
        )
        return self._stored(row)

    def advance(
        self, row_id: int, current_generation: int, progress: float, best_fitness: float | None = None
    ) -> bool:
        """Note how far it is: progress from 0 to 1. A best fitness of None leaves the one that is there."""
        best = {} if best_fitness is None else {"best_fitness": best_fitness}
        return self._changed(row_id, current_generation=current_generation, progress=progress, **best)

    def set_status(self, row_id: int, status: str, completed_at: datetime | None = None) -> bool:
        """Set the status. completed, error and cancelled are an end: now, unless another moment is given."""
        if completed_at is None and status in _ENDED:
            completed_at = datetime.now(UTC)
        ended = {} if completed_at is None else {"completed_at": completed_at}
        return self._changed(row_id, status=status, **ended)

    def complete(self, row_id: int, best_fitness: float, final_generation: int) -> bool:
        """End it well, now."""
        return self._changed(
            row_id,
            status="completed",
            progress=1.0,
            best_fitness=best_fitness,
            current_generation=final_generation,
            completed_at=datetime.now(UTC),
        )

    def by_status(self, status: str, limit: int | None = None) -> list[GAExperiment]:
        """Those of a status, newest first."""
        return self._newest(GAExperiment.status == status, limit=limit)

    def recent(self, limit: int | None = 10) -> list[GAExperiment]:
        """The newest, newest first."""
        return self._newest(limit=limit)

    def statistics(self) -> dict[str, Any]:
        """total_experiments, running_, completed_ and error_experiments, best_fitness, best_experiment_id."""
        by_status = sa.select(GAExperiment.status, sa.func.count()).group_by(GAExperiment.status)
        counts = {status: int(rows) for status, rows in self._session.execute(by_status)}
        best = self._rows(
            GAExperiment.best_fitness.is_not(None),
            order=(GAExperiment.best_fitness.desc(), GAExperiment.id),
            limit=1,
        )
        return {
            "total_experiments": sum(counts.values()),
            "running_experiments": counts.get("running", 0),
            "completed_experiments": counts.get("completed", 0),
            "error_experiments": counts.get("error", 0),
            "best_fitness": best[0].best_fitness if best else None,
            "best_experiment_id": best[0].id if best else None,
        }
