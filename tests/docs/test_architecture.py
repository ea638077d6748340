"""ARCHITECTURE.md, the import contract and the code are one: rooms, arrows, and who reads the environment."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from documents import REPOSITORY

from trdinger.schema.models import Base
from trdinger.schema.models.base import belongs_on

PACKAGE = REPOSITORY / "src" / "trdinger"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
LAYERS = [
    [room.strip(" ()") for room in layer.split("|")]
    for contract in PROJECT["tool"]["importlinter"]["contracts"]
    if contract["type"] == "layers"
    for layer in contract["layers"]
]


def rooms() -> set[str]:
    """The rooms that are there: every package and module of trdinger but its dunder ones."""
    return {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and not path.name.startswith("__")
    }


def documented() -> list[tuple[int, str]]:
    """Step and name of each room in ARCHITECTURE.md's table."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8")
    return [(int(step), room) for step, room in re.findall(r"(?m)^\| (\d+) \| `(\w+)` \|", text)]


def test_every_room_is_described_once_and_no_other() -> None:
    named = [room for _, room in documented()]
    assert len(named) == len(set(named))
    assert set(named) == rooms()


def test_its_steps_are_the_layers_of_the_contract() -> None:
    steps: dict[int, set[str]] = {}
    for step, room in documented():
        steps.setdefault(step, set()).add(room)
    layers = [set(layer) for layer in LAYERS if layer != ["__main__"]]
    assert [steps[step] for step in sorted(steps)] == layers


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    """The import contract, over the package in `source`."""
    call = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", call, "--config", str(REPOSITORY / "pyproject.toml"), "--no-cache"]
    path = ":".join([str(source), *sys.path])
    return subprocess.run(
        command, cwd=source, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )


def test_the_arrows_point_down() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed (make install)")
    done = lint(REPOSITORY / "src")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "arrow"),
    [
        ("engine/connect.py", "import trdinger.settings"),
        ("report/words.py", "import trdinger.declaration"),
        ("verify/rows.py", "import trdinger.move.plan"),
        ("annex.py", '"""A room that nobody gave a place."""'),
    ],
)
def test_one_that_points_up_is_refused(file: str, arrow: str, tmp_path: Path) -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed (make install)")
    copy = tmp_path / "trdinger"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a") as module:
        module.write(f"\n{arrow}\n")
    assert lint(tmp_path).returncode == 1


def test_only_settings_touches_the_environment() -> None:
    touching = {
        str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if _touches(path.read_text("utf-8"))
    }
    assert touching == {"settings.py"}


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.environ['A']",
        "import os as o\no.getenv('A')",
        "from os import environ\nenviron",
        "os.environb",
    ],
)
def test_whoever_touches_it_is_found(code: str) -> None:
    assert _touches(code)
    assert not _touches("import os\nos.path.join('environ')")


def _touches(code: str) -> bool:
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in names:
            return True
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and names & {alias.name for alias in node.names}
        ):
            return True
    return False


def test_each_index_of_the_file_that_postgresql_does_without_is_accounted_for() -> None:
    text = (REPOSITORY / "docs" / "schema.md").read_text("utf-8")
    text = text.partition("## Indexes")[2].partition("## Tables")[0]
    explained = set(re.findall(r"`((?:ix|idx|uq)_\w+)`", text))
    every = [index for table in Base.metadata.tables.values() for index in table.indexes]
    assert {str(index.name) for index in every if not belongs_on(index, "postgresql")} <= explained
    assert explained <= {str(index.name) for index in every}
