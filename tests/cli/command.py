"""One command line: run here or in a process of its own, and all that it said."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trdinger
from trdinger.cli.app import run

PROGRAM = (sys.executable, "-m", "trdinger")
PATIENCE = 120.0  # seconds for a process; a busy machine takes its time


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code, its stdout and its stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer for programs: stdout, which is one JSON value and nothing else."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """What it said of its error: stderr's last lines, without its progress."""
        return self.err[self.err.rindex("trdinger: ") :] if "trdinger: " in self.err else ""


def here(*arguments: object) -> Done:
    """Run a command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that runs the program from where this one has it."""
    return {**os.environ, "PYTHONPATH": str(Path(trdinger.__file__).parents[1]), **more}


def apart(arguments: Sequence[object], *, cwd: Path | None = None, **more: str) -> Done:
    """Run a command line as a process of its own, with `more` in its environment."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def fields(value: Any, path: str = "") -> set[str]:
    """Every field of a JSON value: `tables[].rows`."""
    if isinstance(value, dict):
        inner = {(f"{path}.{name}" if path else name): each for name, each in value.items()}
        return set(inner) | {field for name, each in inner.items() for field in fields(each, name)}
    if isinstance(value, list):
        return {field for each in value for field in fields(each, f"{path}[]")}
    return set()
