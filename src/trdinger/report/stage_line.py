"""What a stage looks like in a terminal: two lines while it goes, one when it has ended."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trdinger.report import figures
from trdinger.report.estimate import Tally

_TITLE = 10  # cells of a title; longer ones push
_TIME = 11  # cells of a time such as "12 min 05 s"
_INDENT = 2  # cells before the second line
_BAR = (10, 60)  # cells of a bar, least and most
_AROUND = 22  # cells of spinner, share and remaining time


class Current:
    """A stage as it goes, drawn anew from its tally each time."""

    def __init__(self, tally: Tally, *, utf8: bool = True) -> None:
        self.tally = tally
        self._between = " · " if utf8 else ", "
        self._spinner = Spinner("dots" if utf8 else "line", style="cyan")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Two lines, cut to the width, so that the display never jumps."""
        row = Table.grid(padding=(0, 1))
        row.add_row(*self._first(options.max_width))
        yield row
        yield _line(Text(" " * _INDENT).append(self._second(), style="dim"), utf8=not options.ascii_only)

    def _first(self, width: int) -> list[Spinner | Text | ProgressBar]:
        tally = self.tally
        title = Text(tally.title.ljust(_TITLE), style="bold", no_wrap=True)
        if tally.share is None:
            return [self._spinner, title, Text(figures.clock(tally.elapsed), style="cyan")]
        least, most = _BAR
        room = width - title.cell_len - _AROUND
        cells: list[Spinner | Text | ProgressBar] = [self._spinner, title]
        if room >= least:
            total, done = max(tally.total or 0, 1), min(tally.done, tally.total or 0)
            full = done >= total
            cells.append(
                ProgressBar(
                    total=total,
                    completed=done,
                    width=min(room, most),
                    pulse=full,
                    complete_style="cyan",
                    pulse_style="cyan",
                    animation_time=tally.elapsed,
                )
            )
        cells.append(Text(f"{int(tally.share * 100):>3} %", no_wrap=True))
        left = tally.remaining()
        cells.append(
            Text(f"{figures.clock(left)} left" if left is not None else "", style="cyan", no_wrap=True)
        )
        return cells

    def _second(self) -> str:
        tally = self.tally
        parts = [amount(tally)] if tally.total or tally.done else []
        rate, speed = tally.rate(), tally.speed()
        if rate and tally.measure == "rows":
            parts.append(figures.rate(rate))
        if speed:
            parts.append(figures.speed(speed))
        if tally.detail:
            parts.append(figures.clean(tally.detail))
        return self._between.join(parts)


def amount(tally: Tally, number: int | None = None) -> str:
    """`number` in the stage's measure; without one, what is done of the total."""
    if number is not None:
        return figures.size(number) if tally.measure == "bytes" else _counted(tally, number)
    if not tally.total:
        return amount(tally, tally.done)
    done = figures.size(tally.done) if tally.measure == "bytes" else figures.count(tally.done)
    return f"{done} of {amount(tally, tally.total)}"


def finished(tally: Tally, *, utf8: bool = True) -> Text:
    """The line of a stage that has ended: its time, what it did and how fast."""
    text = Text.assemble(
        ("✓" if utf8 else "+", "bold green"),
        " ",
        (tally.title.ljust(_TITLE), "bold"),
        (figures.duration(tally.elapsed).rjust(_TIME), "green"),
    )
    parts = [amount(tally, tally.done)] if tally.done else []
    rate, speed = tally.average()
    if rate and tally.measure == "rows":
        parts.append(figures.rate(rate))
    if speed:
        parts.append(figures.speed(speed))
    if parts:
        text.append("  " + ", ".join(parts), style="dim")
    return _line(text, utf8=utf8)


def stopped(tally: Tally, *, utf8: bool = True) -> Text:
    """The line of a stage that an error or Ctrl-C ended."""
    text = Text.assemble(
        ("✗" if utf8 else "x", "bold red"),
        " ",
        (tally.title.ljust(_TITLE), "bold"),
        (figures.duration(tally.elapsed).rjust(_TIME), "red"),
        "  stopped",
    )
    if tally.done:
        text.append(f" at {amount(tally)}", style="dim")
    return _line(text, utf8=utf8)


def _counted(tally: Tally, number: int) -> str:
    return figures.counted(number, tally.measure.removesuffix("s"))


def _line(text: Text, *, utf8: bool) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis" if utf8 else "crop"
    return text
