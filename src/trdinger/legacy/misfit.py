"""What is raised where a value does not fit."""

from __future__ import annotations


class Misfit(Exception):
    """The target cannot hold this value; `reason` says why, for people.

    What stands before the first colon is the kind of reason, by which many are counted.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
