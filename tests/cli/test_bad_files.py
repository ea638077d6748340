"""Files that cannot be moved: each ends as docs/errors.md says, and stays as it was; mended, it is moved."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cli.command import Done, here
from cli.conftest import Target
from cli.errors_doc import told, went_well
from legacy.conftest import File
from legacy.test_damage import leaves, ruin
from trdinger.legacy import backup as backups
from trdinger.legacy import source as files

COMMANDS = ("inspect", "backup", "migrate", "verify")
NOWHERE = "postgresql://nobody:geheim@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that nobody reaches: whoever asks for it before the file was looked at is found out."""
    monkeypatch.setenv("DATABASE_URL", NOWHERE)


@contextmanager
def untouched(*folders: Path, but: str = "trdinger-move") -> Iterator[None]:
    """Nothing in these folders changes: no file comes or goes, no byte and no time of any."""

    def state() -> dict[Path, tuple[str, int]]:
        return {
            path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file() and but not in path.parts and path.suffix != ".db-shm"
        }

    before = state()
    yield
    assert state() == before


def missing(_path: Path) -> str:
    return "a missing path"


def wal_alone(path: Path) -> str:
    path.with_name(f"{path.name}-wal").write_bytes(b"7\x7f\x06\x82" + bytes(100))
    return "a WAL without its file"


def folder(path: Path) -> str:
    path.mkdir()
    return "a folder"


def empty(path: Path) -> str:
    path.touch()
    return "an empty file"


def other(path: Path) -> str:
    path.write_text("date,open,high\n" * 100)
    return "another file"


def encrypted(path: Path) -> str:
    path.write_bytes(random.Random(7).randbytes(16 * 4096))
    return "an encrypted file"


def cut_short(path: Path) -> str:
    path.write_bytes(path.with_name("sound.db").read_bytes()[:100_000])
    return "a file cut short"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", [missing, wal_alone, folder, empty, other, encrypted, cut_short])
def test_what_is_no_file_of_ours(
    command: str, kind: Callable[[Path], str], small_file: Path, tmp_path: Path
) -> None:
    shutil.copy(small_file, tmp_path / "sound.db")
    path = tmp_path / "trdinger.db"
    case = kind(path)
    with untouched(tmp_path):
        told(case, here(command, path))


@pytest.mark.parametrize("command", ["inspect", "migrate", "verify"])
def test_a_database_without_tables(command: str, tmp_path: Path, server: Target) -> None:
    with closing(sqlite3.connect(tmp_path / "trdinger.db")) as connection:
        connection.execute("PRAGMA user_version = 1")
    to = [] if command == "inspect" else ["--to", server.address]
    with untouched(tmp_path):
        told("a database without tables", here(command, tmp_path / "trdinger.db", *to))


def test_damaged_pages_are_told_by_table(source: Path, server: Target) -> None:
    whole = source.read_bytes()
    file = File(source)
    (held,) = file.run("SELECT count(*) FROM ohlcv_data")[0]
    ruin(source, leaves(file, "ohlcv_data")[2])
    with untouched(source.parent):
        done = here("migrate", source, "--to", server.address)
        looked = here("inspect", source, "--json")
    told("damaged pages", done)
    assert looked.code == 4
    (candles,) = [each for each in looked.json["readable"] if each["table"] == "ohlcv_data"]
    (gap,) = candles["gaps"]
    assert candles["rows"] + gap["rows"] == held
    assert f"\n  {candles['sentence']}\n" in done.sentence
    assert f"rows {gap['first']} to {gap['last']}" in candles["sentence"]
    assert server.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    shown = here("inspect", source)
    assert shown.code == 4
    assert f"  - {candles['sentence']}\n" in shown.out
    assert ".recover" in shown.out
    source.write_bytes(whole)
    assert here("migrate", source, "--to", server.address).code == 0


def test_damage_of_the_list_of_tables_is_told_before_anything(source: Path, server: Target) -> None:
    ruin(source, 0, content=source.read_bytes()[:100] + b"\xff" * 3996)
    with untouched(source.parent):
        done = here("migrate", source, "--to", server.address)
    told("damaged pages", done)
    assert "Not even the list of its tables can be read." in done.sentence
    assert not source.with_name("trdinger-move").exists()
    assert "Not even the list of its tables can be read." in here("inspect", source).out


@pytest.mark.parametrize("command", ["inspect", "backup", "migrate"])
def test_a_change_that_was_cut_off(command: str, source: Path, tmp_path: Path, server: Target) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA cache_size = 5")
        writer.execute("UPDATE ohlcv_data SET volume = volume + 1")
        writer.execute("CREATE TABLE large AS SELECT printf('%.*c', 99999, '1') AS text")
        for left in (source.name, f"{source.name}-journal"):
            shutil.copyfile(source.with_name(left), cut / left)
        writer.rollback()
    to = ["--to", server.address] if command == "migrate" else []
    with untouched(cut):
        told("a change that was cut off", here(command, cut / source.name, *to))
    with closing(sqlite3.connect(cut / source.name)) as mending:
        mending.execute("SELECT count(*) FROM ohlcv_data").fetchall()
    assert here(command, cut / source.name, *to).code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user who may not read")
