"""What is to be measured, checked when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from trdinger.errors import UsageError

# In the order in which they run.
CONTESTANTS = ("trdinger", "replay", "duckdb", "pgloader")
FOLDER = platformdirs.user_cache_path("trdinger") / "bench"


@dataclass(frozen=True)
class BenchOptions:
    """What is measured.

    rows, seed: the sample file; the same ones mean the same file, which is kept.
    repeat: how often each contestant runs. only: the contestants that run.
    folder: where the file is kept and runs have their work folders.
    Raises UsageError.
    """

    rows: int = 5_500_000
    seed: int = 7
    repeat: int = 3
    only: tuple[str, ...] = CONTESTANTS
    folder: Path = FOLDER

    def __post_init__(self) -> None:
        if self.repeat < 1:
            raise UsageError(f"{self.repeat} runs measure nothing.", hint="Ask for --repeat 1 or more.")
        unknown = [name for name in self.only if name not in CONTESTANTS]
        if unknown:
            raise UsageError(
                f"{', '.join(unknown)}: no such contestant.",
                hint=f"Contestants are: {', '.join(CONTESTANTS)}.",
            )
