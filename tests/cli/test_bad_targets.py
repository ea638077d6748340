"""Targets that cannot be moved into: each ends as docs/errors.md says; mended, the same command moves."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cli import errors_doc, test_bad_files
from cli.command import PATIENCE, PROGRAM, Done, environment, here
from cli.conftest import SECRETS, Target, server_target
from cli.errors_doc import told, went_well
from cli.test_bad_files import untouched
from conftest import Engines
from engines import Native, laid
from engines.native import AWKWARD
from faults.kill_at import Killed
from faults.proxy import Proxy
from trdinger.engine.connect import Database
from trdinger.engine.embedded import running
from trdinger.move import ledger_version
from trdinger.move import plan as plans
from trdinger.sample import SampleOptions, write_sample

NOTHING_THERE = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'trdinger_ledger')"


def move(source: Path, target: Target) -> Done:
    return here("migrate", source, "--to", target.address)


def no_secret(done: Done) -> None:
    assert not any(secret in done.out + done.err for secret in SECRETS)


@pytest.mark.parametrize("command", [("migrate",), ("migrate", "--plan"), ("verify",)])
def test_no_such_server(command: tuple[str, ...], source: Path) -> None:
    with (
        socket.socket() as held,
        untouched(source.parent),
    ):  # bound and not listening: nobody else gets the port
        held.bind(("127.0.0.1", 0))
        address = f"postgresql://nobody:geheim@127.0.0.1:{held.getsockname()[1]}/nothing"
        done = here(*command, source, "--to", address)
    told("no such server", done)
    assert "geheim" not in done.err
    assert not source.with_name("trdinger-move").exists()


@pytest.mark.parametrize(
    "command", [("migrate",), ("verify",), ("db", "status"), ("db", "check"), ("migrations", "list")]
)
def test_a_wrong_password_and_a_missing_database(
    command: tuple[str, ...], source: Path, server: Target
) -> None:
    file = [source] if command in {("migrate",), ("verify",)} else []
    url = server.database.url.set(drivername="postgresql")
    for case, wrong in (
        ("a wrong password", url.set(password=f"not {AWKWARD}")),
        ("a database that is missing", url.set(database="nothing")),
    ):
        with untouched(source.parent, but="no such folder"):
            done = here(*command, *file, "--to", wrong.render_as_string(hide_password=False))
        told(case, done)
        no_secret(done)


@pytest.fixture
def guest(native: Native, server: Target) -> Iterator[tuple[Target, Callable[[str], None]]]:
    """The empty database as a user who owns nothing of it, and a way to grant this user something."""
    name = server.database.url.database
    role = f"guest_of_{name}"
    native.statement(f"CREATE ROLE {role} LOGIN PASSWORD 'of-no-use'")
    native.statement(f"ALTER DATABASE {name} SET timezone TO 'UTC'")

    def grant(what: str) -> None:
        with native.admin(name).connect(autocommit=True) as connection:
            connection.execute(what.format(name=name, role=role).encode())

    yield server_target(Database(native.owner.set(database=name, username=role, password="of-no-use"))), grant
    grant("DROP OWNED BY {role}")
    native.statement(f"DROP ROLE {role}")


def test_no_right_to_make_what_a_move_needs(
    source: Path, guest: tuple[Target, Callable[[str], None]], server: Target
) -> None:
    target, grant = guest
    with untouched(source.parent, but="no such folder"):
        told("no right to make the ledger", move(source, target))
        grant("GRANT CREATE ON DATABASE {name} TO {role}")
        done = move(source, target)
        told("no right to make tables", done)
    assert server.ask(NOTHING_THERE) == [(0,)]
    asked = re.search(r"GRANT CREATE ON SCHEMA public TO \w+", done.sentence)
    assert asked
    grant(asked[0])
    assert move(source, target).code == 0


def test_a_server_without_timescaledb(native: Native, source: Path) -> None:
    with native.empty(timescaledb=False) as database:
        name = database.url.database
        # The extension is there to be installed: only its absence from the list keeps a move from that.
        native.statement(f"ALTER DATABASE {name} SET timezone TO 'UTC'")
        with guest_without_extension(native, str(name)) as target:
            planned = here("migrate", source, "--to", target.address, "--plan")
            assert planned.code == 0
            done = move(source, target)
            went_well("a server without TimescaleDB", done)
            assert "Hypertables need TimescaleDB; this server runs PostgreSQL" in done.out
            assert "The series become plain tables." in done.out
            assert target.ask("SELECT count(*) FROM ohlcv_data") == [(500,)]


@contextlib.contextmanager
def guest_without_extension(native: Native, name: str) -> Iterator[Target]:
    """A user who may make tables and schemas, but no extension."""
    role = f"plain_{name}"
    native.statement(f"CREATE ROLE {role} LOGIN PASSWORD 'of-no-use'")
    with native.admin(name).connect(autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA trdinger_ledger AUTHORIZATION {role}".encode())
        connection.execute(f"GRANT CREATE ON SCHEMA public TO {role}".encode())
    yield server_target(Database(native.owner.set(database=name, username=role, password="of-no-use")))
    with native.admin(name).connect(autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}".encode())
    native.statement(f"DROP ROLE {role}")


def test_a_server_that_is_too_old(source: Path, server: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor is raised over the server that is here; the oldest that is supported is tested elsewhere."""
    monkeypatch.setattr(plans, "POSTGRESQL_SINCE", 990000)
    with untouched(source.parent, but="no such folder"):
        told("a server that is too old", move(source, server))
    assert server.ask(NOTHING_THERE) == [(0,)]
    monkeypatch.undo()
    assert move(source, server).code == 0