def test_no_right_to_read(source: Path) -> None:
    """In a process of its own, which has loaded what it needs before it gives up its rights."""
    source.chmod(0o600)
    source.parent.chmod(0o711)  # the folders above are not asked: the path is relative
    program = f"""
import os, sys
from trdinger.cli.app import run
run(["inspect", "none.db"])
sys.stderr.flush()
print("---", file=sys.stderr, flush=True)
os.setuid(65534)
sys.exit(run(["migrate", {source.name!r}]))
"""
    with untouched(source.parent):
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=source.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    told("no right to read", Done(ended.returncode, ended.stdout, ended.stderr.split("---\n")[1]))


@pytest.mark.parametrize("command", ["inspect", "backup", "migrate"])
def test_a_file_locked_by_a_writer(
    command: str,
    source: Path,
    server: Target,
    locked_source: Callable[..., Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for room in (files, backups):  # seconds that each of them waits for the writer
        monkeypatch.setattr(room, "LOCK_WAIT", 0.2, raising=False)
    to = ["--to", server.address] if command == "migrate" else []
    release = locked_source(source)
    with untouched(source.parent):
        told("a file locked by a writer", here(command, source, *to))
    release()
    assert here(command, source, *to).code == 0


def test_rows_in_a_wal_come_along(source: Path, server: Target) -> None:
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("INSERT INTO ga_experiments (name, config, status, progress, current_generation)"
                       " VALUES ('in the WAL', '{}', 'running', 0.0, 0)")  # fmt: skip
        writer.commit()
        assert source.with_name(f"{source.name}-wal").stat().st_size > 0
        with untouched(source.parent):
            went_well("a WAL beside the file", here("migrate", source, "--to", server.address))
            assert here("verify", source, "--to", server.address).code == 0
    assert server.ask("SELECT count(*) FROM ga_experiments WHERE name = 'in the WAL'") == [(1,)]


@pytest.fixture
def read_only(full_disk: Callable[..., Path], small_file: Path) -> Callable[[bool], Path]:
    """`path = read_only(wal)`: the small file where nobody may write, with a change in a WAL or without."""
    held = full_disk(16 << 20)

    def put(wal: bool) -> Path:
        path = Path(shutil.copy(small_file, held / "trdinger.db"))
        if wal:
            with closing(sqlite3.connect(path)) as writer:
                writer.execute("PRAGMA journal_mode = wal")
                writer.execute("DELETE FROM strategy_templates")
                writer.commit()
                for ending in ("", "-wal"):  # its end would take the WAL into the file
                    shutil.copyfile(f"{path}{ending}", f"{path}{ending}.kept")
            for ending in ("", "-wal"):
                Path(f"{path}{ending}.kept").rename(f"{path}{ending}")
        subprocess.run(["mount", "-o", "remount,ro", str(held)], check=True)
        return path

    return put


def test_a_read_only_folder(read_only: Callable[[bool], Path], server: Target, tmp_path: Path) -> None:
    path = read_only(False)
    with untouched(path.parent):
        told("a read-only folder", here("migrate", path, "--to", server.address))
        told("a read-only folder", here("backup", path))
        elsewhere = ("--workdir", tmp_path / "work")
        went_well(
            "a read-only folder, with --workdir elsewhere",
            here("migrate", path, "--to", server.address, *elsewhere),
        )
        assert here("inspect", path).code == 0


@pytest.mark.parametrize("command", ["inspect", "backup", "migrate"])
def test_a_wal_in_a_read_only_folder(
    command: str, read_only: Callable[[bool], Path], server: Target, tmp_path: Path
) -> None:
    path = read_only(True)
    to = ["--to", server.address] if command == "migrate" else []
    more = [] if command == "inspect" else ["--workdir", tmp_path / "work"]
    with untouched(path.parent):
        told("a WAL in a read-only folder", here(command, path, *to, *more))
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(path.parent, elsewhere)
    assert here(command, elsewhere / path.name, *to, *more).code == 0


def test_no_room_for_the_backup(
    source: Path, server: Target, full_disk: Callable[..., Path], tmp_path: Path
) -> None:
    small = full_disk(1 << 20)
    with untouched(source.parent):
        told("no room for the backup", here("migrate", source, "--to", server.address, "--workdir", small))
        told("no room for the backup", here("backup", source, "--workdir", small))
    assert list(small.iterdir()) == []
    assert server.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert here("migrate", source, "--to", server.address, "--workdir", tmp_path / "large").code == 0
