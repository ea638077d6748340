"""The documents as the tests read them: their code blocks, and the program that generates their parts."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
_FENCED = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block. info: what follows the fence ("sh", "sh no-run")."""

    document: Path
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"

    @property
    def is_shell(self) -> bool:
        return self.info.split()[:1] == ["sh"]

    @property
    def runs(self) -> bool:
        return self.info in {"sh", "python"}

    @property
    def command(self) -> list[str]:
        """What runs it until a part of it fails."""
        if self.info == "python":
            return [sys.executable, "-c", self.text]
        return ["/bin/sh", "-eu", "-c", self.text]


def name(document: Path) -> str:
    """A document as people call it."""
    return str(document.relative_to(REPOSITORY))


def blocks(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text("utf-8")
    return [
        Block(document, text.count("\n", 0, found.start()) + 1, found["info"].strip(), found["text"])
        for found in _FENCED.finditer(text)
    ]


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCED.sub("", document.read_text("utf-8"))


def tool(path: str) -> ModuleType:
    """A program of `tools/` as a module."""
    spec = importlib.util.spec_from_file_location(f"tool_{Path(path).stem}", REPOSITORY / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = tool("tools/docs.py")

_RECORDING = """#!/bin/sh
{ printf '%s\\0' "${0##*/}" "$@"; printf '\\036'; } >> "$RECORD"
"""


def spoken(block: Block, folder: Path) -> list[list[str]]:
    """The calls of trdinger, make and docker in a block, with their arguments as the shell takes them.

    Nothing is run: the shell finds stand-ins for these three, and no other program.
    """
    programs, record = folder / "programs", folder / "record"
    programs.mkdir(exist_ok=True)
    record.write_text("")
    for program in ("trdinger", "make", "docker"):
        (programs / program).write_text(_RECORDING)
        (programs / program).chmod(0o755)
    subprocess.run(
        ["/bin/sh", "-c", block.text],
        cwd=folder,
        env={"PATH": str(programs), "RECORD": str(record)},
        capture_output=True,
        check=False,
    )
    return [call.split("\0")[:-1] for call in record.read_text("utf-8").split("\036")[:-1]]


def runnable(folder: Path) -> dict[str, str]:
    """An environment in which a document's commands run: `trdinger` on the PATH, its data below `folder`."""
    programs = folder / "programs"
    programs.mkdir()
    program = programs / "trdinger"
    program.write_text(generator.PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TRDINGER_EMBEDDED_DIRECTORY": str(folder / "data"),
        "COLUMNS": "100",
    }
