"""What was measured, and what is told of it: medians, spread, ratios, rows for a second of CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from trdinger.bench.clock import Part


@dataclass(frozen=True)
class Run:
    """One run: its parts, rows of series that arrived, the target's size and the most memory, in bytes."""

    parts: tuple[Part, ...]
    rows: int
    size: int
    peak_memory: int


@dataclass(frozen=True)
class Line:
    """Some parts of a contestant's runs, told as one: what is compared with the other lines.

    only: the parts that count; empty for all. counted: the rows that the file holds.
    """

    name: str
    what: str
    runs: tuple[Run, ...]
    counted: int
    only: tuple[str, ...] = ()

    def parts(self, run: Run) -> list[Part]:
        """The parts of a run that count."""
        return [part for part in run.parts if not self.only or part.name in self.only]

    @property
    def seconds(self) -> list[float]:
        """How long each run took."""
        return [sum(part.seconds for part in self.parts(run)) for run in self.runs]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> float:
        """How far the runs lie apart, as a part of their median."""
        return (max(self.seconds) - min(self.seconds)) / self.median if self.median else 0.0

    def cpu(self, run: Run) -> float | None:
        """CPU seconds of both sides; None where the server's are unknown."""
        server = [part.server_cpu for part in self.parts(run)]
        known = [each for each in server if each is not None]
        if len(known) < len(server):
            return None
        return sum(known) + sum(part.client_cpu for part in self.parts(run))

    @property
    def rows_per_cpu_second(self) -> float | None:
        used = [cpu for run in self.runs if (cpu := self.cpu(run)) is not None]
        return self.counted / median(used) if used and median(used) else None

    def as_json(self, beside: dict[str, Line]) -> dict[str, Any]:
        """The line for programs, with how many times the others' time it took."""
        cpu = self.rows_per_cpu_second
        return {
            "name": self.name,
            "what": self.what,
            "runs": len(self.runs),
            "seconds": round(self.median, 3),
            "least_seconds": round(min(self.seconds), 3),
            "most_seconds": round(max(self.seconds), 3),
            "spread": round(self.spread, 3),
            "rows_per_second": round(self.counted / self.median) if self.median else None,
            "rows_per_cpu_second": round(cpu) if cpu else None,
            "peak_memory_bytes": max(run.peak_memory for run in self.runs),
            "target_bytes": round(median(run.size for run in self.runs)),
            "rows": min(run.rows for run in self.runs),
            "ratios": {
                name: round(self.median / line.median, 3) for name, line in beside.items() if line.median
            },
            "parts": self._parts(),
        }

    def _parts(self) -> list[dict[str, Any]]:
        """The parts of the run in the middle."""
        middle = sorted(self.runs, key=lambda run: sum(part.seconds for part in self.parts(run)))
        told = []
        for part in self.parts(middle[(len(middle) - 1) // 2]):
            cpu = None if part.server_cpu is None else part.client_cpu + part.server_cpu
            told.append(
                part.as_json()
                | {"cpu_microseconds_a_row": round(cpu / self.counted * 1e6, 3) if cpu is not None else None}
            )
        return told


@dataclass
class Result:
    """A benchmark. `lines` come in the order in which they are shown; `absent` says who was not measured."""

    about: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The result for programs; its fields are described in docs/json.md."""
        beside = {line.name: line for line in self.lines}
        return {
            **self.about,
            "lines": [line.as_json(beside) for line in self.lines],
            "not_measured": [{"name": name, "reason": reason} for name, reason in self.absent.items()],
        }
