"""Questions put to each in turn, again and again: how long each took, once all have answered the same."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from trdinger.bench.queries.alike import require_alike, rows
from trdinger.bench.queries.application import Application
from trdinger.bench.queries.asked import Asked
from trdinger.bench.queries.joining import pandas
from trdinger.bench.queries.ours import Ours
from trdinger.bench.queries.result import Answer, Question
from trdinger.errors import ValuesDiffer

_LONG = 8.0  # seconds; who took that long once is not asked again
_QUICK, _OFTEN = 0.1, 10  # who answers within that many seconds is asked so many times in a row
_MINUTE = timedelta(minutes=1)


def put(question: str, sides: Sequence[Any], repeat: int) -> Question:
    """Ask all who know an answer, ours first, `repeat` times in turn, after a turn that warms up.

    Who is quick is asked ten times a turn: what is asked often is prepared, and so short a time is uncertain.
    Raises ValuesDiffer where any answer is another than ours.
    """
    method = question.replace("-", "_")
    asked = [(Answer(side.name), getattr(side, method)) for side in sides if hasattr(side, method)]
    count = 0
    for turn in range(repeat + 1):
        for answer, ask in asked:
            if answer.seconds and answer.seconds[0] > _LONG:
                continue
            gc.collect()  # what one left behind is not another's to clear away
            seconds, said = _took(ask)
            again = [_took(ask)[0] for _ in range(_OFTEN - 1)] if seconds < _QUICK else []
            if turn or seconds > _LONG:
                answer.seconds += [seconds, *again]
            if turn:
                continue
            if answer is asked[0][0]:
                ours, count = said, rows(said)
            elif said is not None:
                require_alike(question, ours, said, answer.who)
    return Question(question, [answer for answer, _ in asked], count)


def stored(ours: Ours, application: Application, asked: Asked, count: int, repeat: int) -> list[Question]:
    """Store new candles, then the same ones again, with each in turn; what came of it is taken away again."""
    records = asked.new(count)
    sides: tuple[Ours | Application, ...] = (ours, application)
    new, known = ([Answer(side.name) for side in sides] for _ in range(2))
    for turn in range(repeat + 1):
        for at, side in enumerate(sides):
            if new[at].seconds and new[at].seconds[0] > _LONG:
                continue
            took = []
            gc.collect()
            for expected in (count, 0):
                seconds, found = _took(lambda: side.store_candles(records))  # noqa: B023  # called at once
                if found != expected:
                    raise ValuesDiffer(f"The benchmark ends: {side.name} stored {found}, not {expected}.")
                took.append(seconds)
            if not turn:
                _require_stored(side, records, asked)
            side.forget(asked.symbol, asked.last)
            if turn or took[0] > _LONG:
                new[at].seconds.append(took[0])
                known[at].seconds.append(took[1])
    return [Question("new", new, count), Question("known", known, count)]


def _took(ask: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    said = ask()
    return time.perf_counter() - begun, said


def _require_stored(side: Ours | Application, records: list[dict[str, Any]], asked: Asked) -> None:
    sent = pandas().DataFrame(records).drop(columns=["symbol", "timeframe"])
    until = asked.last + (len(records) + 1) * _MINUTE
    found = side.frame(asked.symbol, "1m", asked.last + _MINUTE, until)
    require_alike("what was stored", sent, found, side.name)
