"""Starting, finding and stopping the embedded TimescaleDB; what survives a kill; what is refused, and how."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from trdinger.engine import embedded
from trdinger.engine.embedded import runtime
from trdinger.errors import EngineBusy, MissingCapability, TargetError, TargetRefused


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database directory, made once; tests copy it."""
    directory = tmp_path_factory.mktemp("template") / "data"
    with embedded.running(directory) as server, connected(server) as connection:
        connection.execute("CREATE TABLE bars (timestamp timestamptz NOT NULL, symbol text, close float8)")
        connection.execute("SELECT create_hypertable('bars', by_range('timestamp', interval '1 day'))")
        connection.execute(
            "ALTER TABLE bars SET (timescaledb.compress, timescaledb.compress_segmentby = 'symbol')"
        )
        connection.execute("CREATE TABLE ledger (i int PRIMARY KEY)")
    return directory


@pytest.fixture
def directory(template: Path, tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "data"
    shutil.copytree(template, copy)
    yield copy
    embedded.stop(copy)


def connected(server: embedded.Running) -> psycopg.Connection:
    return psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True)


def ended(pid: int, within: float = 10.0) -> bool:
    """Ours are reaped by the package; a zombie of a test's own kill has ended, too."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").exists() and ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return True
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_start_status_stop(directory: Path) -> None:
    assert embedded.status(directory) is None
    assert embedded.stop(directory) is False
    begun = datetime.now(UTC)
    server = embedded.start(directory)
    assert embedded.status(directory) == server
    assert embedded.start(directory) == server
    assert server.data_directory == directory
    assert begun - timedelta(seconds=1) < server.started < datetime.now(UTC)
    assert re.fullmatch(r"PostgreSQL 17\.\d+, TimescaleDB 2\.23\.\S+", server.version)
    with connected(server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert embedded.stop(directory) is True
    assert ended(server.pid)
    assert embedded.status(directory) is None
    assert "stopped" in (directory / "server.log").read_text()


def test_a_directory_opened_again_still_compresses(directory: Path) -> None:
    with embedded.running(directory) as server, connected(server) as connection:
        connection.execute(
            "INSERT INTO bars SELECT '2024-01-01'::timestamptz + i * interval '1 min', 'B', i "
            "FROM generate_series(0, 2000) i"
        )
        connection.execute("SELECT compress_chunk(c) FROM show_chunks('bars') c LIMIT 1")
    with embedded.running(directory) as server, connected(server) as connection:
        assert connection.execute(
            "SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks('bars') c"
        ).fetchone() == (2,)
        assert connection.execute("SELECT count(*), sum(close) FROM bars").fetchone() == (2001, 2001000)
        assert connection.execute(
            "SELECT count(*) FROM (SELECT time_bucket_gapfill('1 hour', timestamp) FROM bars "
            "WHERE timestamp >= '2024-01-01' AND timestamp < '2024-01-02' GROUP BY 1) hours"
        ).fetchone() == (24,)


def test_every_acknowledged_row_survives_a_kill(directory: Path) -> None:
    for _ in range(3):
        server = embedded.start(directory)
        acknowledged = killed_while_committing(server)
        assert ended(server.pid)
        assert embedded.status(directory) is None
        with embedded.running(directory) as again, connected(again) as connection:
            kept = [i for (i,) in connection.execute("SELECT i FROM ledger ORDER BY i")]
            assert acknowledged > 0
            assert kept[: acknowledged + 1] == list(range(acknowledged + 1))
            assert len(kept) <= acknowledged + 2
            connection.execute("TRUNCATE ledger")


def killed_while_committing(server: embedded.Running) -> int:
    acknowledged = -1
    killer = threading.Timer(0.15, os.kill, (server.pid, signal.SIGKILL))
    with connected(server) as connection:
        killer.start()
        try:
            while True:
                connection.execute("INSERT INTO ledger VALUES (%s)", (acknowledged + 1,))
                acknowledged += 1
        except psycopg.OperationalError:
            pass
    killer.join()
    return acknowledged


def test_an_engine_that_dies_under_a_statement_comes_back(directory: Path) -> None:
    with embedded.running(directory) as server:
        with connected(server) as connection:
            connection.execute("INSERT INTO ledger VALUES (1)")
            with pytest.raises(psycopg.errors.CrashShutdown, match="is being started again"):
                connection.execute("SELECT " + "+".join(["1"] * 100_000))  # deeper than its stack
        with connected(server) as connection:
            assert connection.execute("SELECT i FROM ledger").fetchall() == [(1,)]
            assert connection.execute("SHOW timescaledb.license").fetchone() == ("timescale",)


def test_one_directory_has_one_server(directory: Path) -> None:
    with embedded.running(directory) as server:
        command = [sys.executable, "-c", PRINT_PORT, str(directory)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert int(done.stdout) == server.port
        assert embedded.status(directory) == server  # the other's end was not the end of ours
        with embedded.running(directory) as inner:
            assert inner == server
        assert embedded.status(directory) == server
    assert ended(server.pid)


PRINT_PORT = """
import sys, pathlib, trdinger.engine.embedded as embedded
with embedded.running(pathlib.Path(sys.argv[1])) as server:
    print(server.port, flush=True)
    if len(sys.argv) > 2:
        sys.stdin.read()
