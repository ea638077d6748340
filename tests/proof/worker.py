"""A process that moves one file after the other into one database, and judges each move.

A crash of native code ends it, which whoever started it sees. Reads a JSON object a line,
{"file", "address", "conninfo", "workdir"}; answers {"code", "said", "problems", "moved"}.
Run as: python worker.py PATH…
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]

from cli.command import here
from proof.accounts import account

DOCUMENTED = {0, 2, 3, 4, 5, 6, 7, 70, 130}
MOVED = {0, 7}  # done; with 7 some rows may be rejected


class Worker:
    """The process, from outside: `ask` it; it is started again after its death."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._end()

    def ask(self, **asked: str) -> dict[str, Any]:
        """What became of a move; a worker that hangs or dies is the problem told."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, *(path for path in sys.path if path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        process = self._process
        late = threading.Timer(self._patience, process.kill)
        late.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        finally:
            hung = not late.is_alive()
            late.cancel()
        if line:
            told: dict[str, Any] = json.loads(line)
            return told
        code, said = process.wait(), _rest(process.stderr)
        self._end()
        problem = f"it hangs for {self._patience} s" if hung else f"the process died of {code}"
        return {"code": code, "said": said, "problems": [f"{problem}: {said[-3000:]}"], "moved": 0}

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _rest(stream: IO[str] | None) -> str:
    return stream.read() if stream else ""


def judged(file: Path, address: str, conninfo: str, workdir: Path) -> dict[str, Any]:
    """Move a file and judge how that ended."""
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    done = here("migrate", file, "--to", address, "--existing", "replace", "--workdir", workdir, "--json")
    said = done.err.strip()
    problems = []
    if done.code not in DOCUMENTED or done.code in (6, 70):
        problems.append(f"exit code {done.code}")
    if "Traceback" in done.out + done.err:
        problems.append("a traceback")
    if done.code != 0 and "trdinger: " not in said:
        problems.append("no sentence")
    if hashlib.sha256(file.read_bytes()).hexdigest() != before:
        problems.append("the file was changed")
    moved = 0
    if done.code in MOVED and (reported := _reported(done.out)):
        try:
            found = account(
                file, conninfo, rejects=workdir / "rejects.jsonl", changes=workdir / "changes.jsonl"
            )
        except sqlite3.DatabaseError as error:
            problems.append(f"{reported} was said of a file that cannot be read: {error}")
        else:
            moved = found.moved
            problems += found.problems
    return {"code": done.code, "said": said, "problems": problems, "moved": moved}


def _reported(out: str) -> str | None:
    """The result of the report; None where there is none, because nothing was moved."""
    told = json.loads(out) if out.strip() else {}
    result = told.get("result")
    return str(result) if result else None


def main() -> None:
    """Answer until there is nothing more to answer."""
    faulthandler.enable()
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        told = judged(Path(asked["file"]), asked["address"], asked["conninfo"], Path(asked["workdir"]))
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
