"""What processes use: CPU of a server, CPU and memory of a child with all that it started.

From /proc, so on Linux; elsewhere the server's CPU stays unknown and memory is what the system
says of the child.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from trdinger.engine.connect import Database

_PROC = Path("/proc")
_LOOK = 0.05  # seconds between two looks at a child's memory
_PPID, _UTIME, _CSTIME = 1, 11, 15  # fields of /proc/PID/stat after the name; utime to cstime is a slice


@dataclass(frozen=True)
class Finished:
    """A process that has ended. CPU is its own and that of its ended children, memory that of all at most."""

    code: int
    out: str
    err: str
    seconds: float
    cpu: float
    peak_memory: int


def finished(command: list[str], *, said: str = "") -> Finished:
    """Run a command to its end; `said` is what it reads."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watch = _Watch(process.pid)
        watch.start()
        before = _ended_children()
        try:
            out, err = process.communicate(said)
        except BaseException:
            process.terminate()
            raise
        finally:
            watch.done.set()
        seconds = time.perf_counter() - begun
        watch.join()
    return Finished(process.returncode, out, err, seconds, _ended_children() - before, watch.peak)


def server_process(database: Database) -> int | None:
    """The process whose children serve `database`, where it is on this machine and may be looked at."""
    with database.connect(autocommit=True) as connection:
        backend = connection.info.backend_pid
        if database.sessions == 1:
            return _listening(connection)
        try:
            title = (_PROC / str(backend) / "cmdline").read_bytes()
        except OSError:
            return None
        # Another machine's process of that number is no backend of this database.
        if not title.startswith(b"postgres") or str(database.url.database).encode() not in title:
            return None
        return int(_stat(backend)[_PPID])


def cpu_of(process: int | None) -> float | None:
    """CPU seconds of a process and its children, those that have ended too; None where nobody can say."""
    if process is None:
        return None
    ticks = 0
    for each in (process, *_children(process)):
        with suppress(OSError):  # one that has just ended is counted with its parent next time
            ticks += sum(map(int, _stat(each)[_UTIME:_CSTIME]))
    return ticks / os.sysconf("SC_CLK_TCK")


class _Watch(threading.Thread):
    """Looks at the memory of a process and of its descendants until it is told to stop."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.peak = 0
        self._process = process

    def run(self) -> None:
        while not self.done.wait(_LOOK):
            self.peak = max(self.peak, sum(map(_most_memory, [self._process, *_tree(self._process)])))


def _ended_children() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _most_memory(process: int) -> int:
    """The most memory that a process held so far, in bytes; 0 where nobody can say."""
    try:
        status = (_PROC / str(process) / "status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0")
    return int(line.split()[1]) * 1024


def _tree(process: int) -> Iterator[int]:
    for child in _children(process):
        yield child
        yield from _tree(child)


def _children(process: int) -> list[int]:
    if not sys.platform.startswith("linux"):
        return []
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_stat(int(entry.name))[_PPID])
            except OSError:
                continue
            if parent == process:
                found.append(int(entry.name))
    return found


def _stat(process: int) -> list[str]:
    # The name stands in brackets and may hold anything.
    return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()


def _listening(connection: psycopg.Connection[object]) -> int | None:
    """The process that listens where a connection went: the embedded engine's has no processes of its own."""
    wanted = f"0100007F:{connection.info.port:04X}"
    try:
        lines = (_PROC / "net/tcp").read_text().splitlines()[1:]
    except OSError:
        return None
    sockets = {f"socket:[{line.split()[9]}]" for line in lines if line.split()[1] == wanted}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                held = {str(each.readlink()) for each in (entry / "fd").iterdir()}
            except OSError:
                continue
            if held & sockets:
                return int(entry.name)
    return None