def test_a_schema_of_a_newer_version(source: Path, server: Target) -> None:
    assert here("db", "upgrade", "--to", server.address).code == 0
    ((revision,),) = server.ask("SELECT version_num FROM alembic_version")
    server.ask("UPDATE alembic_version SET version_num = '9999'")
    to = ("--to", server.address)
    with untouched(source.parent, but="no such folder"):
        for command in (
            ("migrate", source),
            ("migrate", source, "--plan"),
            ("db", "upgrade"),
            ("db", "downgrade", "base", "--yes"),
            ("db", "check"),
        ):
            done = here(*command, *to)
            told("a schema of a newer version", done)
            assert server.shown in done.sentence
            no_secret(done)
    server.ask(f"UPDATE alembic_version SET version_num = '{revision}'")
    assert move(source, server).code == 0


def test_a_schema_of_an_older_version(source: Path, server: Target) -> None:
    assert here("db", "upgrade", "0001", "--to", server.address).code == 0
    went_well("a schema of an older version", move(source, server))
    assert here("db", "check", "--to", server.address).code == 0


def test_a_ledger_of_a_newer_version(source: Path, server: Target) -> None:
    assert move(source, server).code == 0
    server.ask(f"UPDATE trdinger_ledger.about SET version = {ledger_version.VERSION + 1}")
    with untouched(source.parent, but="no such folder"):
        told("a ledger of a newer version", move(source, server))
        told("a ledger of a newer version", here("migrations", "list", "--to", server.address))
    server.ask(f"UPDATE trdinger_ledger.about SET version = {ledger_version.VERSION}")
    assert move(source, server).code == 0


def test_rows_from_elsewhere(source: Path, server: Target, tmp_path: Path) -> None:
    assert here("db", "upgrade", "--to", server.address).code == 0
    server.ask(
        "INSERT INTO strategy_templates (name, category, config_json) VALUES ('theirs', 'x', '{}')"
        if _has_category(server)
        else "INSERT INTO ga_experiments (name, config, status, progress, current_generation)"
        " VALUES ('theirs', '{}', 'running', 0, 0)"
    )
    with untouched(source.parent, but="no such folder"):
        told("rows from elsewhere", move(source, server))
    assert here("migrate", source, "--to", server.address, "--existing", "replace").code == 0


def _has_category(server: Target) -> bool:
    return bool(
        server.ask(
            "SELECT 1 FROM information_schema.columns WHERE table_name = 'strategy_templates'"
            " AND column_name = 'category'"
        )
    )


def test_no_room_on_the_server(native: Native, full_disk: Callable[..., Path], tmp_path: Path) -> None:
    """A tablespace on a small disk of its own; once the disk is larger, the same command goes on."""
    source = tmp_path / "trdinger.db"
    write_sample(source, SampleOptions(rows=60_000, symbols=("BTC/USDT:USDT",), timeframes=("1m",)))
    disk = full_disk(8 << 20, under=native.home)
    native.own(disk)
    with native.empty() as database:
        name = database.url.database
        native.statement(f"CREATE TABLESPACE small OWNER trdinger LOCATION '{native.inside(disk)}'")
        try:
            native.statement(f"ALTER DATABASE {name} SET default_tablespace TO 'small'")
            target = server_target(database)
            with untouched(tmp_path):
                told("no room on the server", move(source, target))
            subprocess.run(["mount", "-o", "remount,size=512m", str(disk)], check=True)
            done = move(source, target)
            assert done.code == 0, done
            assert "Every cell is equal" in done.out
            assert target.ask("SELECT count(*) FROM ohlcv_data") == [(60_000,)]
        finally:
            native.drop(str(name))
            native.statement("DROP TABLESPACE small")


