"""Answers for programs: one JSON value on stdout, with the fields that docs/json.md lists and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.command import Done, fields, here
from cli.conftest import Target
from legacy.conftest import File
from legacy.test_damage import leaves, ruin
from trdinger.sample import spoil

DOCS = Path(__file__).resolve().parents[2] / "docs" / "json.md"
BY_NAME = re.compile(r"^(rows|rejected|replayed|known|values)\..*")  # names of tables or columns


def documented(heading: str) -> set[str]:
    """The fields under a heading of docs/json.md."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", DOCS.read_text("utf-8"), re.M | re.S)
    assert section is not None
    return set(re.findall(r"^\| `([^`]+)` \|", section[1], re.M))


def _without_names(found: set[str]) -> set[str]:
    return {field for field in found if not BY_NAME.match(field)}


def answered(done: Done, code: int = 0) -> Any:
    """The answer of a command that ended with the code and said nothing else."""
    assert done.code == code, done
    assert bool(done.err) is (code == 2 or "aside" in done.err or "left in" in done.err)
    return done.json


def test_a_plan_an_inspection_and_a_backup(source: Path, server: Target) -> None:
    spoil(source, ["time-with-t"])
    plan = answered(here("migrate", source, "--to", server.address, "--plan", "--json"))
    assert fields(plan) == documented("migrate --plan")
    assert (plan["writes"], plan["target"], plan["goes_on_with"]) == (False, server.shown, None)
    backup = answered(here("backup", source, "--json"))
    assert fields(backup) == documented("backup")
    assert Path(backup["path"]).stat().st_size == backup["bytes"]
    found = answered(here("inspect", source, "--json"))
    spoil(source, ["number-text", "json-nan"])
    wrong = answered(here("inspect", source, "--json"), code=7)
    for page in leaves(File(source), "ohlcv_data"):
        ruin(source, page)
    broken = answered(here("inspect", source, "--json"), code=4)
    assert _without_names(fields(found) | fields(wrong) | fields(broken)) == documented("inspect")
    assert found["problems"] == []
    assert [one["reason"] for one in wrong["problems"]]


def test_the_rejects_of_a_move(source: Path, server: Target) -> None:
    spoil(source, ["number-text"])
    report = answered(here("migrate", source, "--to", server.address, "--json"), code=7)
    assert report["result"] == "rejected"
    path = report["rejects_file"]
    listed = answered(here("rejects", "list", path, "--json"))
    assert _without_names(fields(listed)) == documented("rejects list")
    one = json.loads(Path(path).read_text().splitlines()[1])
    shown = answered(here("rejects", "show", path, one["table"], one["row"], "--json"))
    assert _without_names(fields(shown)) == documented("rejects show")
    left = answered(here("rejects", "replay", path, "--to", server.address, "--plan", "--json"), code=7)
    assert _without_names(fields(left)) == documented("rejects replay")


def test_a_sample(tmp_path: Path) -> None:
    said = answered(here("sample", tmp_path / "a.db", "--rows", 500, "--spoil", "null", "--json"))
    assert _without_names(fields(said)) == documented("sample")
    assert said["rows"]["ohlcv_data"] == 500
    assert {one["kind"] for one in said["spoiled"]} == {"null"}


def test_a_schema_and_its_state(server: Target) -> None:
    to = ("--to", server.address, "--json")
    up = answered(here("db", "upgrade", *to))
    assert fields(up) == documented("db upgrade")
    # Of the embedded engine alone; and no job ran here.
    elsewhere = {
        field for field in documented("db status") if re.match(r"directory|running|absent|jobs\[\]", field)
    }
    status = answered(here("db", "status", *to))
    assert fields(status) == documented("db status") - elsewhere
    assert status["revision"] == up["revision"]
    check = answered(here("db", "check", *to))
    assert fields(check) == documented("db check")
    down = answered(here("db", "downgrade", "base", "--yes", *to))
    assert fields(down) == documented("db downgrade")
    for answer in (up, status, check, down):
        assert answer["address"] == server.shown
    (sql,) = answered(here("db", "psql", *to, "-c", "SELECT 1 AS one"))
    assert fields(sql) == documented("db psql")
    assert sql == {"status": "SELECT 1", "columns": ["one"], "rows": [[1]]}


def test_the_embedded_engine(directory: Path) -> None:
    started = answered(here("db", "start", "--directory", directory, "--json"))
    assert fields(started) == documented("db start")
    status = answered(here("db", "status", "--to", f"embedded:{directory}", "--json"))
    found = {field for field in fields(status) if not field.startswith(("running.", "tables[]"))}
    found |= {field for field in documented("db status") if field.startswith("jobs[]")}  # none ran here
    assert found == {field for field in documented("db status") if not field.startswith("tables[]")}
    assert status["running"] == started
    stopped = answered(here("db", "stop", "--directory", directory / "elsewhere", "--json"))
    assert set(stopped) == documented("db stop")


@pytest.mark.parametrize("command", [("migrate", "--bogus"), ("db", "nothing")])
def test_an_error(command: tuple[str, ...]) -> None:
    assert fields(answered(here(*command, "--json"), code=2)) - {"error"} == documented("An error")
