"""One reader or writer among many, as a client is: a process with a connection of its own.

Reads its job from stdin as JSON, says that it is ready, begins at the next line, works for so many seconds,
and says what it did, as JSON. A reader asks what the application is asked for, in turn by chance; a writer
stores a page of new candles every second, as a collector does.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from trdinger.bench.queries.application import Application
from trdinger.bench.queries.asked import Asked, candles
from trdinger.bench.queries.ours import Ours
from trdinger.engine.connect import Database
from trdinger.errors import TrdingerError

COMMAND = (sys.executable, "-m", "trdinger.bench.queries.client")
PAGE = 100  # candles that a writer stores at once
_PATIENCE = 0.2  # of the seconds and one more: how long after the end what was begun may take
_PAUSE = 1.0  # seconds between the beginnings of two pages
_LATEST_OF = ("1m", "15m", "1h")
_FRAMES = (("1m", timedelta(days=1)), ("15m", timedelta(days=30)))


def reader(side: Application | Ours, asked: Asked, dice: random.Random) -> Callable[[], object]:
    """What a reader does, one request at a time."""
    first, last = asked.months

    def once() -> object:
        symbol, kind = dice.choice(asked.symbols), dice.randrange(5)
        if kind == 0:
            return side.latest(symbol, dice.choice(_LATEST_OF))
        if kind in (1, 2):
            timeframe, span = _FRAMES[kind - 1]
            start = first + dice.random() * max(last - first - span, timedelta())
            return side.frame(symbol, timeframe, start, min(start + span, last))
        return side.range(symbol, dice.choice(_LATEST_OF)) if kind == 3 else side.symbols()

    return once


def writer(side: Application | Ours, symbol: str) -> Callable[[], object]:
    """What a writer does, one page at a time. Raises TimeoutError where rows were not taken."""
    moment = datetime(2025, 7, 1, tzinfo=UTC)

    def once() -> object:
        nonlocal moment
        page = candles(symbol, moment, PAGE)
        moment += timedelta(minutes=PAGE)
        if (stored := side.store_candles(page)) != PAGE:
            raise TimeoutError(f"{PAGE - stored} of {PAGE} candles were dropped")
        return stored

    return once


def worked(once: Callable[[], object], seconds: float, pause: float) -> dict[str, Any]:
    """Do it again and again; how long each time took, and what failed, which is also what does not end."""
    took: list[float] = []
    failed: list[str] = []
    working = threading.Thread(target=_work, args=(once, seconds, pause, took, failed), daemon=True)
    working.start()
    patience = 1 + _PATIENCE * seconds
    working.join(seconds + patience)
    unfinished = [f"not done {patience:.0f} seconds after the end"] if working.is_alive() else []
    return {"seconds": [*took], "failed": [*failed, *unfinished]}


def _work(
    once: Callable[[], object], seconds: float, pause: float, took: list[float], failed: list[str]
) -> None:
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        try:
            once()
        except (TrdingerError, SQLAlchemyError, TimeoutError) as error:
            failed.append(str(error).splitlines()[0])
        took.append(time.perf_counter() - begun)
        if pause:
            time.sleep(max(0.0, min(begun + pause, end) - time.perf_counter()))


def main() -> NoReturn:
    """Do the job on stdin."""
    job = json.loads(sys.stdin.readline())
    months = tuple(datetime.fromisoformat(one) for one in job["months"])
    asked = Asked(job["symbols"][0], tuple(job["symbols"]), months, months, months[1])  # type: ignore[arg-type]
    side: Application | Ours
    if job["side"] == "application":
        side = Application(Path(job["file"]), asked)
    else:
        side = Ours(Database(make_url(job["url"])), asked)
    writes = job["writes"]
    once = writer(side, writes) if writes else reader(side, asked, random.Random(job["seed"]))  # noqa: S311
    if not writes:
        once()  # what a client does at its start is not what is measured
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    json.dump(worked(once, job["seconds"], _PAUSE if writes else 0.0), sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # whatever is not done yet


if __name__ == "__main__":
    main()
