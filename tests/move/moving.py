"""A move as the tests run it: small units, and a progress that remembers what it heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trdinger.engine.connect import Database
from trdinger.legacy.own.choices import NOTHING, Choices
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.plan import Existing, Options, Plan, plan
from trdinger.move.report import Report
from trdinger.move.run import migrate
from trdinger.move.units import Sizes
from trdinger.verify.differences import Proof
from trdinger.verify.run import verify

SMALL = Sizes(span_rows=700, slice_rows=7)  # rows: many units out of a small file


class Heard:
    """Progress that remembers: stages, sentences, and what was done in each stage."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.sentences: list[str] = []
        self.done: dict[str, int] = {}
        self.total: dict[str, int | None] = {}

    def stage(self, title: str, *, total: int | None = None, measure: Any = "rows") -> None:
        self.stages.append(title)
        self.total[title] = total

    def advance(self, done: int, *, detail: str | None = None, size: int = 0) -> None:
        self.done[self.stages[-1]] = self.done.get(self.stages[-1], 0) + done

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def end(self) -> None: ...


def planned(
    source: Path,
    database: Database,
    *,
    existing: Existing = Existing.REFUSE,
    left_out: tuple[str, ...] = (),
    choices: Choices = NOTHING,
    sizes: Sizes = SMALL,
    **asked: Any,
) -> Plan:
    """The plan of a move; its work folder is beside the source."""
    options = Options(existing=existing, left_out=left_out, sizes=sizes, **asked)
    held = survey(Source(source), choices.leaving(left_out), look=False)
    return plan(held, database.fresh(), options)


def move(source: Path, database: Database, *, heard: Heard | None = None, **options: Any) -> Report:
    """Plan and run a move."""
    return migrate(planned(source, database, **options), heard or Heard())


def verified(source: Path, database: Database, *, heard: Heard | None = None) -> Proof:
    """Verify a target against a file."""
    return verify(survey(Source(source)), database.fresh(), heard or Heard())
