"""Old rows leave the database only for the archive: whatever happens, none is in neither."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from schema.conftest import upgrade
from trdinger.archive import manifest
from trdinger.archive.archive import Archive, Verified
from trdinger.archive.place import Local, place
from trdinger.declaration import FUNDING_RATE, LIFECYCLE, OHLCV, Lifecycle
from trdinger.engine.connect import Database
from trdinger.errors import ArchiveError, EngineBusy, UsageError
from trdinger.progress import Silent
from trdinger.upkeep import restoring, retention, retiring
from upkeep.conftest import KEEP, OLD, SYMBOLS, Aged, fill


def retained(aged: Aged) -> list[retention.Planned]:
    return list(retention.run(aged.database, retention.plan(aged.database, KEEP), aged.place, Silent()))


def archived(aged: Aged) -> int:
    *_, found = Archive(aged.place).verify()
    assert isinstance(found, Verified)
    assert not found.wrong
    return found.rows


def restored(aged: Aged) -> int:
    archive = Archive(aged.place)
    files = restoring.choose(archive, [OHLCV.table, FUNDING_RATE.table])
    return sum(one.new for one in restoring.restore(aged.database, archive, files, Silent()))


def test_old_chunks_go_and_come_back_as_they_were(aged: Aged) -> None:
    before = {table: aged.rows(table) for table in (OHLCV.table, FUNDING_RATE.table)}
    planned = retention.plan(aged.database, KEEP)
    assert {one.piece.series.table for one in planned} == {OHLCV.table, FUNDING_RATE.table}
    assert sum(one.rows for one in planned) == 722
    assert {table: aged.rows(table) for table in before} == before, "a plan writes nothing"
    assert not aged.root.exists()
    assert retained(aged) == planned
    assert archived(aged) == 722
    assert aged.ask("SELECT count(*), min(timestamp) > now() - interval '10 days' FROM ohlcv_data") == [
        (42, True)
    ]
    assert retention.plan(aged.database, KEEP) == []
    assert restored(aged) == 722
    assert {table: aged.rows(table) for table in before} == before
    assert restored(aged) == 0
    retained(aged)
    assert archived(aged) == 722
    assert aged.ask("SELECT count(*) FROM funding_rate_data") == [(0,)]


def test_without_an_age_nothing_goes(aged: Aged) -> None:
    assert not any(LIFECYCLE.keep.values())
    assert retention.plan(aged.database, LIFECYCLE.keep) == []
    with pytest.raises(UsageError, match="would take the aggregates' bars away") as refused:
        Lifecycle({}, {OHLCV.table: timedelta(days=36)})
    assert "37 days" in str(refused.value)
    assert Lifecycle({}, {OHLCV.table: timedelta(days=37)})


def test_late_rows_of_a_range_that_went_join_it_and_newer_values_hold(aged: Aged) -> None:
    retained(aged)
    insert = "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
    values = f"VALUES ('{SYMBOLS[0]}', '1h', '{OLD.isoformat()}'::timestamptz + %s, 7, 8, 6, 7.5, 1)"
    aged.ask(f"{insert} {values}", timedelta(hours=0))
    aged.ask(f"{insert} {values}", timedelta(hours=1))
    retained(aged)
    assert archived(aged) == 723
    first = Archive(aged.place).rows(OHLCV, (SYMBOLS[0], "1h")).slice(0, 3)
    assert first.column("open").to_pylist() == [7.0, 7.0, 7.1]


def test_killed_at_any_step_no_row_is_in_neither(aged: Aged) -> None:
    """SIGKILL before and after writes of the manifest: the drop lies between two of them."""
    before = aged.rows(OHLCV.table) | aged.rows(FUNDING_RATE.table)
    step = 0
    while _killed(aged, step):
        if (aged.root / "manifest.json").exists():
            restored(aged)
        both = aged.rows(OHLCV.table) | aged.rows(FUNDING_RATE.table)
        assert both == before, f"killed at step {step}: {len(before - both)} rows are gone"
        step += 3
    assert step > 10
    assert archived(aged) == 722
    assert restored(aged) == 722


def _killed(aged: Aged, step: int) -> bool:
    """Run retention in a process that is killed at that step; whether it came to that."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == signal.SIGKILL
    steps = iter(range(step + 1))

    class Deadly(Local):
        def write(self, name: str, data: bytes) -> None:
            if name == manifest.NAME:
                _tick(steps)
            super().write(name, data)
            if name == manifest.NAME:
                _tick(steps)

    try:
        planned = retention.plan(aged.database, KEEP)
        list(retention.run(aged.database, planned, Deadly(aged.root), Silent()))
    finally:
        os._exit(0)


