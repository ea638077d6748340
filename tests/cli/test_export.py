"""`trdinger export` by command: what is said, in words and in JSON, and what its exit codes are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cli.command import fields, here
from cli.conftest import SECRETS, Moved, Target
from cli.test_json import documented
from trdinger.sample import spoil


def test_a_move_and_an_export_say_the_same_of_the_same_rows(moved: Moved, tmp_path: Path) -> None:
    back = tmp_path / "back.db"
    done = here("export", back, "--from", moved.target.address)
    assert done.code == 0, done.err
    assert done.out.startswith(f"✓ Every cell is equal: {moved.rows}")
    said = dict(line.split(maxsplit=1) for line in done.out.splitlines() if len(line.split()) > 1)
    assert (said["From"], said["To"]) == (moved.target.shown, str(back))
    for stage in ("Write", "Index", "Verify"):
        assert f"{stage}: done in" in done.err
    assert not any(secret in done.out + done.err for secret in SECRETS)
    told = here("export", tmp_path / "again.db", "--from", moved.target.address, "--json")
    assert (told.code, told.err) == (0, "")
    assert fields(told.json) < documented("export")
    assert told.json["result"] == "equal"


def test_a_plan_writes_nothing(moved: Moved, tmp_path: Path) -> None:
    back = tmp_path / "back.db"
    done = here("export", back, "--from", moved.target.address, "--plan")
    assert done.code == 0, done.err
    assert done.out.startswith(f"✓ {moved.rows} would be written; nothing was.")
    told = here("export", back, "--from", moved.target.address, "--plan", "--json")
    assert fields(told.json) == documented("export --plan")
    assert told.json["format"] == "sqlite"
    assert told.json["writes"] is False
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_and_ends_with_2(moved: Moved, tmp_path: Path) -> None:
    back = tmp_path / "back.db"
    back.write_bytes(b"mine")
    done = here("export", back, "--from", moved.target.address, "--quiet")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"trdinger: {back} is there already; nothing was written.\n  → Name another file.\n"
    assert back.read_bytes() == b"mine"


def test_what_sqlite_cannot_hold_ends_with_7_and_is_listed(server: Target, tmp_path: Path) -> None:
    assert here("db", "upgrade", "--to", server.address).code == 0
    server.ask(
        "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        " SELECT 'BTC', '1h', '2024-01-01'::timestamptz + n * interval '1 hour', 'NaN', 1, 1, 1, 1"
        " FROM generate_series(1, 30) AS n"
    )
    server.ask(
        "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        " VALUES ('ETH', '1h', '2024-01-01', 1, 1, 1, 1, 1)"
    )
    back = tmp_path / "back.db"
    done = here("export", back, "--from", server.address)
    assert done.code == 7, done
    assert done.out.startswith("✗ All is equal but 30 values that SQLite cannot hold: 1 row, ")
    assert "  - ohlcv_data row 1, open: nan: SQLite makes null of it" in done.out
    assert "… and 10 more; --json lists all" in done.out
    told = here("export", tmp_path / "again.db", "--from", server.address, "--json")
    assert told.code == 7
    found = {field for field in fields(told.json) if not field.startswith("tables[].shown[]")}
    assert found == documented("export")  # what is shown is a report's
    assert len(told.json["not_held"]) == 30
    with closing(sqlite3.connect(back)) as file:
        assert file.execute("SELECT symbol FROM ohlcv_data").fetchall() == [("ETH",)]


@pytest.mark.parametrize("what", ["empty", "nowhere"])
def test_a_database_without_our_tables_ends_with_5(server: Target, tmp_path: Path, what: str) -> None:
    address = server.address if what == "empty" else f"{server.address}_nowhere"
    done = here("export", tmp_path / "back.db", "--from", address)
    assert done.code == 5
    assert "\n  → " in done.sentence
    said = {"empty": "holds none of Trdinger's tables", "nowhere": "has no such database"}
    assert said[what] in done.sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_files_for_other_programs_are_written_and_told(moved: Moved, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    planned = here("export", out, "--format", form, "--from", moved.target.address, "--plan", "--json")
    assert fields(planned.json) == documented("export --plan")
    assert list(tmp_path.iterdir()) == []
    done = here("export", out, "--format", form, "--from", moved.target.address)
    assert done.code == 0, done.err
    assert done.out.startswith(f"✓ {moved.rows} in 9 files.")
    assert not any(secret in done.out + done.err for secret in SECRETS)
    assert not any(secret in (out / "manifest.json").read_text("utf-8") for secret in SECRETS)
    told = here(
        *("export", tmp_path / "one", "--format", form, "--from", moved.target.address),
        *("--table", "ohlcv_data", "--json"),
    )
    assert (told.code, told.err) == (0, "")
    assert {field for field in documented("export --format") if not field.startswith("not_held[]")} == fields(
        told.json
    )
    assert [one["table"] for one in told.json["tables"]] == ["ohlcv_data"]


def test_a_sqlite_file_is_named_by_its_path_or_address(source: Path, tmp_path: Path) -> None:
    for number, name in enumerate((source, f"sqlite:///{source}", source.name)):
        done = here("export", tmp_path / str(number), "--format", "csv", "--from", name)
        assert done.code == 0, done.err
        assert f"From        {name if name == source.name else source}" in done.out
    spoil(source, ["number-text"])
    done = here("export", tmp_path / "bad", "--format", "csv", "--from", source, "--json")
    assert done.code == 7
    assert fields(done.json) == documented("export --format")
    listed = here("rejects", "list", tmp_path / "bad" / "rejects.jsonl")
    assert "text in a number" in listed.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--format", "xml"), 2, "xml"),
        (("--format", "csv", "--table", "candles"), 2, "Tables are: ohlcv_data, "),
        (("--table", "ohlcv_data"), 2, "Leave --table out"),
        (("--format", "csv", "--from", "sqlite:///nowhere.db"), 4, "There is no file nowhere.db"),
        (("--from", "sqlite:///nowhere.db"), 2, "trdinger backup"),
    ],
)
def test_what_cannot_be_written_is_told(
    arguments: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    done = here("export", tmp_path / "out", *arguments)
    assert done.code == code, done
    assert said in done.sentence
    assert "\n  → " in done.sentence
    assert list(tmp_path.iterdir()) == []
