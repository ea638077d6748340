"""What cannot go well ends with its exit code and a sentence; docs/errors.md has tests of its own."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cli.command import Done, here
from cli.conftest import Target
from trdinger.sample import KINDS, spoil

NOWHERE = "postgresql://nobody:geheim@127.0.0.1:{port}/nothing"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that nobody reaches: whoever asks for it before the file was looked at is found out."""
    monkeypatch.setenv("DATABASE_URL", NOWHERE.format(port=1))


def told(done: Done, code: int, *parts: str) -> None:
    """The command ended with the code and said each part, in sentences and without a traceback."""
    assert done.code == code, done
    assert done.out == ""
    for part in parts:
        assert part in done.sentence
    assert "\n  → " in done.sentence
    assert "Traceback" not in done.err
    assert "fault of trdinger" not in done.err


def unknown(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
        connection.execute("ALTER TABLE ga_experiments ADD COLUMN mood TEXT")
    connection.close()
    return "notes"


def test_the_same_in_json(tmp_path: Path) -> None:
    done = here("migrate", tmp_path / "trdinger.db", "--json")
    assert done.code == 4
    assert done.json["error"]["kind"] == "SourceError"
    assert done.json["error"]["exit_code"] == 4
    assert done.json["error"]["message"] in done.err
    assert done.json["error"]["hint"] in done.err


def test_a_strange_path_is_a_path_like_any_other(small_file: Path, tmp_path: Path, server: Target) -> None:
    path = tmp_path / "it's [bold]a 100% 日本 #?&.db"
    shutil.copy(small_file, path)
    done = here("migrate", path, "--to", server.address)
    assert done.code == 0, done.err
    assert f"  From        {path}\n" in done.out
    assert path.with_name(f"{path.stem}-move").is_dir()


def test_a_file_with_strange_columns_has_them_named(source: Path, server: Target) -> None:
    unknown(source)
    told(here("migrate", source, "--to", server.address), 4, "mood", "--leave-out ga_experiments.mood")
    leaving = ("--leave-out", "ga_experiments.mood", "--leave-out", "notes")
    done = here("migrate", source, "--to", server.address, *leaving)
    assert done.code == 0
    assert "  - table notes" in done.out


def test_a_plan_that_names_what_is_not_there_is_told_of(source: Path, server: Target, tmp_path: Path) -> None:
    unknown(source)
    to = ("--to", server.address)
    told(here("migrate", source, *to, "--hypertable", "note:at"), 2, "has no table note", "notes")
    told(here("migrate", source, *to, "--hypertable", "notes:at"), 2, "has no column at", "text")
    told(here("migrate", source, *to, "--with", tmp_path / "none.toml"), 2, "cannot be read")
    told(here("migrate", source, *to, "--hypertable", "ohlcv_data:timestamp"), 2, "nothing to decide")


def test_values_that_do_not_fit_are_all_named_before_anything_is_written(
    source: Path, server: Target
) -> None:
    damages = spoil(source, ["number-text", "time-unparseable", "json-broken"])
    looked = here("inspect", source, "--json")
    assert looked.code == 7
    found = {(one["table"], one["rowid"], one["column"]) for one in looked.json["problems"]}
    assert found >= {(one.table, one.rowid, one.column) for one in damages}
    done = here("migrate", source, "--to", server.address, "--strict")
    told(done, 7, "nothing was moved", *(f"{one.table} row {one.rowid}, {one.column}" for one in damages))
    assert server.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    shown = here("inspect", source)
    assert shown.code == 7
    assert shown.out.startswith("✗ ")
    assert " will be set aside." in shown.out.splitlines()[0]


def test_an_unknown_kind_of_damage_lists_the_known_ones(tmp_path: Path) -> None:
    done = here("sample", tmp_path / "new.db", "--spoil", "rust")
    told(done, 2, "rust", *KINDS)
    assert not (tmp_path / "new.db").exists()


def test_tables_of_others_are_left_alone_unless_told_otherwise(source: Path, server: Target) -> None:
    server.ask("CREATE TABLE notes AS SELECT 1 AS one")
    told(here("migrate", source, "--to", server.address), 5, server.shown, "notes", "--existing keep")
    assert server.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]
    assert here("migrate", source, "--to", server.address, "--existing", "keep").code == 0
    assert server.ask("SELECT one FROM notes") == [(1,)]


@pytest.mark.parametrize("command", ["migrate", "verify"])
def test_sqlite_is_no_target(command: str, source: Path) -> None:
    before = source.read_bytes()
    told(here(command, source, "--to", f"sqlite:///{source}"), 2, "is SQLite", "--to embedded:")
    assert source.read_bytes() == before


def test_an_address_that_is_none_ends_with_2_and_a_setting_with_3(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(here("migrate", source, "--to", "mysql://root:geheim@db/x"), 2, "Only PostgreSQL")
    monkeypatch.setenv("DATABASE_URL", "postgresql://geheim")
    done = here("migrate", source)
    told(done, 3, "DATABASE_URL")
    assert "geheim" not in done.err


def fill(path: Path) -> None:
    """Let the file grow until its disk is full."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(b"0" * 4096)


def test_a_report_that_finds_no_room_spoils_no_move(
    source: Path, server: Target, full_disk: Callable[..., Path]
) -> None:
    size = source.stat().st_size
    small = full_disk((17 << 20) + size)
    assert here("migrate", source, "--to", server.address, "--workdir", small).code == 0
    for report in small.glob("report.*"):
        report.unlink()
    fill(small / "ballast")
    done = here("migrate", source, "--to", server.address, "--workdir", small)
    assert done.code == 0, done.err
    assert f"The report cannot be written to {small}" in done.err
    assert "✓ Every cell is equal" in done.out
    assert "  Page" not in done.out