"""


def test_a_directory_that_a_mute_process_holds_is_refused_with_its_pid(directory: Path) -> None:
    (directory / "server.json").write_text('{"state": "ready", "pid": 4711}')
    with (directory / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(EngineBusy, match="locked by pid 4711"):
            embedded.start(directory, ready_timeout=0.2)
        with pytest.raises(EngineBusy, match="does not answer"):
            embedded.stop(directory, timeout=0.2)


def test_a_state_file_alone_is_no_server_and_no_stranger_is_signalled(directory: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        said = {"state": "ready", "pid": bystander.pid, "port": stranger.getsockname()[1], "identity": "x"}
        (directory / "server.json").write_text(str(said).replace("'", '"'))

        def hang_up() -> None:
            while True:
                stranger.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        assert embedded.status(directory) is None
        assert embedded.stop(directory) is False
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_server_of_one_command_ends_when_the_command_is_killed(directory: Path) -> None:
    command = [sys.executable, "-c", PRINT_PORT, str(directory), "wait"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert int(child.stdout.readline()) > 0
        server = embedded.status(directory)
        assert server is not None
        child.kill()
    assert ended(server.pid)
    assert "the last lease is gone" in (directory / "server.log").read_text()


def test_a_background_server_stops_by_itself_when_it_idles(directory: Path) -> None:
    server = embedded.start(directory, idle_timeout=timedelta(seconds=0.5))
    with connected(server):
        time.sleep(0.8)
        assert embedded.status(directory) == server
    assert ended(server.pid)
    assert embedded.status(directory) is None


def test_stopping_ends_a_statement_that_runs(directory: Path) -> None:
    server = embedded.start(directory)
    with connected(server) as connection:
        timer = threading.Timer(0.3, embedded.stop, (directory,))
        timer.start()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(30)")
        timer.join()
    assert ended(server.pid)


def test_a_port_that_is_taken_is_named(directory: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EngineBusy, match=f"port is in use.*{taken.getsockname()[1]}"):
            embedded.start(directory, port=taken.getsockname()[1])
    assert embedded.status(directory) is None


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(TargetRefused, match=r"holds other files \(thesis.txt\)"):
        embedded.start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    (tmp_path / "pgdata" / "PG_VERSION").write_text("16\n")
    with pytest.raises(TargetRefused, match="format 16; this engine reads 17"):
        embedded.start(tmp_path)


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="is not a directory"):
        embedded.start(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TargetError, match=r"not writable|cannot be used"):
        embedded.start(tmp_path)


class TestRuntime:
    def test_without_node_the_sentence_says_what_to_install(self, tmp_path: Path) -> None:
        with pytest.raises(MissingCapability, match="no `node` is on the PATH") as caught:
            runtime.find_node(search_path=str(tmp_path), wheel=False)
        assert caught.value.hint is not None
        assert "pip install 'trdinger[embedded]'" in caught.value.hint

    @pytest.mark.parametrize(
        ("node", "npm", "said"),
        [
            ("echo v18.1.0", True, "is Node 18.1.0"),
            ("exit 1", True, "does not run"),
            ("echo v22.0.0", False, "without npm"),
        ],
    )
    def test_a_node_that_will_not_do_is_described(
        self, tmp_path: Path, node: str, npm: bool, said: str
    ) -> None:
        for name, body in [("node", node)] + ([("npm", "true")] if npm else []):
            (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
            (tmp_path / name).chmod(0o755)
        with pytest.raises(MissingCapability, match=said):
            runtime.find_node(search_path=str(tmp_path), wheel=False)

    def test_npms_last_words_are_passed_on_and_nothing_half_installed_stays(self, tmp_path: Path) -> None:
        npm = tmp_path / "npm"
        npm.write_text(
            "#!/bin/sh\nmkdir -p node_modules/@unni-craftsman\n"
            "echo 'npm error network request to somewhere failed, reason: no route' >&2\n"
            "echo 'npm error A complete log of this run can be found in: /x/debug-0.log' >&2\nexit 1\n"
        )
        npm.chmod(0o755)
        node = runtime.Node(Path(sys.executable), (str(npm),), "20.0.0")
        with pytest.raises(TargetError, match="reason: no route"):
            runtime.engine_package(node, cache=tmp_path / "cache")
        assert [path.name for path in (tmp_path / "cache").iterdir()] == ["embedded.lock"]

    def test_the_lock_file_pins_by_hash_and_names_no_host(self) -> None:
        lock = (Path(runtime.__file__).parent / "package-lock.json").read_text()
        assert '"integrity": "sha512-' in lock
        assert "resolved" not in lock
        assert "://" not in lock
