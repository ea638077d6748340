"""What people see while work goes on."""

from __future__ import annotations

import io
import os
import pty
import re
from contextlib import suppress

import pytest
from rich.console import Console
from turned_clock import Clock

from trdinger.report.progress import Display, Plain, Terminal, choose

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def lines(stream: io.StringIO) -> list[str]:
    """The lines without their times, which are checked."""
    found = stream.getvalue().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\dZ ", line) for line in found)
    return [line[10:] for line in found]


def copy(plain: Plain | Terminal, clock: Clock, units: int = 20, seconds: float = 30.0) -> None:
    plain.stage("Copy", total=20 * 250_000)
    for _ in range(units):
        clock.run(seconds / 20)
        plain.advance(250_000, detail="ohlcv_data BTC/USDT:USDT 1h", size=15_000_000)


def test_plain_lines_say_begin_middle_and_end(clock: Clock) -> None:
    stream = io.StringIO()
    with Plain(stream, clock=clock) as plain:
        plain.say("Scheduled jobs need background workers.")
        copy(plain, clock)
        plain.stage("Schema")
        clock.run(1.25)
        plain.end()
    assert lines(stream) == [
        "Scheduled jobs need background workers.",
        "Copy: begins, 5,000,000 rows",
        "Copy: 35%, 1,750,000 of 5,000,000 rows, 166,667 rows/s, 10.0 MB/s, 0:20 left",
        "Copy: 70%, 3,500,000 of 5,000,000 rows, 166,667 rows/s, 10.0 MB/s, 0:09 left",
        "Copy: done in 30.0 s, 5,000,000 rows, 166,667 rows/s, 10.0 MB/s",
        "Schema: begins",
        "Schema: done in 1.2 s",
    ]


@pytest.mark.parametrize(("seconds", "most"), [(3.0, 0), (300.0, 10), (6000.0, 100)])
def test_plain_lines_are_few_however_long_a_stage_takes(clock: Clock, seconds: float, most: int) -> None:
    stream = io.StringIO()
    with Plain(stream, clock=clock) as plain:
        plain.stage("Check", total=100_000)
        for _ in range(1000):
            clock.run(seconds / 1000)
            plain.advance(100, detail="ohlcv_data")
    between = lines(stream)[1:-1]
    assert len(between) <= most
    assert len(between) >= min(most, 9)


def test_plain_lines_hold_no_control_characters(clock: Clock) -> None:
    stream = io.StringIO()
    with Plain(stream, clock=clock) as plain:
        plain.say("\x1b[2Jone\r\ntwo \u202e")
        plain.stage("Co\x07py", total=1)
        plain.advance(1, detail="\x1b[1m")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", stream.getvalue())
    assert len(lines(stream)) == 3


def test_an_exception_ends_the_stage_in_words(clock: Clock) -> None:
    stream = io.StringIO()
    with suppress(KeyboardInterrupt), Plain(stream, clock=clock) as plain:
        copy(plain, clock, units=2, seconds=20)
        raise KeyboardInterrupt
    assert lines(stream)[-1] == "Copy: stopped after 2.0 s, 500,000 of 5,000,000 rows done"


def terminal(width: int = 90, encoding: str = "utf-8") -> tuple[Console, io.TextIOWrapper]:
    stream = io.TextIOWrapper(
        io.BytesIO(), encoding=encoding, errors="backslashreplace", write_through=True
    )  # as stderr
    console = Console(
        file=stream,
        force_terminal=True,
        width=width,
        height=24,
        highlight=False,
        color_system=None,
        _environ={"TERM": "xterm-256color"},  # whatever terminal the tests run on
    )
    return console, stream


def written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(stream.encoding)


def test_a_terminal_keeps_a_line_of_every_stage_and_gives_the_cursor_back(clock: Clock) -> None:
    console, stream = terminal()
    with Terminal(console, clock=clock) as progress:
        copy(progress, clock)
        progress.say("Chunks stay uncompressed.")
        progress.stage("Schema")
        clock.run(1.5)
        progress.end()
    found = written(stream)
    assert "✓ Copy           30.0 s  5,000,000 rows, 166,667 rows/s, 10.0 MB/s" in found
    assert "✓ Schema          1.5 s" in found
    assert "Chunks stay uncompressed." in found
    assert found.count(HIDE) == found.count(SHOW) == 1
    assert found.rindex(SHOW) > found.rindex(HIDE)


def test_a_terminal_gives_the_cursor_back_after_an_exception(clock: Clock) -> None:
    console, stream = terminal()
    with suppress(RuntimeError), Terminal(console, clock=clock) as progress:
        copy(progress, clock, units=4)
        raise RuntimeError
    found = written(stream)
    assert found.rindex(SHOW) > found.rindex(HIDE)
    assert "✗ Copy            6.0 s  stopped at 1,000,000 of 5,000,000 rows" in found


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_the_current_stage_takes_two_lines_at_every_width(clock: Clock, width: int) -> None:
    console, stream = terminal(width)
    progress = Terminal(console, clock=clock)
    copy(progress, clock, units=8)
    assert progress._live is not None
    drawn = console.render_lines(progress._live.renderable, pad=False)
    progress.end()
    texts = ["".join(segment.text for segment in line) for line in drawn]
    assert len(texts) == 2
    assert all(len(text) <= width for text in texts)
    if width >= 60:
        assert "40 %" in texts[0]
        assert "left" in texts[0]
        assert "2,000,000 of 5,000,000 rows · 166,667 rows/s" in texts[1]
    if width == 200:
        assert "10.0 MB/s · ohlcv_data BTC/USDT:USDT 1h" in texts[1]
    assert stream


def test_a_terminal_without_utf8_is_served_too(clock: Clock) -> None:
    console, stream = terminal(encoding="ascii")
    with Terminal(console, clock=clock) as progress:
        copy(progress, clock)
        progress.stage("Verify", total=5, measure="steps")
    found = written(stream)
    assert "+ Copy" in found
    assert "\\x" not in found
    assert "\\u" not in found


def test_the_display_fits_the_options_and_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(choose(quiet=True, json=False)) is Display
    assert type(choose(quiet=False, json=True)) is Display
    assert isinstance(choose(quiet=False, json=False, stream=io.StringIO()), Plain)
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "w") as stream:
            monkeypatch.setenv("TERM", "xterm-256color")
            assert isinstance(choose(quiet=False, json=False, stream=stream), Terminal)
            monkeypatch.setenv("TERM", "dumb")
            assert isinstance(choose(quiet=False, json=False, stream=stream), Plain)
    finally:
        os.close(ours)


def test_progress_goes_to_stderr_and_silence_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (False, True):
        with choose(quiet=quiet, json=False) as progress:
            progress.stage("Schema")
            progress.say("A sentence.")
        told = capsys.readouterr()
        assert told.out == ""
        assert bool(told.err) is not quiet
