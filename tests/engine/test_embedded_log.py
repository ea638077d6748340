"""The embedded TimescaleDB's write-ahead log: a long load does not fill the disk; a kill loses nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg

from engines import laid
from trdinger.engine import embedded

LOG_BYTES = 400 << 20  # at any moment: a checkpoint is due at 256 MB, a load adds 110
LOADS = 5


def log_bytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in (directory / "pgdata" / "pg_wal").glob("*") if file.is_file())


def connected(server: embedded.Running) -> psycopg.Connection:
    return psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True)


def test_the_log_stays_small_through_a_load_and_a_kill(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    server = embedded.start(laid(directory))
    largest = 0
    with connected(server) as connection:
        connection.execute("CREATE TABLE wide (load int, number int, filler text)")
        for load in range(LOADS):
            connection.execute(
                f"INSERT INTO wide SELECT {load}, n, repeat(md5(n::text), 32)"
                " FROM generate_series(1, 100000) n"
            )
            time.sleep(1.1)  # the log is looked at once a second at most
            connection.execute("SELECT 1")
            largest = max(largest, log_bytes(directory))
        os.kill(server.pid, signal.SIGKILL)
    assert largest < LOG_BYTES
    with embedded.running(directory) as again, connected(again) as connection:
        counts = connection.execute("SELECT count(*), count(DISTINCT (load, number)) FROM wide").fetchone()
    assert counts == (LOADS * 100_000, LOADS * 100_000)
