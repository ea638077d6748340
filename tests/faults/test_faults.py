"""The faults themselves are real: each is seen by a program that knows nothing of these tests."""

from __future__ import annotations

import errno
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from faults.kill_at import Killed
from faults.proxy import Proxy
from trdinger.engine.connect import Database


@pytest.mark.many
def test_a_cut_line_is_seen_and_a_new_one_is_served(
    database: Database, proxy: Callable[[Database], Proxy]
) -> None:
    line = proxy(database)
    with psycopg.connect(line.database.conninfo, autocommit=True) as connection:
        connection.execute("SELECT 1")
        line.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with psycopg.connect(line.database.conninfo, autocommit=True) as connection:
        connection.execute("SELECT 1")
        line.refuse()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(line.database.conninfo)


def test_a_stalled_line_waits_and_goes_on(database: Database, proxy: Callable[[Database], Proxy]) -> None:
    line = proxy(database)
    with psycopg.connect(line.database.conninfo) as connection:
        line.stall()
        threading.Timer(0.3, line.resume).start()
        before = time.monotonic()
        connection.execute("SELECT 1")
        assert time.monotonic() - before >= 0.25


def test_a_copy_is_cut_in_its_middle(database: Database, proxy: Callable[[Database], Proxy]) -> None:
    line = proxy(database)
    with database.connect() as connection:
        connection.execute("CREATE TABLE letters (a text)")
    line.cut_after(1 << 20)

    def send_four_megabytes() -> None:
        with (
            psycopg.connect(line.database.conninfo) as connection,
            connection.cursor().copy("COPY letters FROM STDIN") as copy,
        ):
            for _ in range(64):
                copy.write(b"a" * 65535 + b"\n")

    with pytest.raises(psycopg.OperationalError):
        send_four_megabytes()
    assert line.sent >= 1 << 20
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM letters").fetchone() == (0,)


def test_a_full_disk_refuses_the_next_byte(full_disk: Callable[..., Path]) -> None:
    folder = full_disk(1 << 20)
    with pytest.raises(OSError, match="No space left") as refused:
        (folder / "file").write_bytes(b"0" * (2 << 20))
    assert refused.value.errno == errno.ENOSPC


def test_a_locked_source_keeps_others_out_until_released(
    tmp_path: Path, locked_source: Callable[..., Callable[[], None]]
) -> None:
    path = tmp_path / "source.db"
    sqlite3.connect(path).execute("CREATE TABLE t (a)").connection.close()
    release = locked_source(path)
    reader = sqlite3.connect(path, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        reader.execute("SELECT * FROM t")
    release()
    assert reader.execute("SELECT * FROM t").fetchall() == []
    reader.close()


def test_a_program_is_killed_at_its_moment(kill_at: Callable[..., Killed]) -> None:
    program = "import time; print('working', flush=True); time.sleep(60); print('done')"
    killed = kill_at([sys.executable, "-c", program], lambda printed: "working" in printed)
    assert killed == Killed(-signal.SIGKILL, "working\n")