def _tick(steps: Any) -> None:
    if next(steps, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_row_that_is_written_between_archive_and_drop_is_not_lost(
    aged: Aged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once between the writing and the lock: the chunk is archived anew. Always: it is left alone."""
    before = len(aged.rows(OHLCV.table) | aged.rows(FUNDING_RATE.table))
    changes = [
        f"UPDATE ohlcv_data SET open = 99 WHERE symbol = '{SYMBOLS[0]}' AND timestamp = '{OLD.isoformat()}'",
        f"DELETE FROM ohlcv_data WHERE symbol = '{SYMBOLS[1]}'"
        f" AND timestamp < '{OLD.isoformat()}'::timestamptz + interval '2 hours'",
    ]
    drop = retiring._drop

    def meanwhile(reading: Any, *given: Any) -> bool:
        if changes:
            _beside(aged.database, reading, changes.pop())
        return drop(reading, *given)

    monkeypatch.setattr(retiring, "_drop", meanwhile)
    retained(aged)
    archive = Archive(aged.place)
    assert archived(aged) == 722 - 1, "a row that was deleted before the drop is not brought back"
    assert archive.rows(OHLCV, (SYMBOLS[0], "1h")).column("open")[0].as_py() == 99.0
    assert restored(aged) == 721
    assert len(aged.rows(OHLCV.table) | aged.rows(FUNDING_RATE.table)) == before - 1
    changes += [f"UPDATE ohlcv_data SET open = {n} WHERE timestamp < '2024-03-01'" for n in range(9)]
    with pytest.raises(EngineBusy, match="is being written to; nothing was dropped"):
        retained(aged)
    assert len(aged.rows(OHLCV.table)) == before - 21


def _beside(database: Database, reading: Any, statement: str) -> None:
    """As another program would: over a connection of its own, where there can be one."""
    if not database.capabilities.has("many_sessions"):
        reading.run(statement)
        return
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.mark.many
def test_a_writer_that_waits_for_the_drop_loses_nothing(aged: Aged, monkeypatch: pytest.MonkeyPatch) -> None:
    if not aged.database.capabilities.has("many_sessions"):
        pytest.skip(aged.database.capabilities.reason("many_sessions"))
    outcome: list[object] = []

    def late() -> None:
        try:
            aged.ask(
                "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
                " VALUES ('LATE', '1h', '2024-02-01', 1, 2, 1, 2, 3)"
            )
            outcome.append("stored")
        except psycopg.Error as error:
            outcome.append(error)

    writer = threading.Thread(target=late)
    dropping = retiring._dropping

    def slowly(*given: Any) -> tuple[str, int]:
        if not writer.ident:
            writer.start()
            while not aged.ask("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                time.sleep(0.01)
        return dropping(*given)

    monkeypatch.setattr(retiring, "_dropping", slowly)
    retained(aged)
    writer.join()
    stored = aged.ask("SELECT count(*) FROM ohlcv_data WHERE symbol = 'LATE'")[0][0]
    assert stored == (1 if outcome == ["stored"] else 0), outcome
    assert archived(aged) == 722


def test_an_archive_that_fails_leaves_the_chunk(aged: Aged, full_disk: Callable[..., Any]) -> None:
    before = aged.rows(OHLCV.table)
    root = full_disk(1 << 16)
    planned = retention.plan(aged.database, KEEP)
    (root / "filler").write_bytes(bytes((1 << 16) - (1 << 13)))
    with pytest.raises(ArchiveError):
        list(retention.run(aged.database, planned, place(str(root)), Silent()))
    assert aged.rows(OHLCV.table) == before
    retained(aged)
    one = next(iter(aged.root.rglob("*.parquet")))
    one.write_bytes(one.read_bytes()[:-1])
    with pytest.raises(ArchiveError, match="was changed"):
        restored(aged)


def test_times_that_no_calendar_has_stay_where_they_are(aged: Aged) -> None:
    aged.ask(
        "INSERT INTO open_interest_data (symbol, open_interest_value, data_timestamp, timestamp)"
        " VALUES ('X', 1, '0044-03-15 BC', now()), ('X', 2, '2023-03-15', now())"
    )
    retained(aged)
    assert aged.ask("SELECT open_interest_value FROM open_interest_data") == [(1.0,)]
    assert archived(aged) == 723


@pytest.mark.many
def test_a_plain_table_gives_its_ranges_as_chunks(plain_database: Database, tmp_path: Path) -> None:
    upgrade(plain_database, "0001")  # the tables, before they become hypertables
    aged = Aged(plain_database.fresh(), place(str(tmp_path / "archive")), tmp_path / "archive")
    fill(aged)
    before = aged.rows(OHLCV.table) | aged.rows(FUNDING_RATE.table)
    done = retained(aged)
    assert not any(one.piece.chunk for one in done)
    assert sum(one.rows for one in done) == archived(aged) == 722
    assert len(aged.rows(OHLCV.table)) == 42
    assert restored(aged) == 722
    assert aged.rows(OHLCV.table) | aged.rows(FUNDING_RATE.table) == before
