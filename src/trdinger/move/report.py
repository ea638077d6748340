"""What a move did: one value that prints, serialises and is kept in the ledger."""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

import trdinger
from trdinger.legacy.check import Check
from trdinger.legacy.survey import Survey
from trdinger.verify.differences import Proof


@dataclass
class Stage:
    """One stage: how long it took, and what there is to say of it."""

    name: str
    seconds: float = 0.0
    said: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[Stage]:
        """Take the time of the block."""
        begun = time.perf_counter()
        yield self
        self.seconds = time.perf_counter() - begun


@dataclass
class Report:
    """A move, from its source to its proof. Times are UTC, sizes bytes, durations seconds."""

    source: str
    target: str
    server: str
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    stages: list[Stage] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    series: dict[str, int] = field(default_factory=dict)
    converted: list[dict[str, Any]] = field(default_factory=list)
    source_bytes: int = 0
    target_bytes: dict[str, int] = field(default_factory=dict)
    backup: str = ""
    sha256: str = ""
    workdir: str = ""
    peak_memory: int = 0
    resumed: bool = False
    proof: Proof | None = None

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    @property
    def equal(self) -> bool:
        return self.proof is not None and self.proof.equal

    def describe(self, survey: Survey, checked: dict[str, Any]) -> None:
        """Take over what was found in the source."""
        self.rows = {table.shape.name: table.rows for table in survey.tables}
        self.series = {table.shape.name: len(table.series) for table in survey.tables if table.shape.series}
        self.source_bytes = survey.bytes
        self.converted = checked["converted"]

    def as_json(self) -> dict[str, Any]:
        """The report for programs; its fields are described in docs/report.md."""
        return {
            "trdinger": trdinger.__version__,
            "result": "equal" if self.equal else "different" if self.proof else "unproven",
            "source": self.source,
            "target": self.target,
            "server": self.server,
            "started": self.started.isoformat(),
            "seconds": round(self.seconds, 3),
            "resumed": self.resumed,
            "stages": [
                {"name": stage.name, "seconds": round(stage.seconds, 3), "said": stage.said}
                for stage in self.stages
            ],
            "tables": self._tables(),
            "skipped": self.skipped,
            "left_out": self.left_out,
            "converted": self.converted,
            "rejects": [],
            "structure": self.proof.structure if self.proof else [],
            "source_bytes": self.source_bytes,
            "target_bytes": sum(self.target_bytes.values()),
            "peak_memory_bytes": self.peak_memory,
            "backup": {"path": self.backup, "sha256": self.sha256},
            "workdir": self.workdir,
            "environment": {
                "python": sys.version.split()[0],
                "platform": platform.platform(),
                "pyarrow": pa.__version__,
            },
        }

    def _tables(self) -> list[dict[str, Any]]:
        proofs = {proof.table: proof for proof in self.proof.tables} if self.proof else {}
        tables = []
        for name in proofs or self.rows:
            proof = proofs.get(name)
            tables.append(
                {
                    "table": name,
                    "rows": self.rows.get(name, 0),
                    "series": self.series.get(name),
                    "rows_compared": proof.rows if proof else None,
                    "cells_compared": proof.cells if proof else None,
                    "differences": proof.differing if proof else None,
                    "shown": [vars(difference) | {"sentence": str(difference)} for difference in proof.shown]
                    if proof
                    else [],
                    "bytes": self.target_bytes.get(name),
                }
            )
        return tables


def summary(check: Check) -> dict[str, Any]:
    """What the ledger and the report keep of a check."""
    return {
        "converted": [
            {"table": table, "column": column, "form": form, "values": count}
            for (table, column, form), count in sorted(check.converted.items())
        ],
        "rows": dict(check.rows),
    }


def peak_memory() -> int:
    """The most memory that this process ever held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux hands the other figure on to whatever a process starts
        held = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if held is not None:
            return int(held.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
