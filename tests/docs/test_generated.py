"""The generated parts of the docs are what the program says today."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import DOCUMENTS, REPOSITORY, generator, name

from trdinger.errors import EXIT_CODES
from trdinger.settings import Settings


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_its_generated_parts_are_current(document: Path) -> None:
    text = document.read_text("utf-8")
    assert text == generator.current(text), "run: make docs"


def test_every_part_is_somewhere() -> None:
    named = re.findall(r"<!-- generated: ([a-z-]+) -->", "".join(d.read_text("utf-8") for d in DOCUMENTS))
    assert set(named) == set(generator.PARTS)
    closed = sum(document.read_text("utf-8").count("<!-- /generated -->") for document in DOCUMENTS)
    assert closed == len(named)


def test_the_commands_are_those_that_the_program_lists() -> None:
    listed = (REPOSITORY / "docs" / "cli.md").read_text("utf-8")
    assert ("migrate",) in generator.commands()
    assert ("db", "start") in generator.commands()
    for command in generator.commands():
        assert f"## {' '.join(('trdinger', *command))}\n" in listed


def test_help_tells_what_a_command_takes() -> None:
    assert "--leave-out TABLE[.COLUMN]" in generator.help_text(("migrate",))


def test_settings_and_exit_codes_have_a_line_each() -> None:
    settings = (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
    documented = re.findall(r"^\| `([A-Z_]+)` \|", settings, re.M)
    assert documented == [(f.alias or name).upper() for name, f in Settings.model_fields.items()]
    codes = (REPOSITORY / "docs" / "cli.md").read_text("utf-8")
    assert {int(code) for code in re.findall(r"^\| `(\d+)` \|", codes, re.M)} == set(EXIT_CODES)


def test_what_is_not_current_is_named_and_mended(tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    (copy / "tools").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tools" / "docs.py", copy / "tools")
    shutil.copytree(REPOSITORY / "docs", copy / "docs")
    settings = copy / "docs" / "settings.md"
    settings.write_text(settings.read_text("utf-8").replace("`5432`", "`5433`"), "utf-8")

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(copy / "tools" / "docs.py"), *options]
        path = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=path, capture_output=True, text=True, check=False)

    checked = run("--check")
    assert checked.returncode == 1
    assert "docs/settings.md" in checked.stderr
    assert "make docs" in checked.stderr
    assert run().returncode == 0
    assert run("--check").returncode == 0
    assert settings.read_text("utf-8") == (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
