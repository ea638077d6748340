"""The commands in the docs: those that can run here are run, the others are at least understood."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from documents import DOCUMENTS, REPOSITORY, Block, blocks, generator, name, prose, runnable, spoken

from engines import Embedded, laid
from trdinger.cli.app import app, run
from trdinger.engine import embedded
from trdinger.sample import SampleOptions, write_sample

# Why a block is not run. Each block that is not run names one of these programs or hosts, and only such.
NOT_RUN = {
    "make": "it is what runs this, or takes minutes",
    ".venv/bin/activate": "`make install` makes it, which these tests may not have been run by",
    "docker": "it needs a Docker engine",
    "db.example": "it needs the reader's own server",
    "127.0.0.1": "it needs the reader's own server",
}
SHELL = [block for document in DOCUMENTS for block in blocks(document) if block.is_shell]
RUNNING = [document for document in DOCUMENTS if any(block.runs for block in blocks(document))]


def test_there_are_blocks_of_both_kinds() -> None:
    assert len([block for block in SHELL if block.runs]) > 5
    assert len([block for block in SHELL if not block.runs]) > 5


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_block_says_what_it_is(document: Path) -> None:
    for block in blocks(document):
        assert block.info in {"sh", "sh no-run", "python", "text"}, str(block)


@pytest.mark.parametrize("block", [block for block in SHELL if not block.runs], ids=str)
def test_a_block_that_is_not_run_has_its_reason(block: Block) -> None:
    assert any(word in block.text for word in NOT_RUN), f"{block} could run: fence it as `sh`"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "trdinger.db"
    write_sample(path, SampleOptions(rows=500, symbols=("BTC/USDT:USDT",), timeframes=("1h",)))
    return path


@pytest.mark.parametrize("document", [one for one in RUNNING if one.name != "README.ja.md"], ids=name)
def test_its_commands_run_in_their_order(document: Path, sample: Path, tmp_path: Path) -> None:
    if reason := Embedded().absent():
        pytest.skip(f"embedded: {reason}")
    desk = tmp_path / "desk"
    desk.mkdir()
    shutil.copyfile(sample, desk / "trdinger.db")
    environment = runnable(tmp_path)
    said = ""
    with serving(tmp_path / "data", *(desk / one for one in directories(document))):
        for block in blocks(document):
            if block.runs:
                said += ran(block, desk, environment)
    assert "Every cell is equal" in said


def ran(block: Block, desk: Path, environment: dict[str, str]) -> str:
    """What a block's commands print, run until one fails."""
    done = subprocess.run(
        block.command, cwd=desk, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def directories(document: Path) -> set[str]:
    """The embedded databases that a document's running blocks name."""
    return {
        one for block in blocks(document) if block.runs for one in re.findall(r"embedded:(\w+)", block.text)
    }


@contextlib.contextmanager
def serving(*data: Path) -> Iterator[None]:
    """Embedded servers on these directories: each command could start its own, one after the other."""
    try:
        for directory in data:
            embedded.start(laid(directory))
        yield
    finally:
        for directory in data:
            embedded.stop(directory)


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_its_commands_exist_and_take_what_they_are_given(block: Block, tmp_path: Path) -> None:
    for program, *arguments in spoken(block, tmp_path):
        {"trdinger": understood, "make": is_a_target, "docker": composes}[program](arguments)


def test_every_block_with_a_command_is_heard(tmp_path: Path) -> None:
    heard = [call for block in SHELL for call in spoken(block, tmp_path)]
    assert {call[0] for call in heard} == {"trdinger", "make", "docker"}
    assert ["trdinger", "migrate", "trdinger.db", "--plan"] in heard


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_the_commands_in_its_sentences_exist(document: Path) -> None:
    for said in re.findall(r"`trdinger ([^`]+)`", prose(document)):
        understood(shlex.split(said))
    for target in re.findall(r"`make ([a-z]+)`", prose(document)):
        is_a_target([target])


@pytest.mark.parametrize("command", generator.commands(), ids=" ".join)
def test_its_help_ends_in_an_example_that_it_understands(command: tuple[str, ...]) -> None:
    found: Any = typer.main.get_command(app)
    for word in command:
        found = found.commands[word]
    help_text = f"{found.help}\n{found.epilog or ''}"
    examples = re.findall(r"(?m)(?:Example:|^)\s+(trdinger .+)$", help_text)
    assert examples, "its docstring has no line `Example: trdinger …`"
    for example in examples:
        understood(shlex.split(example)[1:])
    if "commands" not in vars(found):
        assert shlex.split(examples[-1])[1 : 1 + len(command)] == list(command)


def test_a_command_that_does_not_exist_is_noticed() -> None:
    for wrong in (["migrat"], ["migrate", "--tow", "x"], ["db", "begin"]):
        with pytest.raises(AssertionError):
            understood(wrong)


def understood(arguments: list[str]) -> None:
    """The command exists and has these options: asked for its help after them, it gives it."""
    if not arguments:
        return
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = run([*arguments, "--help"])
    assert code == 0, f"trdinger {shlex.join(arguments)}: {said.getvalue()}"


def is_a_target(arguments: list[str]) -> None:
    targets = re.findall(r"(?m)^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"))
    assert set(targets) >= {argument for argument in arguments if "=" not in argument}


def composes(arguments: list[str]) -> None:
    """`docker compose [-f FILE] up` or `run SERVICE COMMAND…`: file, service and command exist."""
    assert arguments[0] == "compose"
    rest = arguments[1:]
    file = "docker-compose.yml"
    if rest[0] == "-f":
        file, rest = rest[1], rest[2:]
    services = yaml.safe_load((REPOSITORY / file).read_text("utf-8"))["services"]
    assert rest[0] in {"up", "run"}
    words = [word for word in rest[1:] if not word.startswith("-")]
    if rest[0] == "run":
        service, *command = words
        assert service == "trdinger"
        assert service in services
        understood(command)
