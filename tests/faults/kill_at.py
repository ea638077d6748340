"""A program killed at a chosen moment of its work."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Killed:
    """What was left of the program: its return code (minus the signal) and all it printed."""

    returncode: int
    output: str


@pytest.fixture
def kill_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Killed]]:
    """`kill_at([sys.executable, …], moment)`: run the program, and SIGKILL it once `moment()` is true.

    moment: asked every hundredth of a second, with what the program has printed so far.
    signal_: another signal than SIGKILL. A program that ends before its moment fails the test.
    """
    with contextlib.ExitStack() as running:

        def run(
            command: Sequence[str],
            moment: Callable[[str], bool],
            *,
            signal_: signal.Signals = signal.SIGKILL,
            within: float = 60.0,
        ) -> Killed:
            printed = tmp_path_factory.mktemp("kill_at") / "output"
            with printed.open("wb") as output:
                program = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
            running.callback(program.wait)
            running.callback(program.kill)
            deadline = time.monotonic() + within
            while not moment(printed.read_text(errors="replace")):
                if program.poll() is not None:
                    pytest.fail(f"it ended ({program.returncode}) too early:\n{printed.read_text()}")
                if time.monotonic() > deadline:
                    pytest.fail(f"its moment did not come in {within} s:\n{printed.read_text()}")
                time.sleep(POLL_SECONDS)
            program.send_signal(signal_)
            return Killed(program.wait(within), printed.read_text(errors="replace"))

        yield run
