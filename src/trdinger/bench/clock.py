"""Takes the time of the parts of a run: wall, our CPU, the server's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from trdinger.bench.processes import cpu_of
from trdinger.progress import Measure


@dataclass(frozen=True)
class Part:
    """One part of a run, in seconds. The server's CPU is None where nobody can say."""

    name: str
    seconds: float
    client_cpu: float
    server_cpu: float | None

    def as_json(self) -> dict[str, Any]:
        """The part for programs."""
        return {
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "client_cpu_seconds": round(self.client_cpu, 3),
            "server_cpu_seconds": None if self.server_cpu is None else round(self.server_cpu, 3),
        }


class Clock:
    """A stopwatch for parts that follow each other; a `Progress`, so that a move's stages are its parts."""

    def __init__(self, server: int | None) -> None:
        self.parts: list[Part] = []
        self._server = server
        self._name: str | None = None
        self._began = self._now()

    def stage(self, title: str, *, total: int | None = None, measure: Measure = "rows") -> None:
        """A part begins, the one before it has ended."""
        self.end()
        self._name, self._began = title, self._now()

    def advance(self, done: int, *, detail: str | None = None, size: int = 0) -> None: ...

    def say(self, sentence: str) -> None: ...

    def end(self) -> None:
        """The part that runs has ended."""
        if self._name is None:
            return
        wall, cpu, server = self._began
        wall_now, cpu_now, server_now = self._now()
        used = None if server is None or server_now is None else server_now - server
        self.parts.append(Part(self._name, wall_now - wall, cpu_now - cpu, used))
        self._name = None

    def _now(self) -> tuple[float, float, float | None]:
        return time.perf_counter(), time.process_time(), cpu_of(self._server)
