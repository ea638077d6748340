"""Checks of what becomes of rows: jobs, policies, aggregates, retention, the archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from trdinger.archive.archive import Archive
from trdinger.declaration import OHLCV, SERIES
from trdinger.errors import ArchiveError
from trdinger.schema import aggregates as kept
from trdinger.upkeep import policies as server
from trdinger.upkeep import record
from trdinger.upkeep.finding import Finding, Patient

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK = timedelta(weeks=1)
_LATE = 3  # times its interval that a job may be without success
_MOMENT = "%Y-%m-%dT%H:%M:%S"


def jobs(patient: Patient) -> list[Finding]:
    """Jobs that fail, or that did not go well for long: the server's and ours."""
    found = []
    if patient.database.capabilities.has("jobs"):
        for job in server.jobs(patient.connection):
            found += _job(patient, job)
    for one in record.jobs(patient.connection):
        if one["error"]:
            found.append(
                Finding(
                    f"The job {one['job']} failed {one['failures']} times since it went well: {one['error']}",
                    "Mend that, then: trdinger db run-jobs",
                )
            )
    return found


def policies(patient: Patient) -> list[Finding]:
    """Policies that are not as the declaration and the settings have them."""
    if not patient.database.capabilities.has("jobs"):
        return []
    different = [
        f"{one.kind} of {one.relation} ({one.state})"
        for one in server.wanted(patient.connection, patient.lifecycle)
        if one.state != "set"
    ]
    if not different:
        return []
    return [
        Finding(
            f"Not as declared: {', '.join(different)}.",
            "trdinger db policies --apply; or do from elsewhere what is due: trdinger db run-jobs --every 1h",
            "note",
        )
    ]


def aggregates(patient: Patient) -> list[Finding]:
    """Bars that are stale and that no scheduled refresh reaches; the store computes them meanwhile."""
    if not patient.database.capabilities.has("continuous_aggregates"):
        return []
    there = kept.present(patient.connection)
    ends = patient.rows(f"SELECT min({OHLCV.time}), max({OHLCV.time}) FROM {OHLCV.table}") if there else []
    if not ends or ends[0][0] is None:
        return []
    first, last = ends[0]
    low, high = (int((moment - _EPOCH) / timedelta(microseconds=1)) for moment in (first, last))
    names = "ARRAY[" + ", ".join(f"'{one.name}'" for one in there) + "]"
    # Where no candle is, a refresh may leave a range pending for ever.
    pending = patient.rows(
        f"""
        WITH within AS (SELECT greatest(low, %s) AS since, least(high, %s) AS until
                        FROM ({kept.PENDING.format(names=names)}) AS p (low, high))
        SELECT min(since), max(until) FROM within WHERE since <= until AND EXISTS (
            SELECT FROM {OHLCV.table} t
            WHERE t.{OHLCV.time} >= timestamptz 'epoch' + since * interval '1 microsecond'
              AND t.{OHLCV.time} <= timestamptz 'epoch' + until * interval '1 microsecond')
        """,
        low,
        high,
    )
    if pending[0][0] is None:
        return []
    since, until = (_EPOCH + timedelta(microseconds=moment) for moment in pending[0])
    reached = datetime.now(UTC) - patient.lifecycle.refresh_window
    scheduled = {one.relation for one in server.jobs(patient.connection) if one.procedure == _REFRESH}
    here = {one["job"] for one in record.jobs(patient.connection) if one["last_success"]}
    if since >= reached and ({one.name for one in there} <= scheduled or "refresh" in here):
        return []
    return [
        Finding(
            f"Bars between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} are stale: candles were written"
            " there since the last refresh, and no scheduled one looks there. The store computes them"
            " meanwhile, more slowly; SQL on the views gives old bars.",
            f"trdinger db refresh --from {since.strftime(_MOMENT)}",
        )
    ]


