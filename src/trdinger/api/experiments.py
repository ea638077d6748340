"""`/api/auto-strategy`: experiments and what they bred, out of the database.

An experiment's id is its row's, so that any worker, also after a restart, answers for it. Evolving is another
program's work.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from trdinger.api.answers import Answer, Refused, not_yet
from trdinger.api.asked import possible
from trdinger.api.fixed import GA_PRESETS
from trdinger.api.home import Here
from trdinger.records.experiments import Experiments
from trdinger.records.strategies import Strategies, gene
from trdinger.schema.models import GAExperiment

router = APIRouter(prefix="/api/auto-strategy", tags=["auto-strategy"])

_RUNNING = ("starting", "running")
_GENE = ("id", "indicators", "entry_conditions", "exit_conditions", "risk_management", "metadata")


class Generation(BaseModel):
    """An experiment to be begun."""

    experiment_name: str
    base_config: dict[str, Any]
    ga_config: dict[str, Any]


class Trial(BaseModel):
    """A strategy to be tried out."""

    strategy_gene: dict[str, Any]
    backtest_config: dict[str, Any]


@router.get("/experiments")
def experiments(home: Here) -> Answer:
    """All experiments in the order of their start; times are epoch seconds."""
    with home.session() as session:
        oldest_first = reversed(Experiments(session).recent(limit=None))
        return Answer(
            [
                {
                    "id": str(row.id),
                    "name": row.name,
                    "status": row.status,
                    "start_time": _epoch(row.created_at),
                    "end_time": _epoch(row.completed_at),
                    "error": None,
                }
                for row in oldest_first
            ]
        )


@router.get("/experiments/{experiment_id}/progress")
def progress(home: Here, experiment_id: str) -> Answer:
    """How far an experiment is, as its row says; average_fitness is its newest generation's."""
    with home.session() as session:
        row = _experiment(session, experiment_id)
        figures = Strategies(session).statistics(row.id, row.current_generation)
        taken = _seconds(row)
        running = row.status in _RUNNING
        told = {
            "experiment_id": experiment_id,
            "current_generation": row.current_generation,
            "total_generations": row.total_generations,
            "best_fitness": row.best_fitness,
            "average_fitness": figures.get("average_fitness"),
            "execution_time": taken,
            "estimated_remaining_time": taken / row.progress * (1 - row.progress)
            if running and row.progress
            else 0.0,
            "progress_percentage": row.progress * 100,
            "status": "running" if running else "completed" if row.status == "completed" else "error",
            "best_strategy_preview": None,
        }
    return Answer({"success": True, "progress": told, "message": "進捗情報を取得しました"})


@router.get("/experiments/{experiment_id}/results")
def results(home: Here, experiment_id: str) -> Answer:
    """What a completed experiment bred. 202 while it runs, 409 if it ended otherwise."""
    with home.session() as session:
        row = _experiment(session, experiment_id)
        if row.status in _RUNNING:
            raise Refused(202, "実験はまだ完了していません")
        if row.status != "completed":
            raise Refused(409, f"Experiment {experiment_id} has no results: it ended as {row.status}.")
        best = Strategies(session).of_experiment(row.id, limit=1)
        whole = gene(best[0].gene_data) if best else None
        config = row.config if isinstance(row.config, dict) else {}
        told = {
            "experiment_id": experiment_id,
            "best_strategy": None if whole is None else {part: whole[part] for part in _GENE},
            "best_fitness": row.best_fitness,
            "execution_time": _seconds(row),
            "generations_completed": row.current_generation,
            "final_population_size": config.get("population_size"),
        }
    return Answer({"success": True, "result": told, "message": "実験結果を取得しました"})


@router.post("/experiments/{experiment_id}/stop")
def stop(home: Here, experiment_id: str) -> Answer:
    """Answers 501 for a running experiment, which is another program's for now; 400 for any other."""
    with home.session() as session:
        row = _found(session, experiment_id)
        running = row is not None and row.status in _RUNNING
    if not running:
        raise Refused(400, "実験を停止できませんでした（存在しないか、既に完了している可能性があります）")
    raise not_yet("Stopping experiments")


@router.post("/generate")
def generate(asked: Generation) -> Answer:
    """Answers 501: there is no engine yet."""
    raise not_yet("Evolving strategies")


@router.post("/test-strategy")
def test_strategy(asked: Trial) -> Answer:
    """Answers 501: there is no engine yet."""
    raise not_yet("Trying out strategies")


@router.get("/config/default")
def default_config() -> Answer:
    """What an experiment goes by unless it is told otherwise."""
    return Answer(
        {"success": True, "config": GA_PRESETS["default"], "message": "デフォルト設定を取得しました"}
    )


@router.get("/config/presets")
def presets() -> Answer:
    """Three configurations: fast, default, thorough."""
    return Answer({"success": True, "presets": GA_PRESETS, "message": "設定プリセットを取得しました"})


def _experiment(session: Session, experiment_id: str) -> GAExperiment:
    row = _found(session, experiment_id)
    if row is None:
        raise Refused(404, f"Experiment not found: {experiment_id}")
    return row


def _found(session: Session, experiment_id: str) -> GAExperiment | None:
    known = re.fullmatch(r"\d{1,10}", experiment_id, re.ASCII) and possible(int(experiment_id))
    return Experiments(session).by_id(int(experiment_id)) if known else None


def _epoch(moment: datetime | None) -> float | None:
    return None if moment is None else _aware(moment).timestamp()


def _seconds(row: GAExperiment) -> float:
    """How long it took, or has taken if it runs; 0 where its row does not tell."""
    ended = datetime.now(UTC) if row.status in _RUNNING else row.completed_at
    if row.created_at is None or ended is None:
        return 0.0
    return (_aware(ended) - _aware(row.created_at)).total_seconds()


def _aware(moment: datetime) -> datetime:
    """A moment of the database: what SQLite gives without an offset is UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
