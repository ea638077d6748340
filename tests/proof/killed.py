"""The real program, killed by SIGKILL at a moment of one of its stages."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cli.command import PATIENCE, PROGRAM, environment

# As the program tells them; `Report` is from the end of the last until the process ends.
STAGES = ("Look", "Back up", "Check", "Schema", "Copy", "Finish", "Verify", "Report")
_BEGINS = re.compile(r"^\S+ (\w[\w ]*): begins")
_POLL = 0.001  # seconds


@dataclass
class Ended:
    """How a run ended: minus the signal, or its exit code; what it said; its stages by when they began."""

    code: int
    said: str
    began: dict[str, float] = field(default_factory=dict)
    ended: float = 0.0

    @property
    def stage(self) -> str:
        """The stage that it was in at its end."""
        return list(self.began)[-1] if self.began else "Look"

    def seconds(self) -> dict[str, float]:
        """How long each of its stages took."""
        ends = [*list(self.began.values())[1:], self.ended]
        return {name: end - begun for (name, begun), end in zip(self.began.items(), ends, strict=True)}


class Program:
    """`trdinger migrate` of a file into a target, again and again by the same command."""

    def __init__(self, file: Path, address: str, workdir: Path) -> None:
        self.workdir = workdir
        self._command = [*PROGRAM, "migrate", str(file), "--to", address, "--workdir", str(workdir)]

    def run(self, kill: Callable[[dict[str, float]], bool] = lambda _began: False) -> Ended:
        """Run it to its end, or until `kill`, asked all the time with when each stage began, says so."""
        process = subprocess.Popen(
            self._command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ended = Ended(0, "")
        listening = threading.Thread(target=_listen, args=(process, ended))
        listening.start()
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline and not kill(ended.began):
            time.sleep(_POLL)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        ended.code = process.wait()
        ended.ended = time.monotonic()
        listening.join()
        assert ended.ended < deadline, f"it hangs:\n{ended.said}"
        return ended


def at(stage: str, seconds: float) -> Callable[[dict[str, float]], bool]:
    """A moment: so long after a stage began."""
    return lambda began: stage in began and time.monotonic() - began[stage] >= seconds


def _listen(process: subprocess.Popen[str], ended: Ended) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        ended.said += line
        if (found := _BEGINS.match(line)) and found[1] in STAGES:
            ended.began[found[1]] = time.monotonic()
        elif " Verify: done" in line:
            ended.began["Report"] = time.monotonic()
