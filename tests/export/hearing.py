"""Progress that does something when a stage begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from move.moving import Heard


class At(Heard):
    """`At("Write", line.cut)`: remembers what it hears, and acts once the stage has begun."""

    def __init__(self, title: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._title, self._act = title, act

    def stage(self, title: str, *, total: int | None = None, measure: Any = "rows") -> None:
        super().stage(title, total=total, measure=measure)
        if title == self._title:
            self._act()
