"""A backup is one moment of its source, whole under its name or not there, whatever goes on meanwhile."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from faults.kill_at import Killed
from legacy.conftest import File
from trdinger.errors import SourceError
from trdinger.legacy import backup as room
from trdinger.legacy import source as source_room
from trdinger.legacy.backup import Backup, back_up, digest
from trdinger.legacy.source import Source

# Commits pairs of rows without end: a moment in the middle of one has an odd number.
_WRITER = """
import sqlite3, sys, threading, time
connection = sqlite3.connect(sys.argv[1], timeout=60)
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), done.set()), daemon=True).start()
row = "INSERT INTO strategy_templates (name, config_json) VALUES (?, printf('%.*c', 3000, '1'))"
number = 0
while not done.is_set():
    with connection:
        connection.execute("UPDATE data_collection_log SET records_collected = ?", (number + 1,))
        connection.execute(row, (f"first {number}",))
        connection.execute(row, (f"second {number}",))
    number += 1
    time.sleep(0.003)  # or it would hold the lock nearly all the time
    if number == 5:
        print("writing", flush=True)
connection.close()
print(number)
"""


@contextmanager
def busy_writer(path: Path) -> Iterator[None]:
    """Another process that writes to the file hundreds of times a second."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        yield
    finally:
        said, _ = writer.communicate("\n", timeout=120)
        assert int(said) >= 5


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, by Python's own sqlite3."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY id").fetchall() for name in names}


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 10 pages, so that a sample takes many."""
    monkeypatch.setattr(room, "_STEP_PAGES", 10)


def test_a_backup_is_the_source_row_by_row(sample: File, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "new folder"
    told: list[int] = []
    copied: list[int] = []
    backup = back_up(sample.source, folder, tell=told.append, summing=lambda _size: copied.extend(told))
    assert rows(backup.path) == rows(sample.path)
    assert re.fullmatch(r"sample-\d{8}T\d{6}Z\.db", backup.path.name)
    assert sum(copied) == backup.bytes == backup.path.stat().st_size
    assert sum(told) == 2 * backup.bytes  # read again for the SHA-256
    assert min(told) > 0
    backup.verify()


def test_its_sha_256_is_right_and_lies_beside_it(sample: File, tmp_path: Path) -> None:
    backup = back_up(sample.source, tmp_path / "copies")
    expected = hashlib.sha256(backup.path.read_bytes()).hexdigest()
    assert backup.sha256 == digest(backup.path) == expected
    assert sorted(path.name for path in backup.path.parent.iterdir()) == [
        backup.path.name,
        f"{backup.path.name}.sha256",
    ]
    checked = subprocess.run(
        ["sha256sum", "-c", f"{backup.path.name}.sha256"],
        cwd=backup.path.parent, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert checked.stdout == f"{backup.path.name}: OK\n"


def test_a_changed_or_missing_backup_is_told(sample: File, tmp_path: Path) -> None:
    backup = back_up(sample.source, tmp_path / "copies")
    with backup.path.open("rb+") as copy:
        copy.seek(5_000)
        byte = copy.read(1)
        copy.seek(5_000)
        copy.write(bytes([byte[0] ^ 1]))
    with pytest.raises(SourceError, match=r"was changed since it was made\. Put the unchanged file back"):
        backup.verify()
    backup.path.unlink()
    with pytest.raises(SourceError, match="is gone"):
        backup.verify()
    backup.path.mkdir()
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        backup.verify()


def test_backups_of_the_same_second_are_all_kept(sample: File, tmp_path: Path) -> None:
    made = []
    for number in range(4):
        sample.run("INSERT INTO strategy_templates (name, config_json) VALUES (?, '{}')", (f"n {number}",))
        made.append(back_up(sample.source, tmp_path / "copies"))
    assert len({backup.path for backup in made}) == 4
    for number, backup in enumerate(made):
        backup.verify()
        assert len(rows(backup.path)["strategy_templates"]) == 3 + number


def test_backups_at_the_same_time_never_share_a_file(sample: File, tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda _: back_up(sample.source, tmp_path / "copies"), range(12)))
    assert len({backup.path for backup in made}) == 12
    for backup in made:
        backup.verify()
        assert rows(backup.path) == rows(sample.path)
    assert not list((tmp_path / "copies").glob("*.part"))


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_backup_under_a_busy_writer_is_one_moment(
    sample: File, tmp_path: Path, mode: str, small_steps: None
) -> None:
    sample.run(f"PRAGMA journal_mode = {mode}")
    with busy_writer(sample.path):
        made = [back_up(sample.source, tmp_path / "copies") for _ in range(3)]
    for backup in made:
        backup.verify()
        with closing(sqlite3.connect(backup.path)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            firsts, seconds, changes = copy.execute(
                "SELECT sum(name LIKE 'first %'), sum(name LIKE 'second %'),"
                " (SELECT max(records_collected) FROM data_collection_log)"
                " FROM strategy_templates"
            ).fetchone()
            assert firsts == seconds == changes >= 5


def write_between_steps(monkeypatch: pytest.MonkeyPatch, path: Path, statement: str) -> list[int]:
    """A writer that changes the file between any two steps of a copy; each change is noted."""
    changes: list[int] = []
    whole = room._Steps.__call__

    def call(steps: Any, status: int, remaining: int, total: int) -> None:
        whole(steps, status, remaining, total)
        if remaining:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(statement)
            changes.append(remaining)

    monkeypatch.setattr(room._Steps, "__call__", call)
    return changes


CHANGES = [
    "UPDATE ohlcv_data SET volume = volume + 1 WHERE id = 1",
    "INSERT INTO data_collection_log (symbol, timeframe, start_time, end_time, status, error_message)"
    " VALUES ('x', 'x', 'x', 'x', 'x', printf('%.*c', 9000, 'x'))",
]


@pytest.mark.parametrize("statement", CHANGES, ids=["in place", "growing"])
def test_a_writer_that_never_rests_is_copied_in_one_step(
    sample: File, tmp_path: Path, statement: str, small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = write_between_steps(monkeypatch, sample.path, statement)
    backup = back_up(sample.source, tmp_path / "copies")
    assert len(changes) == room._RESTARTS
    assert rows(backup.path) == rows(sample.path)


def test_a_writer_that_never_rests_is_not_locked_out_for_long(
    sample: File, tmp_path: Path, small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would give up after five seconds and lose the row; a WAL locks nobody out."""
    monkeypatch.setattr(room, "_LONGEST_LOCK", 0.0)
    write_between_steps(monkeypatch, sample.path, CHANGES[0])
    with pytest.raises(SourceError, match=r"is written to all the time\..*Stop that program while"):
        back_up(sample.source, tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == []
    sample.run("PRAGMA journal_mode = wal")
    backup = back_up(sample.source, tmp_path / "copies")
    assert len(rows(backup.path)["ohlcv_data"]) == 4_000


def test_a_lock_in_the_middle_of_a_copy_is_told(
    sample: File,
    tmp_path: Path,
    small_steps: None,
    locked_source: Callable[..., Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source_room, "LOCK_WAIT", 0.2)
    locks: list[Callable[[], None]] = []

    def lock_once(_: int) -> None:
        if not locks:
            locks.append(locked_source(sample.path))

    with pytest.raises(SourceError, match="is locked by a program that writes to it"):
        back_up(sample.source, tmp_path / "copies", tell=lock_once)
    assert list((tmp_path / "copies").iterdir()) == []


def test_what_lies_in_a_wal_is_in_the_backup(sample: File, tmp_path: Path) -> None:
    with closing(sqlite3.connect(sample.path)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("INSERT INTO strategy_templates (name, config_json) VALUES ('in the WAL', '{}')")
        writer.commit()
        told: list[int] = []
        copied: list[int] = []
        backup = back_up(
            sample.source,
            tmp_path / "copies",
            tell=told.append,
            summing=lambda _size: copied.extend(told),
        )
        assert sum(copied) == sample.source.bytes
    assert rows(backup.path)["strategy_templates"][-1][1] == "in the WAL"
    assert not list(backup.path.parent.glob("*-wal"))
    backup.verify()


def test_too_little_room_is_told_before_anything_is_written(
    sample: File, full_disk: Callable[..., Path]
) -> None:
    disk = full_disk(8 << 20)
    (disk / "older-20240101T000000Z.part").write_bytes(b"left")
    with pytest.raises(SourceError) as refused:
        back_up(sample.source, disk)
    needed = sample.path.stat().st_size + (16 << 20)
    assert f"needs {needed:,} bytes" in refused.value.message
    assert "Nothing was written" in refused.value.message
    assert "older-20240101T000000Z.part" in str(refused.value.hint)
    assert [path.name for path in disk.iterdir()] == ["older-20240101T000000Z.part"]


@pytest.mark.parametrize("pages", [10, 100_000])
def test_a_disk_that_fills_up_leaves_nothing(
    sample: File, full_disk: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    """Another program took the room that there was."""
    monkeypatch.setattr(room, "_SPARE", -(1 << 40))
    monkeypatch.setattr(room, "_STEP_PAGES", pages)
    disk = full_disk(512 << 10)
    with pytest.raises(SourceError) as refused:
        back_up(sample.source, disk)
    assert refused.value.message.startswith(f"No backup can be written to {disk}")
    assert "full" in refused.value.message
    assert "--workdir" in str(refused.value.hint)
    assert list(disk.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_told(sample: File, full_disk: Callable[..., Path]) -> None:
    (sample.path.parent / "file").touch()
    for below in ("file", "file/folder"):
        with pytest.raises(SourceError, match=r"cannot be made: (File exists|Not a directory)"):
            back_up(sample.source, sample.path.parent / below)
    disk = full_disk(64 << 20)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(SourceError, match=f"No backup can be written to {disk}: Read-only file system"):
        back_up(sample.source, disk)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every folder")
def test_a_folder_without_permission_is_told(sample: File, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(SourceError, match=r"No backup can be written to .*: Permission denied"):
        back_up(sample.source, tmp_path / "closed")


_SLOW_BACKUP = """
import sys, time
from pathlib import Path
from trdinger.legacy import backup
from trdinger.legacy.source import Source

def tell(more):
    print("step", flush=True)
    time.sleep(0.02)

backup._STEP_PAGES = 10
backup.back_up(Source(Path(sys.argv[1])), Path(sys.argv[2]), tell=tell)
time.sleep(60)
"""


def test_killed_half_way_it_leaves_nothing_under_a_backups_name(
    sample: File, tmp_path: Path, kill_at: Callable[..., Killed]
) -> None:
    folder = tmp_path / "copies"
    before = sample.state()
    command = [sys.executable, "-c", _SLOW_BACKUP, str(sample.path), str(folder)]
    kill_at(command, lambda printed: printed.count("step") >= 5)
    assert list(folder.glob("*.db*")) == []
    assert [path.suffix for path in folder.iterdir() if not path.name.endswith("-journal")] == [".part"]
    assert sample.state() == before
    backup = back_up(sample.source, folder)
    backup.verify()
    assert rows(backup.path) == rows(sample.path)


def test_a_backup_is_read_as_what_nobody_writes_to(sample: File, tmp_path: Path) -> None:
    backup = back_up(sample.source, tmp_path / "copies")
    assert backup.source == Source(backup.path, immutable=True)
    assert Backup(backup.path, backup.sha256, backup.bytes) == backup


def test_the_name_comes_from_the_source_even_with_points_and_letters_of_japan(
    file: File, tmp_path: Path
) -> None:
    named = file.path.rename(tmp_path / "取引.v1.2.sqlite")
    backup = back_up(Source(named), tmp_path / "copies")
    assert re.fullmatch(r"取引\.v1\.2-\d{8}T\d{6}Z\.db", backup.path.name)
    backup.verify()
