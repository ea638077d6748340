"""What is due now, done in this process: compression, refreshes from the finest on, retention.

Where the server's scheduler has a policy for it and workers to run it, it is left to that. Each job's
outcome is entered in the database; one that fails does not keep the next from running.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from trdinger.archive.place import Place
from trdinger.declaration import Lifecycle
from trdinger.engine.connect import Database
from trdinger.errors import TrdingerError, UsageError
from trdinger.progress import Progress
from trdinger.schema import aggregates
from trdinger.upkeep import compression, pieces, policies, record, retention


@dataclass(frozen=True)
class Ran:
    """One job: what it did in a sentence, or why it did nothing, or what went wrong."""

    job: str
    seconds: float
    said: str
    left: bool = False
    error: TrdingerError | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "job": self.job,
            "seconds": round(self.seconds, 3),
            "said": self.said,
            "left": self.left,
            "error": str(self.error) if self.error else None,
        }


class _Left(Exception):
    """There is nothing to do here, and why."""


def run(database: Database, lifecycle: Lifecycle, archive: Place | None, progress: Progress) -> Iterator[Ran]:
    """Run every job that is due, and give each when it has ended. Raises TargetError if none can begin.

    archive: where retention archives to; without one it fails where it is switched on.
    """
    database.capabilities.require("write")
    with database.connect(autocommit=True) as connection:
        record.prepare(connection)
    tasks: list[tuple[str, Callable[[], str]]] = [
        ("compression", lambda: _compress(database, lifecycle, progress)),
        ("refresh", lambda: _refresh(database, lifecycle, progress)),
        ("retention", lambda: _retain(database, lifecycle, archive, progress)),
    ]
    for name, task in tasks:
        begun = time.perf_counter()
        said, error, left = "", None, False
        try:
            said = task()
        except _Left as reason:
            said, left = str(reason), True
        except TrdingerError as wrong:
            said, error = wrong.message, wrong
        seconds = time.perf_counter() - begun
        if not left:
            with database.connect(autocommit=True) as connection:
                record.ran(connection, name, seconds, str(error) if error else None)
        yield Ran(name, seconds, said, left, error)


def _compress(database: Database, lifecycle: Lifecycle, progress: Progress) -> str:
    if reason := database.capabilities.reason("compression"):
        raise _Left(reason)
    with database.connect(autocommit=True) as connection, record.hold(connection):
        scheduled = _scheduled(database, connection, "policy_compression")
        ages = {table: age for table, age in lifecycle.compress_after.items() if table not in scheduled}
        if not any(age is not None for age in ages.values()):
            raise _Left("The server's scheduler does it." if scheduled else "No age of compression is set.")
        planned = compression.due(connection, ages)
        progress.stage("Compress", total=len(planned), measure="steps")
        for one in compression.compress(connection, planned):
            progress.advance(1, detail=str(one.piece))
    return f"Chunks compressed: {len(planned)}."


def _refresh(database: Database, lifecycle: Lifecycle, progress: Progress) -> str:
    if reason := database.capabilities.reason("continuous_aggregates"):
        raise _Left(reason)
    with database.connect(autocommit=True) as connection, record.hold(connection):
        there = aggregates.present(connection)
        if not there:
            raise _Left("There are no aggregates; trdinger db refresh makes them.")
        scheduled = _scheduled(database, connection, "policy_refresh_continuous_aggregate")
        if {one.name for one in there} <= scheduled:
            raise _Left("The server's scheduler does it.")
        progress.stage("Refresh", total=len(there), measure="steps")
        done = 0
        since = pieces.now(connection) - lifecycle.refresh_window
        for one in aggregates.refresh(connection, since):
            done += 1
            progress.advance(1, detail=one.name)
    return f"Aggregates refreshed: {done}."


def _retain(database: Database, lifecycle: Lifecycle, archive: Place | None, progress: Progress) -> str:
    if not any(age is not None for age in lifecycle.keep.values()):
        raise _Left("Every table is kept for ever.")
    planned = retention.plan(database, lifecycle.keep)
    if not planned:
        return "Nothing is past the age that it is kept for."
    if archive is None:
        raise UsageError(
            f"{len(planned)} chunks are past their age and no archive is named; they stay.",
            hint="Set TRDINGER_ARCHIVE.",
        )
    rows = sum(one.rows for one in retention.run(database, planned, archive, progress))
    return f"{len(planned)} chunks with {rows:,} rows went into {archive}."


def _scheduled(database: Database, connection: psycopg.Connection[Any], procedure: str) -> set[str]:
    """The series and aggregates that the server's scheduler sees to: where its last run did not fail."""
    if not database.capabilities.has("jobs"):
        return set()
    failed = {
        row[0]
        for row in connection.execute(
            "SELECT job_id FROM timescaledb_information.job_stats WHERE last_run_status = 'Failed'"
        )
    }
    return {
        one.relation
        for one in policies.jobs(connection)
        if one.procedure == procedure and one.id not in failed
    }


def listed(database: Database, connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """Every job on our tables with its last run and error: the server's and ours."""
    found = []
    if database.capabilities.has("continuous_aggregates"):
        for job in policies.jobs(connection):
            row = connection.execute(_STATS, (job.id, job.id)).fetchone()
            stats = dict(zip(_NAMES, row, strict=True)) if row else dict.fromkeys(_NAMES)
            what = f"{job.procedure.removeprefix('policy_').partition('_')[0]} of {job.relation}"
            found.append({"job": what, "id": job.id, "by": "server", **stats})
    found += [{"id": None, "by": "trdinger", "next_run": None} | one for one in record.jobs(connection)]
    for one in found:
        one.pop("seconds", None)
    return found


_NAMES = ("last_run", "last_success", "next_run", "failures", "error")
_STATS = """
SELECT nullif(s.last_run_started_at, '-infinity'), nullif(s.last_successful_finish, '-infinity'),
       nullif(nullif(s.next_start, '-infinity'), 'infinity'), s.total_failures,
       CASE WHEN s.last_run_status = 'Failed' THEN
           (SELECT err_message FROM timescaledb_information.job_errors WHERE job_id = %s
             ORDER BY finish_time DESC LIMIT 1) END
  FROM timescaledb_information.job_stats s WHERE s.job_id = %s
"""
