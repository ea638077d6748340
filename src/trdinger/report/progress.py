"""Progress that people see: a live display on a terminal, plain lines elsewhere, or nothing.

    with choose(quiet=False, json=False) as progress:
        progress.stage("Copy", total=5_000_000)

Everything goes to stderr. Leaving the block, with an error too, gives the cursor back.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from trdinger.progress import Measure, Silent
from trdinger.report import figures
from trdinger.report.estimate import Clock, Tally
from trdinger.report.stage_line import Current, amount, finished, stopped

_REFRESH = 10  # redraws a second
_LINE_SECONDS = 10.0  # plain lines of one stage are at least this far apart
_LINE_SHARE = 0.1  # and this much progress, or
_LINE_AT_LAST = 60.0  # this many seconds


class Display(Silent):
    """A Progress for a `with`; this one shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Telling(Display):
    """Keeps the current stage's tally; what to show of it is the subclass's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tally: Tally | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.end()
            return
        tally, self._tally = self._tally, None
        self._stopped(tally)

    def stage(self, title: str, *, total: int | None = None, measure: Measure = "rows") -> None:
        self._end_stage()
        self._tally = Tally(figures.clean(title), total, measure, clock=self._clock)
        self._begun(self._tally)

    def advance(self, done: int, *, detail: str | None = None, size: int = 0) -> None:
        if self._tally is not None:
            self._tally.advance(done, detail, size)
            self._moved(self._tally)

    def end(self) -> None:
        self._end_stage()

    def _end_stage(self) -> None:
        tally, self._tally = self._tally, None
        if tally is not None:
            self._ended(tally)

    def _begun(self, tally: Tally) -> None: ...

    def _moved(self, tally: Tally) -> None: ...

    def _ended(self, tally: Tally) -> None: ...

    def _stopped(self, tally: Tally | None) -> None: ...


class Terminal(_Telling):
    """The current stage live, in two lines; above it what has ended and what was said."""

    def __init__(self, console: Console | None = None, *, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self.console = console or Console(stderr=True, highlight=False)
        self._live: Live | None = None

    def say(self, sentence: str) -> None:
        self.console.print(Text(figures.clean(sentence), style="yellow"))  # a style of print() dyes the bar

    def end(self) -> None:
        super().end()
        self._close()

    def _begun(self, tally: Tally) -> None:
        current = Current(tally, utf8=self._utf8)
        if self._live is None:
            self._live = Live(
                current,
                console=self.console,
                refresh_per_second=_REFRESH,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()
        self._live.update(current)

    def _ended(self, tally: Tally) -> None:
        line = finished(tally, utf8=self._utf8)
        if self._live is not None:
            self._live.update(Text(), refresh=True)  # now: the next print would show the old frame again
        self.console.print(line)

    def _stopped(self, tally: Tally | None) -> None:
        self._close()
        if tally is not None:
            self.console.print(stopped(tally, utf8=self._utf8))

    def _close(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    @property
    def _utf8(self) -> bool:
        return self.console.encoding.lower().startswith("utf")


class Plain(_Telling):
    """Lines with the time (UTC) and no control characters, for files and logs."""

    def __init__(self, stream: TextIO | None = None, *, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self._stream = stream or sys.stderr
        self._told_at = 0.0
        self._told_share = 0.0

    def say(self, sentence: str) -> None:
        self._line(figures.clean(sentence))

    def _begun(self, tally: Tally) -> None:
        self._told_at, self._told_share = 0.0, 0.0
        self._line(f"{tally.title}: begins" + (f", {amount(tally, tally.total)}" if tally.total else ""))

    def _moved(self, tally: Tally) -> None:
        elapsed, share = tally.elapsed, tally.share or 0.0
        since = elapsed - self._told_at
        if since < _LINE_SECONDS or (share - self._told_share < _LINE_SHARE and since < _LINE_AT_LAST):
            return
        self._told_at, self._told_share = elapsed, share
        parts = [f"{share:.0%}, {amount(tally)}" if tally.total else amount(tally)]
        rate, speed, left = tally.rate(), tally.speed(), tally.remaining()
        if rate and tally.measure == "rows":
            parts.append(figures.rate(rate))
        if speed:
            parts.append(figures.speed(speed))
        if left is not None:
            parts.append(f"{figures.clock(left)} left")
        self._line(f"{tally.title}: {', '.join(parts)}")

    def _ended(self, tally: Tally) -> None:
        self._line(f"{tally.title}: done in {figures.duration(tally.elapsed)}{_sum(tally)}")

    def _stopped(self, tally: Tally | None) -> None:
        if tally is not None:
            done = f", {amount(tally)} done" if tally.done else ""
            self._line(f"{tally.title}: stopped after {figures.duration(tally.elapsed)}{done}")

    def _line(self, text: str) -> None:
        self._stream.write(f"{datetime.now(UTC):%H:%M:%SZ} {text}\n")
        self._stream.flush()


def choose(quiet: bool, json: bool, stream: TextIO | None = None) -> Display:
    """The display for these options and this stream (stderr): silent, live or plain. Use it in a `with`."""
    if quiet or json:
        return Display()
    stream = stream or sys.stderr
    console = Console(file=stream, highlight=False)
    if stream.isatty() and not console.is_dumb_terminal:
        return Terminal(console)
    return Plain(stream)


def _sum(tally: Tally) -> str:
    if not tally.done:
        return ""
    rate, speed = tally.average()
    parts = ["", amount(tally, tally.done)]
    if rate and tally.measure == "rows":
        parts.append(figures.rate(rate))
    if speed:
        parts.append(figures.speed(speed))
    return ", ".join(parts)
