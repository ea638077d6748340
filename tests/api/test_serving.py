"""`trdinger serve`: a process that answers until it is told to end, on this machine alone."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cli.command import apart, environment, here
from trdinger.sample import SampleOptions, write_sample

PATIENCE = 60.0  # seconds


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "trader.example"])
def test_it_listens_on_this_machine_alone(host: str) -> None:
    done = here("serve", "--host", host)
    assert done.code == 2
    assert "on this machine alone" in done.sentence


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = here("serve", "--to", f"sqlite:///{tmp_path / 'other.db'}")
    assert done.code == 4
    assert "There is no file" in done.sentence
    assert not (tmp_path / "other.db").exists()


def test_it_answers_from_the_application_s_file_and_ends_when_told(tmp_path: Path) -> None:
    file = tmp_path / "trdinger.db"
    write_sample(file, SampleOptions(rows=300, symbols=("BTC/USDT:USDT",), timeframes=("1h",)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "trdinger", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + PATIENCE
        while not _answers(f"{url}/health"):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        assert httpx.get(f"{url}/ready").json()["status"] == "ready"
        asked = {"symbol": "BTC/USDT:USDT", "limit": 3}
        assert len(httpx.get(f"{url}/api/market-data/ohlcv", params=asked).json()["data"]) == 3
        taken = apart(["serve", "--port", str(port)], cwd=tmp_path)
        assert taken.code == 2
        assert f"Nothing can listen on 127.0.0.1:{port}" in taken.err
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in said
    finally:
        process.kill()
        process.communicate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
