"""Each thing that can be wrong is made so on a real database, is found, and is gone when it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from trdinger.archive.place import Place
from trdinger.declaration import LIFECYCLE, OHLCV, Lifecycle
from trdinger.engine.connect import ConnectionOptions, Database
from trdinger.progress import Silent
from trdinger.schema import aggregates
from trdinger.upkeep import policies, record, retention, soundness
from trdinger.upkeep.doctor import CHECKS, examine
from trdinger.upkeep.finding import Finding
from upkeep.conftest import KEEP, Aged


def found(
    database: Database, lifecycle: Lifecycle = LIFECYCLE, archive: Place | None = None
) -> dict[str, list[Finding]]:
    """What the doctor found, by check; those that found nothing are not there."""
    return {name: each for name, each in examine(database.fresh(), lifecycle, archive) if each}


@dataclass(frozen=True)
class Fault:
    """How something is made wrong and right again in SQL, and what is said of it."""

    check: str
    said: str
    make: tuple[str, ...]
    mend: tuple[str, ...]


_ZONE = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO ''ZONE''', current_database()); END $$"
FAULTS = (
    Fault(
        "tables",
        "Missing: strategy_templates.",
        ("ALTER TABLE strategy_templates RENAME TO elsewhere",),
        ("ALTER TABLE elsewhere RENAME TO strategy_templates",),
    ),
    Fault(
        "keys",
        "funding_rate_data has no key on symbol, funding_timestamp: writes that name it fail",
        ("ALTER TABLE funding_rate_data DROP CONSTRAINT funding_rate_data_pkey",),
        (
            "ALTER TABLE funding_rate_data ADD CONSTRAINT funding_rate_data_pkey"
            " PRIMARY KEY (symbol, funding_timestamp)",
        ),
    ),
    Fault(
        "hypertables",
        "open_interest_data is no hypertable: it has no chunks to compress or to archive.",
        (
            "ALTER TABLE open_interest_data RENAME TO elsewhere",
            "CREATE TABLE open_interest_data (symbol text, data_timestamp timestamptz,"
            " PRIMARY KEY (symbol, data_timestamp))",
        ),
        ("DROP TABLE open_interest_data", "ALTER TABLE elsewhere RENAME TO open_interest_data"),
    ),
    Fault(
        "indexes",
        "The index broken_off of strategy_templates is invalid: making it was broken off.",
        (
            "INSERT INTO strategy_templates (name, category, config_json)"
            " VALUES ('a', 'x', '{}'), ('b', 'x', '{}')",
            "CREATE UNIQUE INDEX CONCURRENTLY broken_off ON strategy_templates (category)",
        ),
        ("DELETE FROM strategy_templates WHERE name = 'b'", "REINDEX INDEX broken_off"),
    ),
    Fault(
        "time zone",
        "speak Asia/Tokyo: a time that a program sends without an offset is stored as if it were of there.",
        (_ZONE.replace("ZONE", "Asia/Tokyo"),),
        (_ZONE.replace("ZONE", "UTC"),),
    ),
)


def test_each_fault_is_found_and_nothing_else(migrated: Database) -> None:
    healthy = found(migrated)
    assert {one.level for each in healthy.values() for one in each} <= {"note"}
    assert ("version" in healthy) == (
        migrated.capabilities.has("compression") and not migrated.capabilities.has("direct_compress")
    )
    for fault in FAULTS:
        _run(migrated, fault.make, broken_off=True)
        ill = found(migrated)
        assert {name: each for name, each in ill.items() if name not in healthy}.keys() == {fault.check}, (
            fault
        )
        (finding,) = ill[fault.check]
        assert finding.level == "wrong"
        assert fault.said in finding.said
        assert finding.fix
        _run(migrated, fault.mend)
        assert found(migrated) == healthy, fault.check
    assert set(CHECKS) >= set(healthy)


def test_a_clock_that_is_wrong_and_a_server_that_is_full(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) - timedelta(minutes=2)

    with monkeypatch.context() as turned:
        turned.setattr(soundness, "datetime", Late)
        (clock,) = found(migrated)["clock"]
    assert "120 s ahead of this machine's" in clock.said
    assert "clock" not in found(migrated)
    if not migrated.capabilities.has("many_sessions"):
        return
    wide = replace(migrated, options=ConnectionOptions(pool_size=5_000))
    (pool,) = found(wide)["connections"]
    assert (pool.level, "5000 + 20 connections is more than" in pool.said) == ("note", True)
    with migrated.connect() as connection:
        row = connection.execute("SELECT current_setting('max_connections')::int").fetchone()
        assert row is not None
        monkeypatch.setattr(soundness, "_FULL", 2 / row[0])
        (full,) = found(migrated)["connections"]
    assert (full.level, "connections are taken" in full.said) == ("wrong", True)


def test_jobs_of_ours_that_failed_are_told_until_they_went_well(migrated: Database) -> None:
    with migrated.connect(autocommit=True) as connection:
        record.prepare(connection)
        record.ran(connection, "retention", 1.0, "The archive X is full.")
        record.ran(connection, "retention", 1.0, "The archive X is full.")
    (ill,) = found(migrated)["jobs"]
    assert ill.said == "The job retention failed 2 times since it went well: The archive X is full."
    with migrated.connect(autocommit=True) as connection:
        record.ran(connection, "retention", 1.0)
    assert "jobs" not in found(migrated)


def test_an_archive_that_is_gone_or_is_another(aged: Aged, tmp_path: Any) -> None:
    keep = Lifecycle(LIFECYCLE.compress_after, KEEP)
    (unnamed,) = found(aged.database, keep)["retention"]
    assert unnamed.said.startswith("An age of retention is set and no archive")
    list(retention.run(aged.database, retention.plan(aged.database, KEEP), aged.place, Silent()))
    assert not {"archive", "retention"} & found(aged.database, keep, aged.place).keys()
    (forgotten,) = found(aged.database)["archive"]
    assert (forgotten.level, str(aged.root) in forgotten.said) == ("note", True)
    aged.root.rename(tmp_path / "elsewhere")
    (gone,) = found(aged.database, keep, aged.place)["archive"]
    assert gone.level == "wrong"
    assert f"The archive {aged.root} is gone" in gone.said
    aged.root.mkdir()
    aged.ask("DROP SCHEMA trdinger_upkeep CASCADE")


@pytest.fixture
def kept(aged: Aged) -> Iterator[Aged]:
    """Candles and their aggregates, refreshed."""
    if reason := aged.database.capabilities.reason("continuous_aggregates"):
        pytest.skip(reason)
    aged.ask("DELETE FROM ohlcv_data WHERE timestamp > '2024-05-01' OR timestamp < '2024-03-25'")
    with aged.database.connect(autocommit=True) as connection:
        aggregates.create(connection)
        assert list(aggregates.refresh(connection))
    yield aged
    with aged.database.connect(autocommit=True) as connection:
        aggregates.drop(connection)


def test_bars_that_no_refresh_reaches_are_stale(kept: Aged) -> None:
    assert "aggregates" not in found(kept.database)
    kept.ask("UPDATE ohlcv_data SET high = 1e9 WHERE timestamp = '2024-04-01'")
    (stale,) = found(kept.database)["aggregates"]
    assert stale.level == "wrong"
    assert "Bars between 2024-04-01 00:00 and 2024-04-01" in stale.said
    assert stale.fix.startswith("trdinger db refresh --from 2024-04-01T00:00:00")
    with kept.database.connect(autocommit=True) as connection:
        list(aggregates.refresh(connection, datetime.fromisoformat("2024-04-01T00:00:00+00:00")))
    assert "aggregates" not in found(kept.database)


def test_a_retention_without_an_archive_and_inside_a_refresh_is_told(kept: Aged) -> None:
    with kept.database.connect() as connection:
        wanted = policies.wanted(connection, LIFECYCLE)
        assert {one.state for one in wanted} == {"missing"}
        assert len(policies.apply(connection, wanted)) == 10
        assert {one.state for one in policies.wanted(connection, LIFECYCLE)} == {"set"}
        assert policies.apply(connection, policies.wanted(connection, LIFECYCLE)) == []
        other = Lifecycle({**LIFECYCLE.compress_after, OHLCV.table: None}, {}, timedelta(days=60))
        states = {one.relation: one.state for one in policies.wanted(connection, other)}
        assert (states[OHLCV.table], states["candles_1d"]) == ("unwanted", "other")
        policies.apply(connection, policies.wanted(connection, other))
        assert {one.state for one in policies.wanted(connection, other)} == {"set"}
    kept.ask("SELECT add_retention_policy('ohlcv_data', drop_after => interval '50 days')")
    keep = Lifecycle(LIFECYCLE.compress_after, {OHLCV.table: timedelta(days=40)})
    bare, reach = found(kept.database, keep, kept.place)["retention"]
    assert (
        "drops chunks of ohlcv_data after 50 days without an archive, while refreshes still reach"
        in bare.said
    )
    assert "remove_retention_policy('ohlcv_data')" in bare.fix
    assert "Candles are kept for 40 days and a refresh reaches 60 days back" in reach.said
    if kept.database.capabilities.has("jobs"):
        assert "not as declared" in found(kept.database)["policies"][0].said.lower()
        kept.ask("SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs"
                 " WHERE proc_name = 'policy_retention'")  # fmt: skip
        assert any("is paused" in one.said for one in found(kept.database)["jobs"])
    kept.ask("SELECT remove_retention_policy('ohlcv_data')")
    kept.ask("SELECT count(delete_job(job_id)) FROM timescaledb_information.jobs WHERE job_id >= 1000")
    assert "retention" not in found(kept.database, keep, kept.place)


def _run(database: Database, statements: tuple[str, ...], *, broken_off: bool = False) -> None:
    """Each statement; the last may fail of a unique index, which is the fault that is meant."""
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        for statement in statements:
            try:
                connection.execute(statement.encode())
            except psycopg.errors.UniqueViolation:
                assert broken_off
