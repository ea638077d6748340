"""Time for tests of what takes time."""

from __future__ import annotations

from collections.abc import Callable


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def run(self, seconds: float, work: Callable[[], None] | None = None) -> None:
        """Let time pass, then do the work."""
        self.now += seconds
        if work is not None:
            work()
