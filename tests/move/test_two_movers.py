"""Two movers at once: the second is told before it does anything, and nothing is ever there twice."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from move.mover import command
from move.moving import Heard, move
from move.oracle import count_equal_cells
from trdinger.engine.connect import Database
from trdinger.errors import EngineBusy
from trdinger.move.plan import Existing

SECONDS = 120


@pytest.mark.many
def test_the_second_is_told_who_is_at_work_before_it_backs_up(database: Database, source: Path) -> None:
    first = subprocess.Popen(
        command(source, database, at=["Copy", 1_500], signal=signal.SIGSTOP),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _until_stopped(first.pid)
        backups = list(source.with_name("trdinger-move").iterdir())
        for existing in (Existing.REFUSE, Existing.REPLACE):
            heard = Heard()
            with pytest.raises(EngineBusy, match=f"under way, by process {first.pid} on ") as busy:
                move(source, database, heard=heard, existing=existing)
            assert busy.value.hint == "Wait for its end, or end it; then run the same command again."
            assert heard.stages == []
        assert list(source.with_name("trdinger-move").iterdir()) == backups
        first.send_signal(signal.SIGCONT)
        printed, _ = first.communicate(timeout=SECONDS)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 0, printed
    assert count_equal_cells(source, database)


@pytest.mark.parametrize("existing", ["refuse", pytest.param("replace", marks=pytest.mark.many)])
def test_two_that_begin_together_move_everything_once(
    database: Database, source: Path, existing: str
) -> None:
    """Whoever comes second stops with a sentence, or finds the work done; another run then ends it."""
    both = [
        subprocess.Popen(
            command(source, database, existing=existing),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [one.communicate(timeout=SECONDS)[0] for one in both]
    codes = [one.returncode for one in both]
    assert 0 in codes, printed
    assert set(codes) <= {0, 5}, printed
    assert not any("Traceback" in text for text in printed), printed
    assert move(source, database).equal
    assert count_equal_cells(source, database)
    for backup in source.with_name("trdinger-move").glob("*.db"):
        assert count_equal_cells(backup, database), "no backup was written by two"


def _until_stopped(pid: int) -> None:
    for _ in range(SECONDS * 20):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists():
            pytest.skip("states of processes are read from /proc, which is not here")
        if state.read_text().rpartition(") ")[2].startswith("T"):
            return
        time.sleep(0.05)
    pytest.fail("the first mover did not come to its copy")
