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
from trdinger.legacy import rejects
from trdinger.legacy.survey import Survey
from trdinger.move.checking import CHANGES
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
    said: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    series: dict[str, int] = field(default_factory=dict)
    checked: dict[str, Any] = field(default_factory=dict)
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
        """Whether all that was moved is proven equal; rows that were rejected were not moved."""
        return self.proof is not None and self.proof.equal

    @property
    def rejected(self) -> dict[str, int]:
        """How many rows the target did not get, by table."""
        found: dict[str, int] = self.checked.get("rejected", {})
        return found

    @property
    def result(self) -> str:
        """equal, rejected (equal but for rows that were set aside), different or unproven."""
        if self.proof is None:
            return "unproven"
        return "different" if not self.equal else "rejected" if self.rejected else "equal"

    def describe(self, survey: Survey, checked: dict[str, Any]) -> None:
        """Take over what was found in the source."""
        self.rows = {table.shape.name: table.rows for table in survey.tables}
        self.series = {table.shape.name: len(table.series) for table in survey.tables if table.shape.series}
        self.said = list(survey.said)
        self.source_bytes = survey.bytes
        self.checked = checked

    def as_json(self) -> dict[str, Any]:
        """The report for programs; its fields are described in docs/report.md."""
        return {
            "trdinger": trdinger.__version__,
            "result": self.result,
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
            "otherwise": self.said,
            "converted": self.checked.get("converted", []),
            "changed": self.checked.get("changed", []),
            "rejects": self.checked.get("rejects", []),
            "rejects_file": self._file(rejects.NAME, "rejects"),
            "changes_file": self._file(CHANGES, "changed"),
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

    def _file(self, name: str, told: str) -> str | None:
        """The path of a file of the work folder, where there was something to write into it."""
        return str(Path(self.workdir) / name) if self.workdir and self.checked.get(told) else None

    def _tables(self) -> list[dict[str, Any]]:
        proofs = {proof.table: proof for proof in self.proof.tables} if self.proof else {}
        tables = []
        for name in proofs or self.rows:
            proof = proofs.get(name)
            tables.append(
                {
                    "table": name,
                    "rows": self.rows.get(name, 0),
                    "rejected": self.rejected.get(name, 0),
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


def peak_memory() -> int:
    """The most memory that this process ever held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux hands the other figure on to whatever a process starts
        held = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if held is not None:
            return int(held.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
