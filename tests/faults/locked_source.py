"""A SQLite file that another program is writing to."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Another process, because POSIX locks do not keep two SQLite libraries in one process apart.
_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
connection.execute("BEGIN " + sys.argv[2])
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


@pytest.fixture
def locked_source() -> Iterator[Callable[..., Callable[[], None]]]:
    """`release = locked_source(path)`: a writer holds the file until `release()`, or until the test ends.

    kind: EXCLUSIVE keeps readers out too; IMMEDIATE only other writers.
    """
    with contextlib.ExitStack() as held:

        def lock(path: Path, kind: str = "EXCLUSIVE") -> Callable[[], None]:
            writer = subprocess.Popen(
                [sys.executable, "-c", _HOLD, str(path), kind],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            held.callback(writer.communicate)
            assert writer.stdout is not None
            assert writer.stdout.readline() == "held\n", f"no writer could lock {path}"
            return lambda: writer.communicate() and None

        yield lock
