"""How far a stage is, how fast it goes and how long it still takes.

The remaining time rests on the pace of the whole stage, with slight weight to its latest
part. Between two reports it counts down, but by no more than one report's worth, so a
stall never promises an end. What was done before the stage began (a resumed copy) counts
as done, not as speed.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from trdinger.progress import Measure

Clock = Callable[[], float]

_RECENT_WEIGHT = 0.25  # of the latest part; more made the estimate jump from unit to unit
_RECENT_PART = 0.2  # of the time so far
_RECENT_LEAST = 5.0  # seconds that the latest part spans at least
_APART = 0.1  # seconds between two samples that are kept
_SAMPLES = 512  # kept at most; then every second one goes and they lie twice as far apart
_SURE_AFTER = 0.5  # seconds before which there is no estimate


@dataclass(frozen=True)
class _Sample:
    at: float
    done: int
    size: int


class Tally:
    """One stage as it goes. Times are seconds of `clock`. May be read from another thread."""

    def __init__(
        self,
        title: str,
        total: int | None = None,
        measure: Measure = "rows",
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self.title = title
        self.total = total
        self.measure = measure
        self.done = 0
        self.size = 0
        self.detail = ""
        self._clock = clock
        self._begun = clock()
        self._heard = False
        self._unit = 0
        self._apart = _APART
        self._samples = [_Sample(self._begun, 0, 0)]
        self._lock = Lock()

    def advance(self, done: int, detail: str | None, size: int) -> None:
        """So much more is done. A first call that names nothing tells what was done before."""
        with self._lock:
            self.done += done
            self.size += size
            if detail is not None:
                self.detail = detail
            sample = _Sample(self._clock(), self.done, self.size)
            if not self._heard and detail is None and not size:
                self._samples = [sample]
            elif done or size:
                self._unit = done
                self._keep(sample)
            self._heard = True

    @property
    def elapsed(self) -> float:
        """Seconds since the stage began."""
        return self._clock() - self._begun

    @property
    def share(self) -> float | None:
        """Between 0 and 1; None when the total is not known."""
        if self.total is None:
            return None
        return min(1.0, self.done / self.total) if self.total > 0 else 1.0

    def remaining(self) -> float | None:
        """Seconds that the rest will take; None while nobody can say, and for steps: no two are alike."""
        if self.measure == "steps":
            return None
        with self._lock:
            first, last = self._samples[0], self._samples[-1]
            left = (self.total or 0) - self.done
            if left <= 0 or last.done <= first.done or last.at - first.at < _SURE_AFTER:
                return None
            recent = self._recent()
            whole = (last.at - first.at) / (last.done - first.done)
            latest = (last.at - recent.at) / (last.done - recent.done) if last.done > recent.done else whole
            pace = (1 - _RECENT_WEIGHT) * whole + _RECENT_WEIGHT * latest
            since = self._clock() - last.at
            credit = min(since, self._unit * pace)
            pace += (1 - _RECENT_WEIGHT) * (since - credit) / (last.done - first.done)
            return max(0.0, left * pace - credit)

    def rate(self) -> float | None:
        """What is done per second lately, in the stage's measure."""
        with self._lock:
            recent, last = self._recent(), self._samples[-1]
        return (last.done - recent.done) / (last.at - recent.at) if last.at > recent.at else None

    def speed(self) -> float | None:
        """Bytes per second lately; None for a stage that tells no sizes."""
        if self.measure == "bytes":
            return self.rate()
        with self._lock:
            recent, last = self._recent(), self._samples[-1]
        return (
            (last.size - recent.size) / (last.at - recent.at) if last.size and last.at > recent.at else None
        )

    def average(self) -> tuple[float | None, float | None]:
        """Per second over the whole stage until now: the measure, and bytes."""
        first, span = self._samples[0], self._clock() - self._samples[0].at
        done = self.done - first.done
        size = done if self.measure == "bytes" else self.size - first.size
        if span <= 0 or done <= 0:
            return None, None
        return done / span, size / span if size else None

    def _recent(self) -> _Sample:
        """The sample where the latest part begins."""
        first, last = self._samples[0], self._samples[-1]
        since = last.at - max(_RECENT_PART * (last.at - first.at), _RECENT_LEAST)
        return self._samples[max(0, bisect_right(self._samples, since, key=lambda sample: sample.at) - 1)]

    def _keep(self, sample: _Sample) -> None:
        samples = self._samples
        if len(samples) > 1 and samples[-1].at - samples[-2].at < self._apart:
            samples[-1] = sample
            return
        samples.append(sample)
        if len(samples) > _SAMPLES:
            self._samples = samples[:-1:2] + samples[-1:]
            self._apart *= 2
