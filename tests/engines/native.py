"""Debian trixie's PostgreSQL 17 with its TimescaleDB: the host's own, or one in a debootstrap folder.

The server is ours alone: its own data directory, a loopback port that the system chose, passwords made
for the run. It dies with the test process (the kernel sees to that), so neither Ctrl-C nor SIGKILL leaves it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import platformdirs
import psycopg
from sqlalchemy.engine import URL

from engines.base import Server
from trdinger.engine.connect import Database

BINARIES = "usr/lib/postgresql/17/bin"
CONTROL = "usr/share/postgresql/17/extension/timescaledb.control"
START_SECONDS = 30  # comes up in under one; a busy machine takes longer
DEATH_SIGNAL = 1  # prctl(PR_SET_PDEATHSIG)
# What a URL, a .pgpass or a shell would trip over.
AWKWARD = "p@ss:w/rd ?#%41é"

_PACKAGE_VERSION = r"^Package: postgresql-17\n(?:.+\n)*?Version: ([\d.]+)"
_libc = ctypes.CDLL(None)


class Native(Server):
    """PostgreSQL 17 with TimescaleDB, many sessions, deliberately neither in UTC nor in C order."""

    name: ClassVar[str] = "native"
    facts: ClassVar[frozenset[str]] = frozenset({"hypertables", "many_sessions"})

    def __init__(self, root: Path | None) -> None:
        super().__init__()
        self.folder = root or platformdirs.user_cache_path("trdinger") / "trixie"
        self.root = Path("/") if root is None and complete(Path("/")) else self.folder
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self._home: Path | None = None
        self._lock = -1

    def absent(self) -> str | None:
        if not complete(self.root):
            return (
                f"no PostgreSQL 17 with TimescaleDB in {self.folder} nor on this system: "
                "run `make native` (as root), or set TRDINGER_NATIVE_ROOT"
            )
        if self.root != Path("/") and os.geteuid() != 0:
            return f"entering {self.root} (chroot) needs root"
        return None

    def describe(self) -> str:
        control = (self.root / CONTROL).read_text()
        timescaledb = re.search(r"default_version\s*=\s*'([^']+)'", control)
        status = self.root / "var/lib/dpkg/status"
        packages = status.read_text(errors="replace") if status.exists() else ""
        postgresql = re.search(
            r"^Package: postgresql-17\n(?:.+\n)*?Version: ([\d.]+)", packages, re.MULTILINE
        )
        return (
            f"PostgreSQL {postgresql[1] if postgresql else '17'} with TimescaleDB "
            f"{timescaledb[1] if timescaledb else '?'} in {self.root}"
        )

    def start(self) -> None:
        if self.process is not None:
            return
        self._make_home()
        password = secrets.token_urlsafe(12)
        self._initialise(password)
        self._launch(password)
        self.statement(f"CREATE ROLE trdinger LOGIN PASSWORD '{AWKWARD}'")
        self.owner = self.administrator.set(username="trdinger", password=AWKWARD)
        self._extend_template()

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)  # fast shutdown
            try:
                self.process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()
            self.process = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            os.close(self._lock)
            self._home = None

    @contextmanager
    def empty(self, *, timescaledb: bool = True) -> Iterator[Database]:
        with self.created(self.unused_name(), None if timescaledb else "template0") as database:
            yield database

    def down(self) -> None:
        """Stop the server as a crash does; `up` brings the same data directory back on the same port."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(START_SECONDS)

    def up(self) -> None:
        """Start again after `down`."""
        self._launch(str(self.administrator.password), port=self.port)

    def _make_home(self) -> None:
        scratch = self.root / "var/tmp"
        for left in scratch.glob("trdinger-native-*"):  # of runs that were killed
            if (held := _try_lock(left)) is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(held)
        # Locked before it has a name by which another run that starts now would take it for left over.
        made = Path(tempfile.mkdtemp(prefix="trdinger-new-", dir=scratch))
        self._lock = _try_lock(made) or -1
        self._home = made.rename(made.with_name(made.name.replace("-new-", "-native-")))
        self.own(self._home)
        if self.root != Path("/"):
            shared_memory = self.root / "dev/shm"
            shared_memory.mkdir(parents=True, exist_ok=True)
            shared_memory.chmod(0o1777)

    def _initialise(self, password: str) -> None:
        assert self._home is not None
        secret = self._home / "password"
        secret.write_text(password)
        self.own(secret)
        made = subprocess.run(
            [
                self.inside(self.root / BINARIES / "initdb"),
                "--username=postgres",
                f"--pwfile={self.inside(secret)}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--locale-provider=icu",
                "--icu-locale=en-US",
                "--no-sync",
                f"--pgdata={self.inside(self._home / 'data')}",
            ],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            preexec_fn=self._enter,
        )
        secret.unlink()
        if made.returncode != 0:
            raise RuntimeError(f"initdb in {self.root}: {made.stdout.decode(errors='replace')}")
        with (self._home / "data/postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS)

    def _launch(self, password: str, port: int = 0) -> None:
        assert self._home is not None
        self.port = port or _free_port()
        self.administrator = URL.create(
            "postgresql+psycopg", "postgres", password, "127.0.0.1", self.port, "postgres"
        )
        log = self._home / "log"
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    self.inside(self.root / BINARIES / "postgres"),
                    "-D",
                    self.inside(self._home / "data"),
                    "-p",
                    str(self.port),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                preexec_fn=self._enter,  # noqa: PLW1509  we start no threads before it
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.statement("SELECT 1")
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL in {self.root}: {log.read_text()[-4000:]}") from error
                time.sleep(0.05)
            else:
                return

    def _extend_template(self) -> None:
        """The extension in template1, which nobody can enter any more: copying it waits for no worker.

        A template that has to be named makes TimescaleDB's loader wait a third of a second for workers in it.
        """
        with self.admin("template1").connect(autocommit=True) as connection:
            connection.execute("CREATE EXTENSION timescaledb")
        self.statement("ALTER DATABASE template1 ALLOW_CONNECTIONS false")
        # The extension's scheduler may be in there already.
        self.statement("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'template1'")

    @property
    def home(self) -> Path:
        """A folder that the server may write to, for the time of the run."""
        assert self._home is not None
        return self._home

    def own(self, path: Path) -> None:
        """Give `path` to the user that the server runs as."""
        if os.geteuid() == 0:
            os.chown(path, *self._user())

    def inside(self, path: Path) -> str:
        """`path` as the server sees it."""
        return f"/{path.relative_to(self.root)}"

    def _user(self) -> tuple[int, int]:
        """The unprivileged user that PostgreSQL runs as: the folder's own, else the system's, else nobody."""
        for line in (self.root / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == "postgres":
                return int(uid), int(gid)
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid

    def _enter(self) -> None:
        """Between fork and exec: into the folder, down to an ordinary user, bound to our own life."""
        if os.geteuid() == 0:
            uid, gid = self._user()
            os.chroot(self.root)
            os.chdir("/")
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        _libc.prctl(DEATH_SIGNAL, signal.SIGQUIT)

    @staticmethod
    def _environment() -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/"}


_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timezone = 'Asia/Tokyo'
log_timezone = 'UTC'
max_connections = 100
max_worker_processes = 32
fsync = off
full_page_writes = off
shared_buffers = '256MB'
max_wal_size = '2GB'
"""


def complete(root: Path) -> bool:
    """Whether `root` holds all that is needed; debootstrap leaves a folder of its own until it is done."""
    return (
        (root / BINARIES / "postgres").exists()
        and (root / CONTROL).exists()
        and not (root / "debootstrap").exists()
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _try_lock(folder: Path) -> int | None:
    """Hold `folder` for as long as this process lives; None when another run holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
