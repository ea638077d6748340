"""Start, find and stop the embedded TimescaleDB of a data directory.

One directory has one server. A server that `running` started ends with the last process that uses
it; one that `start` started stays until `stop`, or until it idled too long. Failures are sentences
of `trdinger.errors`. Speaking SQL to it is everybody's own: it is a PostgreSQL server.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from platformdirs import user_data_path

from trdinger.engine.embedded.control import (
    KEEP,
    LEASE,
    STATUS,
    Running,
    ask,
    is_locked,
    log_file,
    read_state,
    request,
    state_file,
    take_lock,
)
from trdinger.engine.embedded.runtime import engine_package, find_node
from trdinger.errors import EngineBusy, TargetError, TargetRefused

__all__ = ["DEFAULT_DATA_DIRECTORY", "LICENCES", "Running", "running", "start", "status", "stop"]

DEFAULT_DATA_DIRECTORY: Path = user_data_path("trdinger") / "embedded"
CLUSTER_FORMAT = "17"  # the PG_VERSION that this engine reads and writes
PATIENCE = timedelta(seconds=30)  # how long a client waits for its turn
LICENCES = (
    "The embedded engine is PGlite (Apache-2.0) with PostgreSQL (PostgreSQL Licence) and TimescaleDB, whose "
    "Community part is under the Timescale License (TSL). It is for trying out, tests and laptops; use a "
    "server for production."
)
_POLL = 0.02  # seconds
_SILENCE = 2.0  # seconds that a server may leave a question unanswered; its own thread never computes
_LAST_LEASE = 1.0  # seconds after which a server that nobody uses has begun to close (server.mjs: 0.2)
_CLOSING = 30.0  # seconds; it takes no more than 20 for that
_ON_ITS_WAY = {"starting", "stopping"}  # states in which it says nothing, and soon will or is gone
_OURS = {"pgdata", "server.json", "server.json.new", "server.log", "server.lock"}
_children: dict[int, subprocess.Popen[bytes]] = {}  # to be reaped once they end
_used: Counter[int] = Counter()  # by pid: how often this process uses a server now
_kept: set[int] = set()  # pids of children that stay until they are stopped


def status(data_directory: Path) -> Running | None:
    """The server that runs on this directory, None if none answers. Changes nothing."""
    return ask(data_directory.expanduser().absolute())


def start(
    data_directory: Path,
    *,
    port: int | None = None,
    idle_timeout: timedelta | None = None,
    ready_timeout: float = 60.0,
    patience: timedelta = PATIENCE,
) -> Running:
    """Start a server in the background and return once it answers; one that runs is returned as it is.

    port: None lets the system choose. idle_timeout: it stops by itself after so long without a
    client. patience: how long a client waits for its turn before it is told who has it. Its log is
    `server.log` in the directory. The first start installs the engine and creates the directory
    (about 3 s), a later one takes about 1 s.
    Raises TargetError, TargetRefused, EngineBusy or MissingCapability.
    """
    directory = _prepared(data_directory)
    server = _started(directory, port, idle_timeout, ready_timeout, patience, bound=False)
    keep = request(KEEP, read_state(directory))  # it may have been bound to somebody's `running`
    if keep is not None:
        keep.close()
    if server.pid in _children:
        _kept.add(server.pid)
    return server


def stop(data_directory: Path, *, timeout: float = 30.0) -> bool:
    """Stop the directory's server cleanly; False if none ran.

    Open transactions are rolled back, what is committed is written out. The signal goes to a pid
    only after the server at the recorded port has named itself. Raises TargetError if the server
    still runs after `timeout` seconds.
    """
    directory = data_directory.expanduser().absolute()
    if not is_locked(directory):
        return False
    begun = time.monotonic()
    signalled = False
    while is_locked(directory):
        said = read_state(directory)
        waited = time.monotonic() - begun
        if not signalled and (answered := request(STATUS, said)) is not None:
            answered.close()
            os.kill(int(said["pid"]), signal.SIGTERM)
            signalled = True
        elif not signalled and waited > min(_SILENCE, timeout) and said.get("state") not in _ON_ITS_WAY:
            raise EngineBusy(
                f"{directory} is held by a server that does not answer (its state file names pid "
                f"{said.get('pid')}).",
                hint="End that process; nothing that was committed is lost.",
            )
        elif waited > timeout:
            raise TargetError(
                f"The embedded TimescaleDB (pid {said.get('pid')}) still runs {timeout:g} s after it was "
                "asked to stop.",
                hint=f"See {log_file(directory)}; ending the process by force loses nothing committed.",
            )
        time.sleep(_POLL)
    _reap()
    return True


@contextmanager
def running(
    data_directory: Path,
    *,
    port: int | None = None,
    ready_timeout: float = 60.0,
    patience: timedelta = PATIENCE,
) -> Iterator[Running]:
    """The directory's server for the time of a `with`: the one that runs, else one of our own.

    Our own ends with the last process that uses it so, also when that process is killed.
    """
    directory = _prepared(data_directory)
    server, lease = _leased(directory, port, ready_timeout, patience)
    _used[server.pid] += 1
    try:
        yield server
    finally:
        _used[server.pid] -= 1
        lease.close()
        if not _used[server.pid] and server.pid not in _kept:
            _await_own_end(server)
        _reap()


def _leased(
    directory: Path, port: int | None, ready_timeout: float, patience: timedelta
) -> tuple[Running, socket.socket]:
    deadline = time.monotonic() + ready_timeout
    while True:
        server = _started(directory, port, None, max(0.0, deadline - time.monotonic()), patience, bound=True)
        lease = request(LEASE, read_state(directory))
        if lease is not None:
            return server, lease
        if time.monotonic() > deadline:  # it keeps ending between our question and our lease
            raise TargetError(f"The embedded TimescaleDB on {directory} ended while it was being used.")
        time.sleep(_POLL)


def _await_own_end(server: Running) -> None:
    """Wait for a server that we started to close, unless other processes use it: then it is theirs."""
    child = _children.get(server.pid)
    begun = time.monotonic()
    while child is not None and child.poll() is None and time.monotonic() - begun < _CLOSING:
        if time.monotonic() - begun > _LAST_LEASE and ask(server.data_directory) == server:
            return
        time.sleep(_POLL)


def _prepared(data_directory: Path) -> Path:
    """The directory, made if it is missing; refused if it holds something else."""
    directory = data_directory.expanduser().absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        others = sorted(entry.name for entry in directory.iterdir() if entry.name not in _OURS)
        version = directory / "pgdata" / "PG_VERSION"
        format_ = version.read_text("ascii").strip() if version.exists() else None
    except (FileExistsError, NotADirectoryError):
        raise TargetError(
            f"{directory} is not a directory.", hint="Name a directory for the database."
        ) from None
    except OSError as error:
        raise _unusable(directory, error) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise TargetError(
            f"{directory} is not writable.", hint="Change its owner, or name another directory."
        )
    if others and format_ is None:
        raise TargetRefused(
            f"{directory} holds other files ({', '.join(others[:3])}); nothing was written.",
            hint="Name an empty directory, or one that the embedded TimescaleDB made.",
        )
    if format_ is not None and format_ != CLUSTER_FORMAT:
        raise TargetRefused(
            f"{directory} has PostgreSQL's format {format_}; this engine reads {CLUSTER_FORMAT}.",
            hint="Name another directory, or use the version of trdinger that made it.",
        )
    return directory


def _unusable(directory: Path, error: OSError) -> TargetError:
    if error.errno == errno.ENOSPC:
        return TargetError(f"The disk of {directory} is full.", hint="Make room, then start again.")
    return TargetError(
        f"{directory} cannot be used: {error.strerror or error}.",
        hint="Change its owner or rights, or name another directory.",
    )


def _started(
    directory: Path,
    port: int | None,
    idle_timeout: timedelta | None,
    ready_timeout: float,
    patience: timedelta,
    *,
    bound: bool,
) -> Running:
    deadline = time.monotonic() + ready_timeout
    while True:
        server = ask(directory)
        if server is not None:
            return server
        try:
            lock = take_lock(directory)
        except OSError as error:
            raise _unusable(directory, error) from error
        if lock is not None:
            break
        if time.monotonic() > deadline:
            pid = read_state(directory).get("pid")
            raise EngineBusy(
                f"{directory} is locked by pid {pid}, which did not answer within {ready_timeout:g} s.",
                hint="If it is starting or stopping, try again; otherwise end that process.",
            )
        time.sleep(_POLL)  # another process starts it, or it is about to end
    try:
        child = _spawn(directory, port, idle_timeout, patience, lock, bound=bound)
    except OSError as error:
        raise _unusable(directory, error) from error
    finally:
        os.close(lock)
    return _await_ready(child, directory, deadline, ready_timeout)


def _spawn(
    directory: Path,
    port: int | None,
    idle_timeout: timedelta | None,
    patience: timedelta,
    lock: int,
    *,
    bound: bool,
) -> subprocess.Popen[bytes]:
    node = find_node()
    package = engine_package(node)
    state_file(directory).unlink(missing_ok=True)
    command = [str(node.executable), "--no-warnings", str(Path(__file__).parent / "wire" / "server.mjs")]
    command += ["--home", str(directory), "--package-root", str(package), "--port", str(port or 0)]
    command += ["--patience", str(patience.total_seconds())]
    if idle_timeout is not None:
        command += ["--idle-timeout", str(idle_timeout.total_seconds())]
    if bound:
        command.append("--bound")
    with log_file(directory).open("ab") as log:
        child = subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
            start_new_session=True,
        )
    _children[child.pid] = child
    return child


def _await_ready(
    child: subprocess.Popen[bytes], directory: Path, deadline: float, ready_timeout: float
) -> Running:
    while True:
        server = ask(directory)
        if server is not None:
            return server
        if child.poll() is not None:
            _reap()
            raise _did_not_start(directory, child.returncode)
        if time.monotonic() > deadline:
            child.kill()
            _reap()
            raise TargetError(
                f"The embedded TimescaleDB on {directory} was not ready within {ready_timeout:g} s.",
                hint=f"Its log is {log_file(directory)}.",
            )
        time.sleep(_POLL)


def _did_not_start(directory: Path, code: int) -> TargetError:
    said = read_state(directory)
    reason = str(said.get("reason") or f"its process ended with code {code}")
    if said.get("code") == "EADDRINUSE":
        return EngineBusy(f"The port is in use: {reason}.", hint="Name another port, or none.")
    if said.get("code") == "EACCES" and "listen" in reason:
        return TargetError(f"The port may not be used: {reason}.", hint="Name a port above 1023, or none.")
    if said.get("code") == "ENOSPC" or "No space left" in reason:
        return _unusable(directory, OSError(errno.ENOSPC, "No space left on device"))
    return TargetError(
        f"The embedded TimescaleDB on {directory} did not start: {reason}.",
        hint=f"Its log is {log_file(directory)}.",
    )


def _reap() -> None:
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]
            _kept.discard(pid)
