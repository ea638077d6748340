"""`trdinger db`: the embedded engine in the background, states, SQL and schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from cli.command import PROGRAM, apart, environment, here
from cli.conftest import Target
from trdinger.declaration import TABLES


@pytest.fixture
def address(directory: Path) -> str:
    return f"embedded:{directory}"


def test_a_server_starts_answers_and_stops(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert directory  # the engine is here
    data = tmp_path / "data"
    started = here("db", "start", "--directory", data, "--json")
    try:
        assert started.code == 0, started
        said = started.json
        assert said["directory"] == str(data)
        with psycopg.connect(said["url"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        again = here("db", "start", "--directory", data)
        assert f"\n  {said['url']}\n" in again.out
        monkeypatch.setenv("TRDINGER_EMBEDDED_DIRECTORY", str(data))
        state = here("db", "status", "--json")
        assert state.json["address"] == f"embedded:{data}"
        assert state.json["running"] == said
        assert state.json["tables"] == []
    finally:
        stopped = here("db", "stop", "--directory", data, "--json")
    assert stopped.json == {"stopped": True}
    assert here("db", "stop", "--json").json == {"stopped": False}


def test_a_status_of_nothing_makes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = here("db", "status", "--to", f"embedded:{data}")
    assert done.code == 0
    assert f"There is no embedded TimescaleDB in {data} yet" in done.out
    assert here("db", "status", "--to", f"embedded:{data}", "--json").json["absent"] is True
    assert not data.exists()


def test_a_plan_leaves_no_directory_behind(directory: Path, source: Path, tmp_path: Path) -> None:
    assert directory  # the engine is here
    data = tmp_path / "data"
    before = sorted(tmp_path.iterdir())
    planned = here("migrate", source, "--plan", "--to", f"embedded:{data}", "--json")
    assert planned.code == 0, planned
    assert planned.json["target"] == f"embedded:{data}"
    assert sorted(tmp_path.iterdir()) == before


def test_a_schema_goes_up_is_checked_and_goes_down(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./trdinger.db")  # the application's own: never a target
    name, _, data = address.partition(":")
    monkeypatch.setenv("TRDINGER_EMBEDDED_DIRECTORY", data)
    assert name == "embedded"
    up = here("db", "upgrade")
    assert up.code == 0, up
    revision = up.out.rstrip().rsplit(maxsplit=1)[-1].rstrip(".")
    assert up.out.endswith(f"{address} is at revision {revision}.\n")
    assert here("db", "check").out == f"{address}: the schema is this program's.\n"
    assert here("db", "check", "--json").json == {"address": address, "differences": []}
    rows = [line.split()[0] for line in here("db", "status").out.splitlines()[-len(TABLES) :]]
    assert rows == list(TABLES)
    refused = here("db", "downgrade", "base")
    assert refused.code == 2
    assert "add --yes" in refused.sentence
    assert here("db", "check").code == 0

    changed = here("db", "psql", "-c", "ALTER TABLE strategy_templates ADD COLUMN extra text")
    assert (changed.code, changed.out) == (0, "ALTER TABLE\n")
    differs = here("db", "check")
    assert differs.code == 5
    assert "strategy_templates" in differs.sentence
    told = here("db", "check", "--json")
    assert told.code == 5
    assert len(told.json["differences"]) == 1
    assert "extra" in told.json["differences"][0]

    down = here("db", "downgrade", "base", "--yes", "--json")
    assert (down.code, down.json) == (0, {"address": address, "revision": None})
    assert here("db", "status", "--json").json["tables"] == []
    assert not Path("trdinger.db").exists()


def test_the_schema_of_a_sqlite_file(tmp_path: Path) -> None:
    file = f"sqlite:///{tmp_path / 'new.db'}"
    assert here("db", "check", "--to", file).code == 5
    assert here("db", "upgrade", "--to", file, "--json").json["revision"]
    assert here("db", "check", "--to", file).out == f"{file}: the schema is this program's.\n"
    assert here("db", "downgrade", "base", "--yes", "--to", file).code == 0
    done = here("db", "status", "--to", file)
    assert done.code == 2
    assert "is SQLite" in done.sentence


def test_sql_answers_people_and_programs(address: str) -> None:
    statements = (
        "SELECT 1 AS one, 'a [red]b[/red]' || chr(10) || chr(27) || '[2J' AS text, NULL AS nothing",
        "SET work_mem = '8MB'",
        "SELECT 'NaN'::float8 AS broken, now() AS moment, '{\"a\": 1}'::jsonb AS document",
    )
    options = [part for statement in statements for part in ("-c", statement)]
    shown = here("db", "psql", "--to", address, *options)
    assert shown.code == 0, shown
    assert r"1   a [red]b[/red]\n\x1b[2J" in shown.out
    assert shown.out.count("(1 row)") == 2
    assert "\nSET\n" in shown.out
    first, second, third = here("db", "psql", "--to", address, "--json", *options).json
    assert first["columns"] == ["one", "text", "nothing"]
    assert first["rows"] == [[1, "a [red]b[/red]\n\x1b[2J", None]]
    assert second == {"status": "SET", "columns": [], "rows": []}
    assert third["rows"][0][0] == "nan"
    assert third["rows"][0][2] == {"a": 1}


def test_sql_that_fails_is_told_by_the_database_that_was_named(address: str) -> None:
    done = here("db", "psql", "--to", address, "-c", "SELECT nonsense", "--json")
    assert done.code == 5
    assert done.json["error"]["message"] == f'{address} answered: column "nonsense" does not exist.'


def test_a_pipe_gets_a_row_a_line_and_may_close(address: str) -> None:
    wide = "SELECT n, repeat('x', 200) AS wide FROM generate_series(1, 3000) AS n"
    done = apart(["db", "psql", "--to", address, "-c", wide], COLUMNS="80")
    lines = [line for line in done.out.splitlines() if "x" * 200 in line]
    assert len(lines) == 200
    assert "(the first 200 of 3,000 rows)" in done.out
    command = [*PROGRAM, "db", "psql", "--to", address, "-c", wide, "--json"]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as piped:
        assert piped.stdout is not None
        assert piped.stderr is not None
        assert piped.stdout.readline() == "[\n"
        piped.stdout.close()
        assert piped.stderr.read() == ""
        assert piped.wait() == 0


def test_a_prompt_of_our_own_where_there_is_no_psql(address: str, tmp_path: Path) -> None:
    typed = "\nSELECT 40 +\n2 AS answer;\nSELECT nonsense;\nSELECT 43 AS after;\n\\q\n"
    done = subprocess.run(
        [*PROGRAM, "db", "psql", "--to", address],
        env=environment(PATH=f"{_without_psql(tmp_path)}"),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("psql is not installed;")
    assert done.stdout.index("42") < done.stdout.index("nonsense") < done.stdout.index("43")


def test_psql_gets_the_password_without_showing_it(
    server: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    psql = tmp_path / "bin" / "psql"
    psql.parent.mkdir()
    told = tmp_path / "told.json"
    psql.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"json.dump([sys.argv[1:], os.environ['PGPASSWORD']], open({str(told)!r}, 'w'))\n"
    )
    psql.chmod(0o755)
    monkeypatch.setenv("PATH", f"{psql.parent}:{os.environ['PATH']}")
    assert here("db", "psql", "--to", server.address).code == 0
    arguments, password = json.loads(told.read_text())
    assert password == server.database.url.password
    assert arguments == [server.shown.replace(":***", "")]


def _without_psql(folder: Path) -> Path:
    """A PATH that has Node and nothing else."""
    beside = folder / "bin"
    beside.mkdir()
    for name in ("node", "npm"):
        for place in os.environ["PATH"].split(os.pathsep):
            if (Path(place) / name).exists():
                (beside / name).symlink_to(Path(place) / name)
                break
    return beside
