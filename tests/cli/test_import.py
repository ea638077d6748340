"""`trdinger import` by command: what is said, in words and in JSON, and what its exit codes are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.command import Done, fields, here
from cli.conftest import SECRETS, Moved, Target
from cli.test_json import documented
from trdinger.declaration import TABLES


@pytest.fixture
def exported(moved: Moved, tmp_path: Path) -> Path:
    """What was moved, as a folder of CSV."""
    assert here("export", tmp_path / "out", "--format", "csv", "--from", moved.target.address).code == 0
    return tmp_path / "out"


def counts(done: Done) -> dict[str, int]:
    """New, known and rejected rows over all tables."""
    return {name: sum(one[name] for one in done.json["tables"]) for name in ("new", "known", "rejected")}


def test_an_export_comes_into_another_database_and_is_proven(
    moved: Moved, exported: Path, server: Target
) -> None:
    refused = here("import", exported, "--to", server.address)
    assert refused.code == 5
    assert "trdinger db upgrade" in refused.sentence
    assert here("db", "upgrade", "--to", server.address).code == 0
    planned = here("import", exported, "--to", server.address, "--plan", "--json")
    assert (planned.code, planned.err) == (0, "")
    rows = sum(one["rows"] for one in planned.json["tables"])
    assert counts(planned) == {"new": rows, "known": 0, "rejected": 0}
    assert server.ask("SELECT count(*) FROM ohlcv_data") == [(0,)]
    done = here("import", exported, "--to", server.address)
    assert done.code == 0, done.err
    assert done.out.startswith(f"✓ {rows:,} new rows, 0 known already.")
    assert not any(secret in done.out + done.err for secret in SECRETS)
    again = here("import", exported, "--to", server.address, "--json")
    assert counts(again) == {"new": 0, "known": rows, "rejected": 0}
    assert here("verify", moved.source, "--to", server.address).code == 0


def test_rows_that_do_not_fit_end_with_7_and_are_listed(exported: Path, server: Target) -> None:
    assert here("db", "upgrade", "--to", server.address).code == 0
    file = exported / "funding_rate_data.csv"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    cells = lines[1].split(",")
    cells[2] = "n/a"
    file.write_text("".join([lines[0], ",".join(cells), *lines[2:], "1,2\n"]), "utf-8")
    done = here("import", file, "--to", server.address)
    assert done.code == 7, done
    assert f"✗ {len(lines) - 2:,} new rows, 0 known already, 2 rejected." in done.out
    assert "funding_rate_data row 1, funding_rate: text that is no number" in done.out
    kept = exported / "funding_rate_data-rejects.jsonl"
    assert f"2 rows set aside in {kept}" in done.sentence
    listed = here("rejects", "list", kept)
    assert "text that is no number" in listed.out
    told = here("import", file, "--to", server.address, "--workdir", exported.parent, "--json")
    assert told.code == 7
    assert fields(told.json) == documented("import")
    assert told.json["rejects"] == str(exported.parent / "rejects.jsonl")
    assert counts(told) == {"new": 0, "known": len(lines) - 2, "rejected": 2}
    planned = here("import", file, "--to", server.address, "--plan")
    assert planned.code == 7
    assert "2 rows would be set aside" in planned.sentence


def test_only_the_tables_that_are_asked_for_come_in(exported: Path, server: Target) -> None:
    assert here("db", "upgrade", "--to", server.address).code == 0
    done = here("import", exported, "--to", server.address, "--table", "ohlcv_data", "--json")
    assert [one["table"] for one in done.json["tables"]] == ["ohlcv_data"]
    full = [name for name in TABLES if server.ask(f"SELECT EXISTS (SELECT FROM {name})") == [(True,)]]
    assert full == ["ohlcv_data"]


def test_what_cannot_be_read_is_told(moved: Moved, exported: Path, tmp_path: Path) -> None:
    to = ("--to", moved.target.address)
    for arguments, code, said in (
        (("nowhere", *to), 2, "There is no file or folder nowhere"),
        ((exported, *to, "--table", "candles"), 2, "Tables are: ohlcv_data"),
        ((exported / "manifest.json", *to), 2, "no ending of a format"),
        ((exported / "ohlcv_data.csv", "--to", f"sqlite:///{tmp_path}/a.db"), 2, "is SQLite"),
    ):
        done = here("import", *arguments)
        assert done.code == code, done
        assert said in done.sentence
        assert "\n  → " in done.sentence
    with (exported / "ohlcv_data.csv").open("ab") as file:
        file.write(b"\n")
    done = here("import", exported, *to)
    assert done.code == 4
    assert "its SHA-256 is another" in done.sentence
