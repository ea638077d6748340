"""How long work tells where it stands. What is shown, and whether at all, is `report`'s affair."""

from __future__ import annotations

from typing import Literal, Protocol

Measure = Literal["rows", "bytes", "steps"]


class Progress(Protocol):
    """Hears of stages in turn, of what is done in each, and of what is skipped or decided."""

    def stage(self, title: str, *, total: int | None = None, measure: Measure = "rows") -> None:
        """A stage begins; the one before it has ended. `total` is None when it cannot be known."""

    def advance(self, done: int, *, detail: str | None = None, size: int = 0) -> None:
        """So much more of the stage's measure is done; `size` is in bytes."""

    def say(self, sentence: str) -> None:
        """Something that a person should know: what was skipped, and why."""

    def end(self) -> None:
        """The last stage has ended."""


class Silent:
    """Progress that nobody hears."""

    def stage(self, title: str, *, total: int | None = None, measure: Measure = "rows") -> None: ...

    def advance(self, done: int, *, detail: str | None = None, size: int = 0) -> None: ...

    def say(self, sentence: str) -> None: ...

    def end(self) -> None: ...
