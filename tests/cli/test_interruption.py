"""Ctrl-C, a second mover, and what a terminal shows meanwhile: processes of their own, on a real server."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.command import PATIENCE, PROGRAM, apart, environment, here
from cli.conftest import Target
from faults.kill_at import Killed
from trdinger.sample import SampleOptions, write_sample

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 300,000 candles in two series: seconds of work, and several units."""
    path = tmp_path_factory.mktemp("large") / "trdinger.db"
    write_sample(
        path, SampleOptions(rows=300_000, symbols=("BTC/USDT:USDT", "ETH/USDT:USDT"), timeframes=("1m",))
    )
    return path


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The program's command line, for processes that inherit this environment."""
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    return PROGRAM


def units(target: Target) -> int:
    """How many units are in."""
    ((there,),) = target.ask("SELECT to_regclass('trdinger_ledger.unit') IS NOT NULL")
    return int(target.ask("SELECT count(*) FROM trdinger_ledger.unit")[0][0]) if there else 0


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(
    server: Target, large_file: Path, tmp_path: Path, program: tuple[str, ...], kill_at: Callable[..., Killed]
) -> None:
    command = [*program, "migrate", str(large_file), "--to", server.address, "--workdir", str(tmp_path)]
    stopped = kill_at(command, lambda _said: units(server) >= 1, signal_=signal.SIGINT, within=PATIENCE)
    assert stopped.returncode == 130, stopped.output
    assert stopped.output.endswith(
        "trdinger: Stopped.\n  → What was committed stays; the same command goes on from there.\n"
    )
    assert re.search(r"^\d\d:\d\d:\d\dZ \w+: stopped after ", stopped.output, re.M)
    assert "Traceback" not in stopped.output
    before = units(server)
    done = here(*command[len(program) :], "--json")
    assert done.code == 0, done
    assert done.json["result"] == "equal"
    assert done.json["resumed"] is True
    assert units(server) >= before
    assert server.ask("SELECT count(*) FROM ohlcv_data") == [(300_000,)]
    assert len(list(tmp_path.glob("*.db"))) == 1


def test_a_second_mover_is_told_who_is_at_work(
    server: Target, large_file: Path, tmp_path: Path, program: tuple[str, ...]
) -> None:
    arguments = ["migrate", str(large_file), "--to", server.address, "--workdir", str(tmp_path), "--json"]
    first = subprocess.Popen([*program, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while not units(server) and time.monotonic() < deadline:
            time.sleep(0.02)
        first.send_signal(signal.SIGSTOP)  # in the middle of its copy
        second = apart(arguments)
        assert second.code == 5, second
        assert second.json["error"]["kind"] == "EngineBusy"
        assert f"process {first.pid} on " in second.json["error"]["message"]
        assert "Wait for its end" in second.json["error"]["hint"]
    finally:
        first.send_signal(signal.SIGCONT)
        said, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    assert json.loads(said)["result"] == "equal"


def test_a_terminal_shows_a_live_move_and_a_proven_end(server: Target, source: Path, tmp_path: Path) -> None:
    shown, code = on_a_terminal(["migrate", str(source), "--to", server.address], tmp_path)
    assert code == 0, shown
    assert shown.count(HIDE) == shown.count(SHOW) == 1
    assert shown.rindex(SHOW) > shown.rindex(HIDE)
    plain = without_controls(shown)
    for stage in ("Look", "Back up", "Check", "Schema", "Copy", "Finish", "Verify"):
        assert len(re.findall(rf"✓ {stage} +[\d.]+ s", plain)) == 1
    assert "━" in plain
    assert "✓ Every cell is equal" in plain
    assert not re.search(r"^\d\d:\d\d:\d\dZ", plain, re.M)


def test_ctrl_c_on_a_terminal_gives_the_cursor_back(server: Target, large_file: Path, tmp_path: Path) -> None:
    arguments = ["migrate", str(large_file), "--to", server.address, "--workdir", str(tmp_path)]
    shown, code = on_a_terminal(arguments, tmp_path, until="✓ Schema")
    assert code == 130, shown
    assert shown.rindex(SHOW) > shown.rindex(HIDE)
    assert "trdinger: Stopped." in shown
    assert "Traceback" not in shown


def test_two_at_once_on_the_embedded_engine_take_turns(
    directory: Path, source: Path, program: tuple[str, ...]
) -> None:
    address = f"embedded:{directory}"
    asked = [
        subprocess.Popen(
            [*program, "db", "psql", "--to", address, "--json", "-c", f"SELECT {at}, pg_sleep(0.5)::text"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for at in range(2)
    ]
    said = [json.loads(each.communicate(timeout=PATIENCE)[0]) for each in asked]
    assert [answers[0]["rows"][0][0] for answers in said] == [0, 1]


def without_controls(shown: str) -> str:
    """What a terminal was sent, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "")


def on_a_terminal(arguments: list[str], cwd: Path, until: str = "") -> tuple[str, int]:
    """Run the program on a terminal of 80 columns; all it wrote, and its exit code.

    until: once this was shown, Ctrl-C is typed.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env=environment(TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,  # noqa: PLW1509
    )
    os.close(theirs)
    shown, deadline, typed = b"", time.monotonic() + PATIENCE, False
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
            if until and not typed and until in without_controls(shown.decode(errors="replace")):
                os.write(ours, b"\x03")
                typed = True
        return shown.decode(errors="replace"), process.wait(10)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
