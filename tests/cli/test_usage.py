"""Help that holds what it promises, and what is said of arguments that cannot be."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.command import Done, apart, environment, here
from cli.conftest import Target
from trdinger import __version__
from trdinger.cli.app import app
from trdinger.errors import EXIT_CODES

SERVER = "postgresql://trdinger@localhost/trdinger"  # as the help names one


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, groups included."""
    yield path
    for name, inner in getattr(group, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))
LEAVES = [path for path in COMMANDS if path not in {(), ("db",), ("migrations",)}]


def examples(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The example commands in a command's help, as a shell reads them."""
    monkeypatch.setenv("COLUMNS", "80")
    text = here(*path, "--help").out
    alone = re.findall(r"^  Example: (trdinger .*(?:\n  \S.*)?)$", text, re.M)
    listed = re.findall(r"^  Examples?:\n((?:    .*\n)+)", text, re.M)
    lines = [*alone, *(line for part in listed for line in part.splitlines())]
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = here(*path, "-h"), here(*path, "--help")
    assert short == long
    assert short.code == 0
    assert short.err == ""
    assert short.out.startswith(f"Usage: {' '.join(('trdinger', *path))}")
    assert examples(path, monkeypatch)
    assert max(map(len, here(*path, "-h").out.splitlines())) <= 110


def mended(path: Path) -> None:
    """A rejects file whose only row fits: a move of a sound file leaves none."""
    names = ("id", "symbol", "timeframe", "timestamp", "open", "high", "low", "close", "volume")
    row = (990_017, "BTC/USDT:USDT", "1h", "1999-01-01 00:00:00.000000", 1.0, 2.0, 0.5, 1.5, 3.0)
    header = {"trdinger": "rejects", "version": 1, "run": str(uuid.UUID(int=17)), "source": "trdinger.db"}
    told = {
        "table": "ohlcv_data",
        "row": 17,
        "reasons": [],
        "values": dict(zip(names, row, strict=True)),
    }
    path.write_text(f"{json.dumps(header)}\n{json.dumps(told)}\n")


def test_every_example_works(
    directory: Path, small_file: Path, tmp_path: Path, server: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRDINGER_EMBEDDED_DIRECTORY", str(directory))
    shutil.copy(small_file, tmp_path / "trdinger.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE prices (at DATETIME, symbol TEXT, price REAL)")
        other.execute("INSERT INTO prices VALUES ('2024-01-01 00:00:00', 'X', 1.5)")
        other.commit()
    assert here("db", "upgrade", "--to", "sqlite:///old.db").code == 0
    ran = set()
    # Benchmarks write millions of rows, and a server has no end: tests/bench and tests/api run them. An
    # archive must have been written: docs/lifecycle.md does, and each of its commands is run. Policies need
    # background workers, jobs may go on for ever, a doctor may find something: tests/cli/test_lifecycle.py.
    left_out = {("bench",), ("serve",), ("archive",), ("db", "stop")}
    left_out |= {("db", "policies"), ("db", "run-jobs"), ("db", "doctor")}
    for path in [path for path in COMMANDS if not {path[:1], path[:2]} & left_out]:
        for _, *arguments in examples(path, monkeypatch):
            arguments = [server.address if each == SERVER else each for each in arguments]  # noqa: PLW2901
            arguments = ["1000" if each == "100000" else each for each in arguments]  # noqa: PLW2901
            if tuple(arguments) not in ran:
                ran.add(tuple(arguments))
                if arguments[0] == "rejects":
                    mended(tmp_path / "trdinger-move" / "rejects.jsonl")
                done = here(*arguments)
                assert done.code == 0, (arguments, done)
    assert len(ran) >= len(LEAVES) - 1
    assert here("db", "downgrade", "base", "--yes").code == 0
    here("db", "psql", "-c", "DROP SCHEMA trdinger_ledger CASCADE")
    assert examples(("db", "stop"), monkeypatch) == [["trdinger", "db", "stop"]]
    assert here("db", "stop").out == "Stopped.\n"
    assert here("db", "stop").out == "None was running.\n"


MISUSES = [
    ("migrate",),
    ("migrate", "a.db", "b.db"),
    ("migrate", "a.db", "--bogus"),
    ("migrate", "a.db", "--existing", "maybe"),
    ("migrate", "a.db", "--to"),
    ("export",),
    ("export", "a.db", "--from", "sqlite:///b.db"),
    ("serve", "--host", "0.0.0.0"),
    ("serve", "--port", "0"),
    ("sample", "a.db", "--rows", "many"),
    ("sample", "a.db", "--rows", "0"),
    ("sample", "a.db", "--timeframe", "7m"),
    ("migrations", "show", "0815", "--to", "embedded:nowhere"),
    ("migrations", "clean", "0815", "--to", "embedded:nowhere"),
    ("db", "start", "--port", "70000"),
    ("db", "psql", "--json"),
    ("db", "downgrade", "base", "--to", "sqlite:///a.db"),
    ("db", "upgrade", "0815", "--to", "sqlite:///a.db"),
    ("db", "nothing"),
    ("nothing",),
    ("--bogus",),
]


@pytest.mark.parametrize("arguments", MISUSES, ids=" ".join)
def test_a_misuse_ends_with_2_in_a_sentence_and_in_json(arguments: tuple[str, ...]) -> None:
    done = here(*arguments)
    assert done.code == 2, done
    assert bool(done.out) is ("--json" in arguments)
    assert re.match(r"trdinger: .+[.?]\n  → .+\n$", done.sentence)
    told = here(*arguments, *([] if "--json" in arguments else ["--json"]))
    error = told.json["error"]
    assert told.code == error["exit_code"] == 2
    assert error["kind"] == "UsageError"
    assert error["message"]
    assert error["hint"]


@pytest.mark.parametrize(
    "arguments", [(), ("db",), ("migrations",)], ids=lambda each: " ".join(each) or "none"
)
def test_without_a_command_the_help_is_shown_and_the_end_is_2(arguments: tuple[str, ...]) -> None:
    done = here(*arguments)
    assert done == Done(2, here(*arguments, "-h").out, "")


@pytest.mark.parametrize("arguments", [("--debug", "inspect", "x.db"), ("inspect", "x.db", "--debug")])
def test_debug_may_stand_anywhere(arguments: tuple[str, ...]) -> None:
    done = here(*arguments)
    assert done.code == 4
    assert done.err.startswith("Traceback (most recent call last):")
    assert "\ntrdinger: There is no file x.db." in done.err
    plain = here(*(each for each in arguments if each != "--debug"))
    assert plain.err == "trdinger: There is no file x.db.\n  → Check the path to trdinger.db.\n"


def test_debug_after_two_dashes_is_a_file() -> None:
    assert "There is no file --debug." in here("inspect", "--", "--debug").err


def test_a_fault_of_ours_asks_for_its_traceback(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_file: object) -> None:
        raise ZeroDivisionError("one")

    monkeypatch.setattr("trdinger.cli.inspect.survey", fail)
    done = here("inspect", source, "--json")
    assert done.code == done.json["error"]["exit_code"] == 70
    assert f"This is a fault of trdinger {__version__}: ZeroDivisionError: one." in done.err
    assert "--debug" in done.json["error"]["hint"]
    assert "Traceback" not in done.err


def test_the_exit_codes_are_the_errors() -> None:
    assert here("exit-codes", "--json").json == {str(code): who for code, who in EXIT_CODES.items()}
    lines = here("exit-codes").out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [
        [str(code), who] for code, who in sorted(EXIT_CODES.items())
    ]


def test_the_module_is_the_program(tmp_path: Path) -> None:
    assert apart(["--version"]) == Done(0, f"{__version__}\n", "")
    done = apart(["inspect", "trdinger.db", "--json"], cwd=tmp_path)
    assert done.code == 4
    assert json.loads(done.out)["error"]["kind"] == "SourceError"


def test_a_start_waits_for_no_library_that_only_a_reader_of_series_needs() -> None:
    code = "import sys; from trdinger.cli.app import run; run(['--version']); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == [__version__, "False"]
