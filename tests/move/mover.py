"""A move in a process of its own, which ends itself by a signal at a chosen moment, or goes on to its end.

Prints what the progress hears, a line each, so that whoever waits for a moment can. Run as:
python mover.py '{"path": […], "url": …, "sessions": …, "source": …, "existing": …, "at": [stage, done]}'
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    ASKED: dict[str, Any] = json.loads(sys.argv[1])
    sys.path[:0] = ASKED["path"]

from sqlalchemy.engine import make_url

from move.moving import SMALL, planned
from trdinger.engine.connect import Database
from trdinger.errors import TrdingerError
from trdinger.move.plan import Existing
from trdinger.move.report import peak_memory
from trdinger.move.run import migrate
from trdinger.move.units import Sizes


def command(source: Path, database: Database, **asked: Any) -> list[str]:
    """The command line of a mover.

    at: stage and how much of it is done when the process ends itself; signal: by which (SIGKILL).
    existing, sizes: as the options of a move.
    """
    asked |= {
        "path": [path for path in sys.path if path],
        "url": database.url.render_as_string(hide_password=False),
        "sessions": database.sessions,
        "source": str(source),
    }
    return [sys.executable, __file__, json.dumps(asked)]


class Ending:
    """Progress that prints, and ends this process at its moment."""

    def __init__(self, at: list[Any] | None, by: int) -> None:
        self._at, self._by = at, by
        self._stage, self._done = "", 0

    def stage(self, title: str, *, total: int | None = None, measure: Any = "rows") -> None:
        self._stage, self._done = title, 0
        self._reached(f"stage {title}")

    def advance(self, done: int, *, detail: str | None = None, size: int = 0) -> None:
        self._done += done
        self._reached(f"{self._stage} {self._done} {detail}")

    def say(self, sentence: str) -> None:
        print(sentence, flush=True)

    def end(self) -> None: ...

    def _reached(self, line: str) -> None:
        print(line, flush=True)
        if self._at is not None and self._stage == self._at[0] and self._done >= self._at[1]:
            self._at = None
            os.kill(os.getpid(), self._by)


def main() -> None:
    """Move, and print how it ended."""
    database = Database(make_url(ASKED["url"]), sessions=ASKED["sessions"])
    plan = planned(
        Path(ASKED["source"]),
        database,
        existing=Existing(ASKED.get("existing", "refuse")),
        sizes=Sizes(**ASKED["sizes"]) if "sizes" in ASKED else SMALL,
    )
    try:
        report = migrate(plan, Ending(ASKED.get("at"), ASKED.get("signal", signal.SIGKILL)))
    except TrdingerError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
    print(json.dumps({"equal": report.equal, "peak": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