def test_no_room_for_the_embedded_one(
    engines: Engines, full_disk: Callable[..., Path], large_file: Path, tmp_path: Path
) -> None:
    """Its data directory on a disk with six megabytes left; once that is larger, the same command goes on."""
    if "embedded" not in engines.chosen:
        pytest.skip("embedded: left out by --engine")
    engines.running("embedded")
    disk = full_disk(1 << 30)
    arguments = ["migrate", large_file, "--workdir", tmp_path / "work", "--to", f"embedded:{disk / 'data'}"]
    with running(laid(disk / "data")):
        held = sum(path.stat().st_blocks * 512 for path in disk.rglob("*") if path.is_file())
        subprocess.run(["mount", "-o", f"remount,size={held + (6 << 20)}", str(disk)], check=True)
        with untouched(large_file.parent):
            told("no room on the server", here(*arguments))
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        done = here(*arguments)
    assert done.code == 0, done
    assert "Every cell is equal" in done.out


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60,000 candles: some megabytes on the line."""
    path = tmp_path_factory.mktemp("large") / "trdinger.db"
    write_sample(path, SampleOptions(rows=60_000, symbols=("BTC/USDT:USDT",), timeframes=("1m",)))
    return path


def test_a_line_that_is_cut(
    large_file: Path, server: Target, proxy: Callable[[Database], Proxy], tmp_path: Path
) -> None:
    line = proxy(server.database)
    through = server_target(line.database)
    line.cut_after(2 << 20)
    arguments = ["migrate", large_file, "--workdir", tmp_path / "work"]
    with untouched(large_file.parent):
        done = here(*arguments, "--to", through.address)
    told("a line that is cut", done)
    no_secret(done)
    again = here(*arguments, "--to", server.address, "--json")
    assert again.code == 0, again
    assert again.json["resumed"] is True
    assert server.ask("SELECT count(*) FROM ohlcv_data") == [(60_000,)]


def test_a_server_that_is_shut_down(large_file: Path, server: Target, tmp_path: Path) -> None:
    """Its session is ended by the administrator, as a shutdown ends it."""
    arguments = ["migrate", large_file, "--workdir", tmp_path / "work", "--to", server.address]
    ended = threading.Event()

    def end() -> None:
        with psycopg.connect(server.database.conninfo, autocommit=True) as connection:
            while not ended.is_set():
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'COPY%'"
                )
                time.sleep(0.005)

    enemy = threading.Thread(target=end)
    enemy.start()
    try:
        with untouched(large_file.parent):
            done = here(*arguments)
    finally:
        ended.set()
        enemy.join()
    told("a server that is shut down", done)
    again = here(*arguments)
    assert again.code == 0, again
    assert server.ask("SELECT count(*) FROM ohlcv_data") == [(60_000,)]


def test_another_move_at_work(source: Path, server: Target) -> None:
    assert move(source, server).code == 0
    server.ask("UPDATE trdinger_ledger.move SET finished = NULL, report = NULL")
    with psycopg.connect(server.database.conninfo, autocommit=True) as holding:
        holding.execute("SELECT pg_advisory_lock(%s)", (0x7472_6469,))
        with untouched(source.parent, but="no such folder"):
            told("another move at work", move(source, server))
            told(
                "another move at work",
                here("migrations", "clean", "--yes", "--quiet", "--to", server.address),
            )
    assert move(source, server).code == 0


def test_ctrl_c(
    large_file: Path,
    server: Target,
    tmp_path: Path,
    kill_at: Callable[..., Killed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    arguments = ["migrate", str(large_file), "--workdir", str(tmp_path / "work"), "--to", server.address]
    with untouched(large_file.parent):
        stopped = kill_at(
            [*PROGRAM, *arguments],
            lambda said: "Copy: begins" in said,
            signal_=signal.SIGINT,
            within=PATIENCE,
        )
    told("Ctrl-C", Done(stopped.returncode, "", stopped.output))
    again = here(*arguments)
    assert again.code == 0, again
    assert server.ask("SELECT count(*) FROM ohlcv_data") == [(60_000,)]


def test_every_line_of_the_document_is_held_by_a_test() -> None:
    texts = [Path(str(module.__file__)).read_text("utf-8") for module in (test_bad_files,)]
    texts.append(Path(__file__).read_text("utf-8"))
    named = {case for text in texts for case in re.findall(r'"((?:[A-Za-z][\w ,-]+))"', text)}
    assert set(errors_doc.lines()) <= named
    assert len(errors_doc.lines()) > 30
