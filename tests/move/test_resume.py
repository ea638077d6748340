"""A move that is killed, cut off or interrupted goes on where it was: each row is there exactly once."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from faults.kill_at import Killed
from faults.proxy import Proxy
from move.mover import command
from move.moving import Heard, move, planned
from move.oracle import count_equal_cells
from trdinger.engine.connect import Database
from trdinger.errors import SourceError, Transient
from trdinger.move.plan import Existing
from trdinger.move.run import migrate

ENDS = [("Back up", 0), ("Check", 1), ("Copy", 1_500), ("Copy", 4_000), ("Finish", 5), ("Verify", 3_000)]


def test_killed_in_every_stage_in_turn_the_same_command_goes_on(database: Database, source: Path) -> None:
    """One target, killed at each moment; what was done stays done."""
    committed = 0
    for stage, done in ENDS:
        ended = _run(command(source, database, at=[stage, done]))
        assert ended.returncode == -signal.SIGKILL, ended.stdout
        assert f"stage {stage}" in ended.stdout
        units = _units(database)
        assert len(units) >= committed, "a unit that was committed is gone"
        if stage == "Copy":
            assert len(units) > committed
        committed = len(units)
    heard = Heard()
    report = move(source, database, heard=heard)
    assert report.equal
    assert report.resumed
    assert heard.sentences[0].startswith("Going on with the move that began on ")
    assert len(_units(database)) == committed
    assert count_equal_cells(source, database)


def test_a_killed_copy_goes_on_by_its_first_units_and_copies_only_the_rest(
    database: Database, source: Path, kill_at: Callable[..., Killed]
) -> None:
    """SIGKILL from outside, at whatever statement it happens to be."""
    killed = kill_at(command(source, database), lambda printed: "\nCopy 2" in printed)
    assert killed.returncode == -signal.SIGKILL
    before = _units(database)
    heard = Heard()
    report = move(source, database, heard=heard)
    assert report.equal
    assert set(before) <= set(_units(database))
    copied = next(stage for stage in report.stages if stage.name == "Copy")
    were = sum(rows for *_, rows in before)
    assert copied.said == [f"{were:,} rows were in already; {sum(report.rows.values()) - were:,} came now."]
    assert count_equal_cells(source, database)


@pytest.mark.many
@pytest.mark.parametrize("after", [20_000, 300_000])
def test_a_line_that_is_cut_in_the_middle_is_said_and_the_move_goes_on(
    database: Database, source: Path, proxy: Callable[[Database], Proxy], after: int
) -> None:
    line = proxy(database)
    plan = planned(source, line.database)
    line.cut_after(after)
    with pytest.raises(Transient) as lost:
        migrate(plan, Heard())
    assert lost.value.hint
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read")]
    report = move(source, database)
    assert report.equal
    assert count_equal_cells(source, database)


@pytest.mark.many
def test_ctrl_c_in_the_check_ends_its_threads_too(database: Database, source: Path) -> None:
    ended = _run(command(source, database, at=["Check", 1], signal=signal.SIGINT))
    assert ended.returncode == 130, ended.stdout + ended.stderr
    assert ended.stdout.endswith("interrupted\n")
    assert "Traceback" not in ended.stderr
    _nobody_holds(database)
    assert move(source, database).equal
    assert count_equal_cells(source, database)


def test_ctrl_c_at_any_moment_of_the_copy_ends_cleanly(
    database: Database, source: Path, kill_at: Callable[..., Killed]
) -> None:
    stopped = kill_at(command(source, database), lambda printed: "\nCopy 1" in printed, signal_=signal.SIGINT)
    assert stopped.returncode == 130, stopped.output
    assert stopped.output.endswith("interrupted\n")
    _nobody_holds(database)
    assert move(source, database).equal
    assert count_equal_cells(source, database)


def test_without_its_backup_a_move_cannot_go_on_and_says_so(database: Database, source: Path) -> None:
    assert _run(command(source, database, at=["Copy", 1])).returncode == -signal.SIGKILL
    (backup,) = source.with_name("trdinger-move").glob("*.db")
    before = _units(database)
    with backup.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff")
    with pytest.raises(SourceError, match=r"The backup .* was changed since") as changed:
        move(source, database)
    backup.unlink()
    with pytest.raises(SourceError, match=r"The backup .* is gone") as gone:
        move(source, database)
    assert all("--existing replace" in (one.value.hint or "") for one in (changed, gone))
    assert _units(database) == before
    assert move(source, database, existing=Existing.REPLACE).equal


def _run(line: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, check=False, capture_output=True, text=True, timeout=120)


def _units(database: Database) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.conninfo) as connection:
        if connection.execute("SELECT to_regclass('trdinger_ledger.unit')").fetchone() == (None,):
            return []
        return connection.execute(
            "SELECT table_name, number, rows FROM trdinger_ledger.unit ORDER BY 1, 2"
        ).fetchall()


def _nobody_holds(database: Database) -> None:
    """The session is gone from the server, its lock with it."""
    for _ in range(200):
        with psycopg.connect(database.conninfo) as connection:
            held = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        if held == (0,):
            return
        time.sleep(0.05)
    pytest.fail("the lock of the move is still held")
