"""What the server's own scheduler is told: compression of each series, refresh of each aggregate.

By the declaration and the settings; read from the catalog, so that what is right already is left alone.
Retention is never told to it: its own policy drops without an archive. A policy that is not ours is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import psycopg

from trdinger.declaration import AGGREGATES, SERIES, Lifecycle
from trdinger.schema import aggregates, timescale
from trdinger.series.timeframes import width

State = Literal["set", "missing", "other", "unwanted"]
_LONGEST_PAUSE = timedelta(
    hours=1
)  # between two refreshes: what is not refreshed is computed at the question
_SHORTEST_PAUSE = timedelta(minutes=5)

# Ours by what they work on: a series, or an aggregate by the table that holds its bars.
_JOBS = """
SELECT j.job_id, j.proc_name::text, coalesce(c.user_view_name, j.hypertable_name)::text, j.config,
       j.schedule_interval
  FROM timescaledb_information.jobs j
  LEFT JOIN _timescaledb_catalog.continuous_agg c
         ON c.mat_hypertable_id = (j.config ->> 'mat_hypertable_id')::int
 WHERE coalesce(c.user_view_schema, j.hypertable_schema) = current_schema
   AND coalesce(c.user_view_name, j.hypertable_name) = ANY(%s)
   AND j.proc_name IN ('policy_compression', 'policy_refresh_continuous_aggregate', 'policy_retention')
 ORDER BY j.job_id
"""


@dataclass(frozen=True)
class Job:
    """A policy as the server has it. relation: the series or the aggregate that it works on."""

    id: int
    procedure: str
    relation: str
    config: dict[str, Any]
    every: timedelta


@dataclass(frozen=True)
class Policy:
    """One policy: what it should be and whether it is so.

    after: age of compression. reach, behind: how far back a refresh looks, and which newest part it leaves.
    """

    kind: Literal["compression", "refresh"]
    relation: str
    state: State
    job: int | None = None
    after: timedelta | None = None
    reach: timedelta | None = None
    behind: timedelta | None = None
    every: timedelta | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs; times in seconds."""
        return {
            name: value.total_seconds() if isinstance(value, timedelta) else value
            for name, value in vars(self).items()
        }


def jobs(connection: psycopg.Connection[Any]) -> list[Job]:
    """The server's own jobs on our series and aggregates; none where it knows no policies."""
    names = [*SERIES, *(one.name for one in AGGREGATES)]
    return [Job(*row) for row in connection.execute(_JOBS, (names,))]


def wanted(connection: psycopg.Connection[Any], lifecycle: Lifecycle) -> list[Policy]:
    """What should be set, and how it is. Only for aggregates that are there: trdinger db refresh makes them.

    Raises MissingCapability on an edition that has no policies.
    """
    there = jobs(connection)
    found = [_compression(connection, there, table, lifecycle) for table in SERIES]
    for one in aggregates.present(connection):
        size = timedelta(microseconds=width(one.timeframe))
        reach, every = lifecycle.reach(size), max(min(size, _LONGEST_PAUSE), _SHORTEST_PAUSE)
        job = _of(there, "policy_refresh_continuous_aggregate", one.name)
        state: State = "missing"
        if job is not None:
            held = (interval(connection, job, "start_offset"), interval(connection, job, "end_offset"))
            state = "set" if (*held, job.every) == (reach, size, every) else "other"
        found.append(
            Policy("refresh", one.name, state, job.id if job else None, reach=reach, behind=size, every=every)
        )
    return [policy for policy in found if policy is not None]


def apply(connection: psycopg.Connection[Any], policies: list[Policy]) -> list[Policy]:
    """Set those that are missing or other, take away those that are unwanted; what was changed.

    In the caller's transaction.
    """
    changed = [policy for policy in policies if policy.state != "set"]
    for policy in changed:
        if policy.job is not None:
            connection.execute("SELECT delete_job(%s)", (policy.job,))
        if policy.state == "unwanted":
            continue
        if policy.kind == "compression":
            connection.execute(
                "SELECT add_compression_policy(%s::text::regclass, compress_after => %s::interval)",
                (timescale.quoted(policy.relation), policy.after),
            )
        else:
            connection.execute(
                "SELECT add_continuous_aggregate_policy(%s::text::regclass, start_offset => %s::interval,"
                " end_offset => %s::interval, schedule_interval => %s::interval)",
                (timescale.quoted(policy.relation), policy.reach, policy.behind, policy.every),
            )
    return changed


def _compression(
    connection: psycopg.Connection[Any], there: list[Job], table: str, lifecycle: Lifecycle
) -> Policy | None:
    """The policy of a series; None for a table without compression, or where none is wanted nor there."""
    job = _of(there, "policy_compression", table)
    age = lifecycle.compress_after.get(table)
    state = timescale.hypertable(connection, table)
    if state is None or state.compression is None or (age is None and job is None):
        return None
    if age is None or job is None:
        return Policy(
            "compression", table, "unwanted" if job else "missing", job.id if job else None, after=age
        )
    same = interval(connection, job, "compress_after") == age
    return Policy("compression", table, "set" if same else "other", job.id, after=age)


def _of(there: list[Job], procedure: str, relation: str) -> Job | None:
    return next((one for one in there if (one.procedure, one.relation) == (procedure, relation)), None)


def interval(connection: psycopg.Connection[Any], job: Job, name: str) -> timedelta | None:
    """An interval of a job's configuration, which is text of the server's own."""
    said = job.config.get(name)
    if said is None:
        return None
    row = connection.execute("SELECT extract(epoch FROM %s::interval)::float8", (str(said),)).fetchone()
    return timedelta(seconds=row[0]) if row else None
