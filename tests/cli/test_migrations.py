"""`trdinger migrations`: the ledger for people and programs, and what it takes to remove a move."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.command import fields, here
from cli.conftest import SECRETS, Target
from cli.test_json import answered, documented
from trdinger.declaration import TABLES


@pytest.fixture
def abandoned(server: Target, source: Path) -> str:
    """The id of a move that was stopped before its end: a finished one whose ledger lost that line."""
    assert here("migrate", source, "--to", server.address, "--quiet").code == 0
    server.ask("UPDATE trdinger_ledger.move SET finished = NULL, report = NULL")
    ((identity,),) = server.ask("SELECT id::text FROM trdinger_ledger.move")
    return str(identity)


def test_a_target_without_a_ledger_knows_of_no_move(server: Target, tmp_path: Path) -> None:
    for to in (server.address, f"embedded:{tmp_path / 'none'}"):
        assert here("migrations", "list", "--to", to).out == "The target knows of no move.\n"
        assert answered(here("migrations", "list", "--to", to, "--json")) == []
        assert here("migrations", "show", "--to", to).out == "The target knows of no move.\n"
        assert "nothing to remove" in here("migrations", "clean", "--to", to, "--yes").out
        assert answered(here("migrations", "clean", "--to", to, "--yes", "--json")) is None
    assert list(tmp_path.iterdir()) == []


def test_a_move_is_listed_and_shown_with_its_report(server: Target, source: Path) -> None:
    assert here("migrate", source, "--to", server.address, "--quiet").code == 0
    to = ("--to", server.address)
    (listed,) = answered(here("migrations", "list", *to, "--json"))
    assert fields(listed) == documented("migrations list")
    assert (listed["state"], listed["source"]) == ("finished", str(source))
    held = sum(server.ask(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES)
    assert listed["rows"] == held
    shown = answered(here("migrations", "show", listed["id"][:8], *to, "--json"))
    report = shown.pop("report")
    assert fields(shown) | {"report"} == documented("migrations show")
    assert {table["table"]: table["rows"] for table in shown["tables"]}["ohlcv_data"] == 500
    assert report == json.loads((source.parent / "trdinger-move" / "report.json").read_text("utf-8"))
    people = here("migrations", "list", *to).out + here("migrations", "show", *to).out
    for part in (listed["id"], "finished, and proven equal", "keys of ohlcv_data", "Every cell is equal"):
        assert part in people
    assert not any(secret in people for secret in SECRETS)


def test_a_removal_is_planned_asked_for_and_done(server: Target, source: Path, abandoned: str) -> None:
    to = ("--to", server.address)
    refused = here("migrations", "clean", *to)
    assert refused.code == 2
    assert "Nothing was done" in refused.sentence
    assert "add --yes" in refused.sentence
    plan = answered(here("migrations", "clean", *to, "--plan", "--json"))
    assert fields({key: value for key, value in plan.items() if key != "rows"}) | {"rows"} == documented(
        "migrations clean"
    )
    assert (plan["id"], plan["removed"], plan["rows"]["ohlcv_data"]) == (abandoned, False, 500)
    told = here("migrations", "clean", *to, "--plan")
    assert told.out.startswith("✓ Would be removed: ")
    assert f"trdinger migrations clean {abandoned[:8]} --to " in told.out
    assert not any(secret in told.out for secret in SECRETS)
    assert server.ask("SELECT count(*) FROM ohlcv_data") == [(500,)]

    done = here("migrations", "clean", abandoned[:8], *to, "--yes")
    assert done.code == 0, done
    assert done.out.startswith("✓ Removed: ")
    assert "Its backup stays: " in done.out
    assert server.ask("SELECT count(*) FROM ohlcv_data") == [(0,)]
    assert here("migrations", "list", *to).out == "The target knows of no move.\n"
    assert len(list((source.parent / "trdinger-move").glob("*.db"))) == 1
    assert here("migrate", source, *to, "--quiet").code == 0


def test_its_backup_goes_with_it_when_asked_for(server: Target, source: Path, abandoned: str) -> None:
    done = answered(
        here("migrations", "clean", abandoned, "--to", server.address, "--yes", "--backup", "--json")
    )
    assert done["backup"]["removed"] is True
    assert not list((source.parent / "trdinger-move").glob("*.db*"))
    assert source.exists()


def test_what_others_wrote_is_refused_with_5(server: Target, abandoned: str) -> None:
    server.ask("UPDATE ga_experiments SET progress = 0.5 WHERE id = (SELECT min(id) FROM ga_experiments)")
    done = here("migrations", "clean", abandoned, "--to", server.address, "--yes")
    assert done.code == 5
    assert "ga_experiments holds 1 rows that something else" in done.sentence
    assert "Nothing was removed" in done.sentence
    assert server.ask("SELECT count(*) FROM ohlcv_data") == [(500,)]