def retention(patient: Patient) -> list[Finding]:
    """Rows that go without an archive, or while a refresh still reaches for them."""
    found, keep = [], patient.lifecycle.keep.get(OHLCV.table)
    if patient.database.capabilities.has("continuous_aggregates"):
        there = server.jobs(patient.connection)
        furthest = timedelta()
        for job in there:
            if job.procedure == _REFRESH:
                reach = server.interval(patient.connection, job, "start_offset")
                furthest = max(furthest, timedelta.max if reach is None else reach)
        for job in there:
            if job.procedure == "policy_retention" and job.relation in SERIES:
                found += _bare(patient, job, furthest)
        if keep is not None and furthest > keep - _WEEK:
            found.append(
                Finding(
                    f"Candles are kept for {keep.days} days and a refresh reaches {_days(furthest)} back: it"
                    " takes away the bars of candles that were dropped.",
                    "trdinger db policies --apply sets how far refreshes reach; or keep candles for longer.",
                )
            )
    if any(patient.lifecycle.keep.values()) and patient.archive is None:
        found.append(
            Finding(
                "An age of retention is set and no archive: nothing is dropped, and run-jobs fails.",
                "Set TRDINGER_ARCHIVE.",
            )
        )
    return found


def archive(patient: Patient) -> list[Finding]:
    """An archive that is not where rows of this database went."""
    went = record.dropped(patient.connection)
    if not went:
        return []
    rows = sum(one.rows for one in went)
    if patient.archive is None:
        where = ", ".join(sorted({one.archive for one in went}))
        return [
            Finding(
                f"{rows:,} rows of this database went into {where}, and no archive is named.",
                "Set TRDINGER_ARCHIVE, so that they can be read.",
                "note",
            )
        ]
    try:
        held = sum(one.rows for one in Archive(patient.archive).manifest().files)
    except ArchiveError as error:
        return [
            Finding(f"{rows:,} rows of this database went into an archive. {error.message}", str(error.hint))
        ]
    least = record.least(went)
    if held < least:
        return [
            Finding(
                f"The archive {patient.archive} holds {held:,} rows, and at least {least:,} went into it.",
                "Is it another archive, or an older copy? Name the right one in TRDINGER_ARCHIVE.",
            )
        ]
    return []


_REFRESH = "policy_refresh_continuous_aggregate"
_STATS = """
SELECT s.last_run_status, s.total_failures, nullif(s.last_successful_finish, '-infinity'), j.scheduled,
       nullif(j.initial_start, '-infinity'), now(),
       (SELECT err_message FROM timescaledb_information.job_errors e WHERE e.job_id = j.job_id
         ORDER BY finish_time DESC LIMIT 1)
  FROM timescaledb_information.jobs j LEFT JOIN timescaledb_information.job_stats s USING (job_id)
 WHERE j.job_id = %s
"""


def _job(patient: Patient, job: server.Job) -> list[Finding]:
    rows = patient.rows(_STATS, job.id)
    if not rows:
        return []
    status, failures, succeeded, scheduled, _, now, error = rows[0]
    name = f"The server's job {job.id}, {job.procedure.removeprefix('policy_')} of {job.relation},"
    again = f"Mend that, then: CALL run_job({job.id}); until then trdinger db run-jobs does its work."
    if not scheduled:
        return [Finding(f"{name} is paused.", f"SELECT alter_job({job.id}, scheduled => true);")]
    if status == "Failed":
        return [Finding(f"{name} failed, {failures} times in all: {error or 'no reason is kept'}.", again)]
    if succeeded is not None and now - succeeded > _LATE * job.every + timedelta(hours=1):
        return [
            Finding(
                f"{name} last went well on {succeeded:%Y-%m-%d %H:%M}, and is due every {job.every}.",
                "Does the server have background workers left (timescaledb.max_background_workers)? After a"
                " restore: SELECT timescaledb_post_restore();",
            )
        ]
    return []


def _bare(patient: Patient, job: server.Job, furthest: timedelta) -> list[Finding]:
    age = server.interval(patient.connection, job, "drop_after")
    said = f"The server's job {job.id} drops chunks of {job.relation} after {_days(age)} without an archive"
    if job.relation == OHLCV.table and age is not None and furthest > age - _WEEK:
        said += ", while refreshes still reach for them and take the aggregates' bars away"
    return [
        Finding(
            f"{said}.",
            f"SELECT remove_retention_policy('{job.relation}'); set how long rows are kept in the settings.",
        )
    ]


def _days(age: timedelta | None) -> str:
    if age is None:
        return "no age that is known"
    return "without an end" if age == timedelta.max else f"{age.days} days"
