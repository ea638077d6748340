"""What is due is done: chunks are compressed, aggregates refreshed, old chunks archived; and it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from trdinger.declaration import LIFECYCLE, OHLCV, SERIES, Lifecycle
from trdinger.engine.connect import Database
from trdinger.errors import UsageError
from trdinger.progress import Silent
from trdinger.schema import aggregates
from trdinger.upkeep import compression, jobs, policies
from upkeep.conftest import KEEP, Aged


def ran(aged: Aged, lifecycle: Lifecycle = LIFECYCLE, *, archive: bool = False) -> dict[str, jobs.Ran]:
    found = jobs.run(aged.database, lifecycle, aged.place if archive else None, Silent())
    return {one.job: one for one in found}


def listed(database: Database) -> dict[str, dict[str, Any]]:
    with database.connect(autocommit=True) as connection:
        return {one["job"]: one for one in jobs.listed(database, connection)}


def test_what_is_due_is_done_in_its_order_and_told(aged: Aged) -> None:
    community = aged.database.capabilities.has("continuous_aggregates")
    if community:
        aged.ask("SELECT decompress_chunk(c, true) FROM show_chunks('ohlcv_data') c")
        aged.ask("DELETE FROM ohlcv_data WHERE timestamp > '2024-05-01' OR timestamp < '2024-03-25'")
        with aged.database.connect(autocommit=True) as connection:
            aggregates.create(connection)
    done = ran(aged)
    assert list(done) == ["compression", "refresh", "retention"]
    if community:
        assert done["compression"].said == "Chunks compressed: 3."
        assert done["refresh"].said == "Aggregates refreshed: 0.", "nothing is within the window"
        with aged.database.connect(autocommit=True) as connection:
            aggregates.drop(connection)
        assert ran(aged)["compression"].said == "Chunks compressed: 0."
    else:
        assert all(
            "need TimescaleDB's Community edition" in done[job].said for job in ("compression", "refresh")
        )
    assert done["retention"].left
    assert done["retention"].said == "Every table is kept for ever."
    keep = Lifecycle(LIFECYCLE.compress_after, KEEP)
    failed = ran(aged, keep)["retention"]
    assert isinstance(failed.error, UsageError)
    assert "are past their age and no archive is named; they stay" in failed.said
    told = listed(aged.database)["retention"]
    assert (told["by"], told["failures"], told["last_success"]) == ("trdinger", 1, None)
    assert "Set TRDINGER_ARCHIVE" in told["error"]
    archived = ran(aged, keep, archive=True)["retention"]
    assert archived.error is None
    assert f"rows went into {aged.root}" in archived.said
    assert listed(aged.database)["retention"]["error"] is None
    assert ran(aged, keep, archive=True)["retention"].said == "Nothing is past the age that it is kept for."
    aged.ask("DROP SCHEMA trdinger_upkeep CASCADE")


def test_chunks_past_their_age_are_compressed_and_those_with_loose_rows_again(aged: Aged) -> None:
    if reason := aged.database.capabilities.reason("compression"):
        pytest.skip(reason)
    before = aged.rows(OHLCV.table)
    aged.ask(
        "SELECT decompress_chunk(c, true) FROM show_chunks('ohlcv_data', older_than => date '2024-03-19') c"
    )
    ages: dict[str, timedelta | None] = {**dict.fromkeys(SERIES), OHLCV.table: timedelta(days=400)}
    with aged.database.connect(autocommit=True) as connection:
        assert compression.due(connection, dict.fromkeys(SERIES)) == []
        (due,) = compression.due(connection, ages)
        assert due.after is None
        (done,) = compression.compress(connection, [due])
        assert done.before > 0
        assert done.after
        assert compression.due(connection, ages) == []
        connection.execute(
            "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
            " VALUES ('LATE', '1h', '2024-04-01', 1, 2, 1, 2, 3)"
        )
        (loose,) = compression.due(connection, ages)
        assert loose.piece.compressed
        list(compression.compress(connection, [loose]))
        assert compression.due(connection, ages) == []
    assert before < aged.rows(OHLCV.table)


def test_what_the_server_s_scheduler_does_is_left_to_it_while_it_does_it(aged: Aged) -> None:
    if reason := aged.database.capabilities.reason("jobs"):
        pytest.skip(reason)
    with aged.database.connect() as connection:
        policies.apply(connection, policies.wanted(connection, LIFECYCLE))
    aged.ask(
        "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE job_id >= 1000"
    )
    done = ran(aged)["compression"]
    assert done.said in {"The server's scheduler does it.", "Chunks compressed: 0."}
    assert "compression of ohlcv_data" in listed(aged.database)
    aged.ask("SELECT count(delete_job(job_id)) FROM timescaledb_information.jobs WHERE job_id >= 1000")
    aged.ask("DROP SCHEMA trdinger_upkeep CASCADE")
