"""What is to be measured, checked when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trdinger.bench.options import FOLDER
from trdinger.errors import UsageError


@dataclass(frozen=True)
class QueriesOptions:
    """What is measured.

    rows, seed: the sample file; the same ones mean the same file, and the same database, which are kept.
    repeat: how often each question is put to each. only: the questions that are asked.
    seconds: how long readers and writers work side by side; 0 leaves that out.
    stored: candles that are stored at once. readers, writers: processes.
    folder: where the file is kept, and the copies of it for who works on files.
    Raises UsageError.
    """

    rows: int = 5_500_000
    seed: int = 7
    repeat: int = 5
    only: tuple[str, ...] = ()
    seconds: float = 60.0
    stored: int = 10_000
    readers: int = 16
    writers: int = 2
    folder: Path = FOLDER

    def __post_init__(self) -> None:
        if self.repeat < 1:
            raise UsageError(f"{self.repeat} runs measure nothing.", hint="Ask for --repeat 1 or more.")
        if self.seconds < 0:
            raise UsageError(f"{self.seconds} seconds cannot be worked.", hint="Ask for 0 or more.")
        if unknown := [name for name in self.only if name not in QUESTIONS]:
            raise UsageError(
                f"{', '.join(unknown)}: no such question.", hint=f"Questions are: {', '.join(QUESTIONS)}."
            )

    @property
    def questions(self) -> tuple[str, ...]:
        """Those that are asked, in their order."""
        return tuple(name for name in QUESTIONS if not self.only or name in self.only)


QUESTIONS = (
    "months", "again", "latest", "aligned", "inventory", "range", "symbols", "days", "days-of-one", "new",
    "known", "size", "load",
)  # fmt: skip
