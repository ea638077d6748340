"""One file after the other into one target by the real command, each cell accounted for; how to search."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from cli.command import Done, here
from proof.accounts import Accounts, account
from proof.targets import Target
from proof.values import Contents

DONE = (0, 7)  # all is in; or all but the rejected rows


def searching(examples: int, *, long: bool) -> Any:
    """How Hypothesis searches: the same examples each time; with `long` others, and 25 times as many."""
    return settings(
        max_examples=examples * (25 if long else 1),
        deadline=None,  # a server has its moods
        derandomize=not long,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


class Moving:
    """Moves files into a target, which is emptied each time."""

    def __init__(self, target: Target, conninfo: str, folder: Path) -> None:
        self.target, self.conninfo = target, conninfo
        self._folder, self._moves = folder, 0

    @property
    def file(self) -> Path:
        """The file that was moved last."""
        return self._folder / f"{self._moves}" / "trdinger.db"

    @property
    def rejects(self) -> Path:
        """What the last move rejected."""
        return self.file.with_name("move") / "rejects.jsonl"

    @property
    def changes(self) -> Path:
        """What the last move changed."""
        return self.rejects.with_name("changes.jsonl")

    def move(self, held: Contents, *options: str) -> Accounts:
        """Move a file; the account of it, which is without problems."""
        shutil.rmtree(self.file.parent, ignore_errors=True)
        self._moves += 1
        self.file.parent.mkdir()
        held.write(self.file)
        done = self.run(
            "migrate", self.file, "--existing", "replace", "--workdir", self.rejects.parent, *options
        )
        assert done.code in DONE, done
        found = self.accounted(last="last" in options)
        assert done.code == (7 if found.rejected else 0), done
        return found

    def accounted(self, *, last: bool = False) -> Accounts:
        """The account of the last file, without problems."""
        found = account(
            self.file,
            self.conninfo,
            rejects=self.rejects,
            changes=self.changes,
            stays="last" if last else "first",
        )
        assert not found.problems, "\n".join(found.problems[:5])
        return found

    def run(self, *command: object) -> Done:
        """Run a command on this target; its answer is JSON."""
        return here(*command, "--to", self.target.address, "--json")
