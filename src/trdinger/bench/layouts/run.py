"""Loads the candles by every layout into one database, proves each, then asks all of them in turn."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trdinger
from trdinger.bench.clock import Clock
from trdinger.bench.file import sample_file
from trdinger.bench.layouts.candles import Candles, candles
from trdinger.bench.layouts.layout import LAYOUTS, Layout
from trdinger.bench.layouts.load import directly, held, load, prepare, prove
from trdinger.bench.layouts.questions import (
    CORRECTED,
    FIRST_PLAN,
    LATE,
    Asked,
    ask,
    questions,
)
from trdinger.bench.options import FOLDER
from trdinger.bench.processes import server_process
from trdinger.declaration import OHLCV
from trdinger.engine.connect import Database
from trdinger.errors import UsageError
from trdinger.progress import Progress
from trdinger.sample import SampleOptions
from trdinger.sample.options import TIMEFRAMES

_YEARS = 2 * 365 * 1440  # minutes that the candles of a symbol are to span


@dataclass(frozen=True)
class LayoutsOptions:
    """What is measured.

    rows, seed, timeframes: the sample file; the same ones mean the same file, which is kept. It has as many
    symbols as leave each two years, one at least.
    repeat: rounds of questions. only: names of layouts; empty for all.
    Raises UsageError.
    """

    rows: int = 2_000_000
    seed: int = 7
    timeframes: tuple[str, ...] = SampleOptions.timeframes
    repeat: int = 5
    only: tuple[str, ...] = ()
    folder: Path = FOLDER

    def __post_init__(self) -> None:
        if self.repeat < 1:
            raise UsageError(f"{self.repeat} rounds measure nothing.", hint="Ask for --repeat 1 or more.")
        names = [layout.name for layout in LAYOUTS]
        if unknown := [name for name in self.only if name not in names]:
            raise UsageError(
                f"{', '.join(unknown)}: no such layout.", hint=f"Layouts are: {', '.join(names)}."
            )

    @property
    def layouts(self) -> list[Layout]:
        """Those that are measured."""
        return [layout for layout in LAYOUTS if not self.only or layout.name in self.only]

    @property
    def sample(self) -> SampleOptions:
        """The candles."""
        every = SampleOptions(rows=self.rows, seed=self.seed, timeframes=self.timeframes)
        each = sum(_YEARS / TIMEFRAMES[name] for name in self.timeframes)
        symbols = every.symbols[: max(1, int(self.rows / each))]
        return SampleOptions(rows=self.rows, seed=self.seed, timeframes=self.timeframes, symbols=symbols)


@dataclass(frozen=True)
class _Loaded:
    clock: Clock
    direct: bool
    chunks: int
    size: int


def bench(database: Database, options: LayoutsOptions, progress: Progress) -> dict[str, Any]:
    """Measure every layout in an empty database; the result for programs, described in docs/json.md.

    Raises MissingCapability where the server cannot compress, ValuesDiffer when a layout does not hold or
    answer what was sent, TargetError.
    """
    database = prepare(database)
    progress.stage("Sample")
    file = sample_file(options.folder, options.sample)
    progress.stage("Read")
    sent = candles(file)
    server = server_process(database)
    loaded: dict[str, _Loaded] = {}
    progress.stage("Load", total=len(options.layouts), measure="steps")
    for layout in options.layouts:
        clock = load(database, server, layout, sent)
        prove(database, layout, sent)
        with database.connect(autocommit=True) as connection:
            loaded[layout.name] = _Loaded(clock, directly(database, layout), *held(connection, layout))
        progress.advance(1, detail=layout.name)
    progress.stage("Ask")
    asked = questions(sent)
    found = ask(database, options.layouts, asked, sent, repeat=options.repeat)
    what = {question.name: question.what for question in asked} | {
        LATE: f"{sent.late.num_rows:,} late candles upserted",
        CORRECTED: f"{sent.corrected.num_rows:,} corrected candles upserted",
    }
    return {
        **_about(database, file, options, sent),
        "questions": [{"name": name, "what": said} for name, said in what.items()],
        "layouts": [
            _line(layout, loaded[layout.name], found[layout.name], list(what), sent.rows)
            for layout in options.layouts
        ],
    }


def _about(database: Database, file: Path, options: LayoutsOptions, sent: Candles) -> dict[str, Any]:
    _, longest = sent.longest
    moments = longest.column(OHLCV.time)
    return {
        "trdinger": trdinger.__version__,
        "server": str(database.capabilities),
        "machine": {"cores": os.cpu_count(), "platform": platform.platform()},
        "repeat": options.repeat,
        "file": {
            "path": str(file),
            "bytes": file.stat().st_size,
            "candles": sent.rows,
            "series": len(sent.units),
            "seed": options.seed,
            "first": moments[0].as_py().isoformat(),
            "last": moments[-1].as_py().isoformat(),
        },
    }


def _line(layout: Layout, loaded: _Loaded, asked: Asked, names: list[str], rows: int) -> dict[str, Any]:
    parts = loaded.clock.parts
    server = [part.server_cpu for part in parts if part.server_cpu is not None]
    known = len(server) == len(parts)
    cpu = sum(server) + sum(part.client_cpu for part in parts)
    return {
        "name": layout.name,
        "what": layout.what,
        "declared": layout.declared,
        "chunk_days": layout.chunk.days,
        "segment_by": list(layout.segment_by),
        "order_by": list(layout.order_by),
        "batch_rows": layout.batch_rows,
        "direct": loaded.direct,
        "chunks": loaded.chunks,
        "bytes": loaded.size,
        "bytes_a_row": round(loaded.size / rows, 2),
        "load_seconds": round(sum(part.seconds for part in parts), 3),
        "cpu_microseconds_a_row": round(cpu / rows * 1e6, 3) if known else None,
        "parts": [part.as_json() for part in parts],
        "first_plan_milliseconds": asked.planning(FIRST_PLAN),
        "asked": [
            {
                "name": name,
                "milliseconds": asked.milliseconds(name),
                "least_milliseconds": round(min(asked.answers[name]) * 1e3, 3),
                "most_milliseconds": round(max(asked.answers[name]) * 1e3, 3),
                "plan_milliseconds": asked.planning(name),
            }
            for name in names
        ],
    }
