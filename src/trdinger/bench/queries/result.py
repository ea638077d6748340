"""What was measured, and what is told of it: medians, spread, how many times faster, what was aimed at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from trdinger.bench.queries.aims import AIMS, TITLES


@dataclass
class Answer:
    """How long one took to answer one question, in seconds, each time."""

    who: str
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.seconds)

    def as_json(self, ours: float | None) -> dict[str, Any]:
        """The answer for programs; times_ours: how many times our median it took."""
        return {
            "by": self.who,
            "runs": len(self.seconds),
            "seconds": round(self.median, 6),
            "least_seconds": round(min(self.seconds), 6),
            "most_seconds": round(max(self.seconds), 6),
            "spread": round((max(self.seconds) - min(self.seconds)) / self.median, 3) if self.median else 0.0,
            "times_ours": round(self.median / ours, 3) if ours else None,
        }


@dataclass
class Question:
    """One question with its answers, ours first. rows: of the answer."""

    question: str
    answers: list[Answer]
    rows: int = 0

    def as_json(self) -> dict[str, Any]:
        """The question for programs."""
        ours = next((one.median for one in self.answers if one.who == "trdinger"), None)
        said = [one.as_json(ours) for one in self.answers if one.seconds]
        times = {one["by"]: one["times_ours"] for one in said}
        return {
            "name": self.question,
            "what": TITLES[self.question],
            "rows": self.rows,
            "answers": said,
            "aims": _aims(self.question, times),
        }


@dataclass
class Result:
    """A benchmark. load: of readers and writers side by side, by who served them."""

    about: dict[str, Any]
    asked: list[Question] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    load: list[dict[str, Any]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The result for programs; its fields are described in docs/json.md."""
        sizes = [{"of": name, "bytes": size} for name, size in self.sizes.items()]
        smaller = {
            name: round(size / self.sizes["trdinger"], 3)
            for name, size in self.sizes.items()
            if self.sizes.get("trdinger")
        }
        ours = next((one["requests"] for one in self.load if one["by"] == "trdinger"), 0)
        more = {one["by"]: round(ours / max(one["requests"], 1), 3) for one in self.load}
        return {
            **self.about,
            "questions": [one.as_json() for one in self.asked],
            "size": {"sizes": sizes, "aims": _aims("size", smaller)},
            "load": {"sides": self.load, "aims": _aims("load", more)},
            "not_measured": [{"name": name, "reason": reason} for name, reason in self.absent.items()],
        }


def _aims(question: str, times: Mapping[str, float | None]) -> list[dict[str, Any]]:
    return [
        {"than": who, "times": aim, "reached": times[who], "met": (times[who] or 0) >= aim}
        for who, aim in AIMS.get(question, {}).items()
        if times.get(who) is not None
    ]
