"""The way back: the backup is in its place, what was there is kept, and no moment of a kill loses either."""

from __future__ import annotations

import hashlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from trdinger.errors import SourceError, UsageError
from trdinger.export.rollback import plan, roll_back
from trdinger.legacy.backup import back_up
from trdinger.legacy.source import Source


@pytest.fixture
def application(source: Path) -> Path:
    """The application's file, changed since it was backed up into its work folder."""
    path = source.rename(source.with_name("trdinger.db"))
    back_up(Source(path), path.with_name("trdinger-move"))
    change(path)
    return path


def change(path: Path) -> None:
    """Write as the application does."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("DELETE FROM ohlcv_data WHERE id % 2 = 0")
        file.commit()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def backup_of(path: Path) -> Path:
    (found,) = path.with_name(f"{path.stem}-move").glob("*.db")
    return found


def test_the_backup_is_in_its_place_and_what_was_there_is_kept(application: Path) -> None:
    before = sha256(application)
    application.chmod(0o640)
    planned = plan(application)
    copied: list[int] = []
    roll_back(planned, tell=copied.append)
    assert application.read_bytes() == backup_of(application).read_bytes()
    assert sum(copied) == application.stat().st_size
    assert application.stat().st_mode & 0o777 == 0o640
    assert planned.kept is not None
    assert planned.kept.name.startswith("trdinger-replaced-20")
    assert sha256(planned.kept) == before
    assert {one.name for one in application.parent.iterdir()} == {
        *(application.name, planned.kept.name, "trdinger-move")
    }


def test_a_plan_changes_nothing(application: Path) -> None:
    before = {one: one.stat() for one in application.parent.rglob("*")}
    told = plan(application).as_json(writes=False)
    assert told["writes"] is False
    assert told["backup"]["sha256"] == sha256(backup_of(application))
    assert {one: one.stat() for one in application.parent.rglob("*")} == before


def test_once_it_is_done_the_same_command_does_nothing(application: Path) -> None:
    roll_back(plan(application))
    names = {one.name for one in application.parent.iterdir()}
    again = plan(application)
    assert again.done
    roll_back(again)
    assert {one.name for one in application.parent.iterdir()} == names


def test_a_wal_goes_with_the_file_that_it_belongs_to(application: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(application)) as file:
        file.execute("PRAGMA journal_mode = wal")
        file.execute("DELETE FROM funding_rate_data")
        file.commit()
        left = tmp_path / "left"
        left.mkdir()
        for one in application.parent.glob("trdinger.db*"):  # as a crash leaves it
            shutil.copy(one, left / one.name)
    for one in left.iterdir():
        shutil.copy(one, application.parent)
    planned = plan(application)
    assert "-wal" in planned.beside
    roll_back(planned)
    assert list(application.parent.glob("trdinger.db-*")) == []
    assert planned.kept is not None
    for path, rows in ((application, True), (planned.kept, False)):
        with closing(sqlite3.connect(path)) as file:
            (count,) = file.execute("SELECT count(*) FROM funding_rate_data").fetchone()
            assert bool(count) is rows


def test_where_there_is_no_file_any_more_nothing_needs_keeping(application: Path) -> None:
    application.unlink()
    planned = plan(application)
    assert planned.kept is None
    roll_back(planned)
    assert sha256(application) == sha256(backup_of(application))


def test_the_file_may_be_damaged_beyond_opening(application: Path) -> None:
    application.write_bytes(b"no database")
    planned = plan(application)
    roll_back(planned)
    assert planned.kept is not None
    assert planned.kept.read_bytes() == b"no database"
    assert sha256(application) == sha256(backup_of(application))


def test_a_link_stays_a_link(application: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "current.db"
    link.parent.mkdir()
    link.symlink_to(application)
    roll_back(plan(link))
    assert link.is_symlink()
    assert sha256(application) == sha256(backup_of(application))


def test_the_newest_backup_is_taken_unless_another_is_named(application: Path) -> None:
    first = backup_of(application)
    second = back_up(Source(application), first.parent).path.rename(
        first.parent / "trdinger-29990101T000000Z.db"
    )
    shutil.copy(first.with_name(f"{first.name}.sha256"), second.with_name(f"{second.name}.sha256"))
    second.with_name(f"{second.name}.sha256").write_text(f"{sha256(second)}  {second.name}\n")
    newest = plan(application)
    assert newest.backup.path == second
    assert newest.older[-1] == first
    named = plan(application, backup=first)
    assert (named.backup.path, named.older) == (first, ())
    assert plan(application, workdir=first.parent).backup.path == second


def test_a_changed_backup_and_a_missing_one_are_told(application: Path) -> None:
    backup = backup_of(application)
    before = application.read_bytes()
    with backup.open("r+b") as file:
        file.seek(5000)
        file.write(b"x")
    with pytest.raises(SourceError, match="was changed since it was made"):
        plan(application)
    backup.with_name(f"{backup.name}.sha256").write_text("nonsense")
    with pytest.raises(SourceError, match="holds no SHA-256"):
        plan(application)
    backup.with_name(f"{backup.name}.sha256").unlink()
    with pytest.raises(SourceError, match=r"holds no backup of trdinger\.db.*--workdir"):
        plan(application)
    with pytest.raises(SourceError, match="SHA-256 beside it"):
        plan(application, backup=backup)
    with pytest.raises(UsageError, match="is a folder"):
        plan(application.parent)
    with pytest.raises(UsageError, match="There is no folder"):
        plan(application.parent / "nowhere" / "trdinger.db")
    assert application.read_bytes() == before


@pytest.mark.parametrize("kind", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_file_that_a_program_writes_to_is_not_touched(
    application: Path, locked_source: Callable[..., Callable[[], None]], kind: str
) -> None:
    planned = plan(application)
    before = sha256(application)
    release = locked_source(application, kind)
    with pytest.raises(SourceError, match="is locked by a program that writes to it"):
        roll_back(planned)
    assert sha256(application) == before
    release()
    roll_back(planned)
    assert sha256(application) == planned.backup.sha256


_HELD = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.execute(sys.argv[2]).fetchall()
file.execute("SELECT count(*) FROM ohlcv_data").fetchall()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="only Linux tells which process has a file open"
)
@pytest.mark.parametrize("pragma", ["PRAGMA user_version", "PRAGMA journal_mode = wal"])
def test_a_file_that_a_program_only_has_open_is_not_touched(application: Path, pragma: str) -> None:
    planned = plan(application)
    program = subprocess.Popen(
        [sys.executable, "-c", _HELD, str(application), pragma], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == b"open\n"
        before = sha256(application)
        with pytest.raises(SourceError, match=rf"process {program.pid}|is locked by a program"):
            roll_back(planned)
        assert sha256(application) == before
    finally:
        program.communicate()
    assert not plan(application).done
    roll_back(plan(application))
    assert plan(application).done


def test_a_disk_without_room_changes_nothing(
    application: Path, tmp_path: Path, full_disk: Callable[..., Path]
) -> None:
    disk = full_disk((16 << 20) + 4096)
    path = Path(shutil.copy(application, disk / "trdinger.db"))
    before = sha256(path)
    with pytest.raises(SourceError, match=r"The backup takes .* Nothing was changed"):
        roll_back(plan(path, backup=backup_of(application)))
    assert sha256(path) == before
    assert [one.name for one in disk.iterdir()] == ["trdinger.db"]


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
calls = int(sys.argv[2])
def dying(function):
    def called(*args, **named):
        global calls
        if calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        calls -= 1
        return function(*args, **named)
    return called
from trdinger.export import rollback
planned = rollback.plan(Path(sys.argv[1]))
for name in ("hardlink_to", "unlink", "replace", "open"):
    setattr(Path, name, dying(getattr(Path, name)))
os.fsync = dying(os.fsync)
rollback.roll_back(planned)
"""


def test_killed_before_any_of_its_steps_the_same_command_finishes(application: Path, tmp_path: Path) -> None:
    """A WAL beside it, so that every step is taken; each try begins from the same files."""
    wal = application.with_name("trdinger.db-wal")
    wal.write_bytes(b"what was not yet in the file")
    before = sha256(application)
    died = 0
    for step in range(40):
        place = tmp_path / f"step{step}"
        shutil.copytree(application.parent, place / "app", ignore=shutil.ignore_patterns("step*"))
        path = place / "app" / application.name
        ended = subprocess.run([sys.executable, "-c", _KILLED, str(path), str(step), *sys.path], check=False)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        died += 1
        roll_back(plan(path))
        assert sha256(path) == sha256(backup_of(path))
        assert not path.with_name("trdinger.db-wal").exists()
        (kept,) = path.parent.glob("trdinger-replaced-*.db")
        assert sha256(kept) == before
        assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"what was not yet in the file"
        assert {one.name for one in path.parent.iterdir()} == {
            *(path.name, kept.name, f"{kept.name}-wal", "trdinger-move")
        }
        shutil.rmtree(place)
    assert died >= 8
    assert wal.exists()
