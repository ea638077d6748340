"""Our own move, as `trdinger migrate` makes it: from the survey to the proof."""

from __future__ import annotations

from pathlib import Path

from trdinger.bench.clock import Clock
from trdinger.engine.connect import Database
from trdinger.errors import ValuesDiffer
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.plan import Options, plan
from trdinger.move.run import migrate

PROOF = "Verify"  # the stage that no other contestant has


def move(file: Path, database: Database, server: int | None, *, workdir: Path) -> Clock:
    """Move and verify. Raises ValuesDiffer unless every cell is proven equal, and what a move raises."""
    clock = Clock(server)
    clock.stage("Survey")
    held = survey(Source(file))
    report = migrate(plan(held, database, Options(workdir=workdir)), clock)
    clock.end()
    if not report.equal:
        raise ValuesDiffer(
            f"Moved for the benchmark, {file} and {database} are not equal.",
            hint=f"This is a fault of ours; report it with {workdir}.",
        )
    return clock
