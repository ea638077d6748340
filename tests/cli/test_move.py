"""A move by command, on both kinds of target: what is said, kept and proven, and what is never said."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from cli.command import here
from cli.conftest import SECRETS, Moved


def test_a_move_ends_proven_and_says_where_everything_is(moved: Moved) -> None:
    assert moved.done.code == 0, moved.done.err
    assert moved.done.out.startswith(f"✓ Every cell is equal: {moved.rows}")
    said = dict(line.split(maxsplit=1) for line in moved.done.out.splitlines() if len(line.split()) > 1)
    assert said["From"] == str(moved.source)
    assert said["To"] == moved.target.shown
    for name in ("Page", "JSON", "Backup"):
        assert Path(said[name]).is_file()
    for stage in ("Back up", "Check", "Schema", "Copy", "Finish", "Verify"):
        assert f"{stage}: done in" in moved.done.err


def test_the_report_and_the_ledger_name_the_target_as_it_can_be_named_again(moved: Moved) -> None:
    kept = json.loads((moved.workdir / "report.json").read_text("utf-8"))
    assert kept["target"] == moved.target.shown
    assert kept["result"] == "equal"
    ((in_ledger,),) = moved.target.ask("SELECT report FROM trdinger_ledger.move")
    assert in_ledger == kept
    page = (moved.workdir / "report.html").read_text("utf-8")
    assert moved.target.shown in page
    if moved.target.shown.startswith("embedded:"):
        everything = page + json.dumps(kept) + moved.done.out + moved.done.err
        assert "127.0.0.1" not in everything


def test_the_status_of_the_target_counts_its_rows(moved: Moved) -> None:
    told = here("db", "status", "--to", moved.target.address, "--json").json["tables"]
    for table in told:
        ((rows,),) = moved.target.ask(f"SELECT count(*) FROM {table['table']}")
        assert table["rows_estimate"] == rows, table


def test_the_command_that_proves_it_again_does(moved: Moved, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = [line for line in moved.done.out.splitlines() if "Prove again" in line]
    program, *arguments = shlex.split(line.removeprefix("  Prove again"))
    assert program == "trdinger"
    password = moved.target.database.url.password
    if password:  # which the report does not keep
        monkeypatch.setenv("PGPASSWORD", str(password))
    done = here(*arguments)
    assert done.code == 0, done.err
    assert done.out.startswith(f"✓ Every cell is equal: {moved.rows}")


def test_the_same_command_again_copies_nothing_and_proves_it_again(moved: Moved) -> None:
    written = "SELECT table_name, number, rows, committed FROM trdinger_ledger.unit ORDER BY 1, 2"
    before = moved.target.ask(written)
    done = here("migrate", moved.source, "--to", moved.target.address, "--json")
    assert done.code == 0, done.err
    assert done.json["result"] == "equal"
    assert sum(table["rows_compared"] for table in done.json["tables"]) > 0
    assert moved.target.ask(written) == before
    assert len(list(moved.workdir.glob("*.db"))) == 1


def test_a_target_with_rows_refuses_another_file(moved: Moved, source: Path) -> None:
    before = moved.target.ask("SELECT count(*), max(id) FROM ohlcv_data")
    done = here("migrate", source, "--to", moved.target.address)
    assert done.code == 5
    assert f"trdinger: {moved.target.shown} already holds rows in ohlcv_data" in done.sentence
    assert "--existing replace" in done.sentence
    assert moved.target.ask("SELECT count(*), max(id) FROM ohlcv_data") == before
    assert not source.with_name("trdinger-move").exists()


def test_a_changed_value_is_found_and_shown(moved: Moved) -> None:
    ((identity, symbol, timeframe, close),) = moved.target.ask(
        "SELECT id, symbol, timeframe, close FROM ohlcv_data ORDER BY timestamp, symbol, timeframe LIMIT 1"
    )
    moved.target.ask(f"UPDATE ohlcv_data SET close = {close!r} + 0.25 WHERE id = {identity}")
    try:
        done = here("verify", moved.source, "--to", moved.target.address)
        told = here("verify", moved.source, "--to", moved.target.address, "--json")
    finally:
        moved.target.ask(f"UPDATE ohlcv_data SET close = {close!r} WHERE id = {identity}")
    assert done.code == told.code == 6
    assert done.out.startswith("✗ Not equal: 1 difference in ohlcv_data;")
    (line,) = [line for line in done.out.splitlines() if str(close + 0.25) in line]
    for part in (symbol, timeframe, "close", repr(close), repr(close + 0.25)):
        assert part in line
    assert "trdinger: Source and target are not equal." in done.sentence
    assert told.json["result"] == "different"
    (shown,) = [one for table in told.json["tables"] for one in table["shown"]]
    assert (shown["table"], shown["what"], shown["column"]) == ("ohlcv_data", "value", "close")
    assert (float(shown["source"]), float(shown["target"])) == (close, close + 0.25)
    assert "trdinger: Source and target are not equal." in told.err


def test_a_lost_and_a_strange_row_are_found(moved: Moved) -> None:
    moved.target.ask("CREATE TABLE aside AS SELECT * FROM strategy_templates ORDER BY id LIMIT 1")
    moved.target.ask("DELETE FROM strategy_templates WHERE id IN (SELECT id FROM aside)")
    ((last,),) = moved.target.ask("SELECT max(id) FROM data_collection_log")
    moved.target.ask(
        f"INSERT INTO data_collection_log SELECT (jsonb_populate_record(l, '{{\"id\": {last + 1}}}')).*"
        f" FROM data_collection_log l WHERE id = {last}"
    )
    try:
        done = here("verify", moved.source, "--to", moved.target.address)
    finally:
        moved.target.ask(f"DELETE FROM data_collection_log WHERE id = {last + 1}")
        moved.target.ask("INSERT INTO strategy_templates SELECT * FROM aside")
        moved.target.ask("DROP TABLE aside")
    assert done.code == 6
    assert "strategy_templates: 1 difference" in done.out
    assert "missing in the target" in done.out
    assert "data_collection_log: 1 difference" in done.out
    assert "in the target only" in done.out
    assert here("verify", moved.source, "--to", moved.target.address, "--quiet").code == 0


def test_no_password_is_in_any_output(moved: Moved) -> None:
    address = moved.target.address
    runs = [
        moved.done,
        here("migrate", moved.source, "--to", address, "--plan", "--debug"),
        here("migrate", moved.source, "--to", address, "--debug"),
        here("migrate", moved.source, "--to", address, "--json"),
        here("verify", moved.source, "--to", address, "--debug"),
        here("db", "status", "--to", address, "--debug"),
        here("db", "check", "--to", address, "--json"),
        here("db", "psql", "--to", address, "-c", "SELECT nonsense", "--debug"),
        here("migrate", "missing.db", "--to", address, "--debug"),
    ]
    assert [done.code for done in runs] == [0, 0, 0, 0, 0, 0, 0, 5, 4]
    kept = [path.read_text("utf-8") for path in moved.workdir.iterdir() if path.suffix != ".db"]
    kept += [str(row) for row in moved.target.ask("SELECT * FROM trdinger_ledger.move")]
    assert len(kept) >= 4
    for text in [*kept, *(done.out + done.err for done in runs)]:
        assert not any(secret in text for secret in SECRETS)
    assert moved.target.shown in runs[1].out
