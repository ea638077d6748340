"""Finding a server that runs: its state file, and the questions that it answers on its own port.

A state file alone proves nothing (pids are reused, files stay behind): a server runs when it answers
on the port and names the same directory and identity. Starting and stopping are server.py's.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

STATUS, LEASE, KEEP = ((1234 << 16) | code for code in (7000, 7001, 7002))  # as in wire/messages.mjs
ANSWER_TIMEOUT = 5.0  # seconds; the server's own thread never computes


@dataclass(frozen=True)
class Running:
    """A server that answered. `url` is SQLAlchemy's, for psycopg; started is aware, UTC."""

    pid: int
    port: int
    data_directory: Path
    started: datetime
    version: str
    url: str


def state_file(data_directory: Path) -> Path:
    return data_directory / "server.json"


def log_file(data_directory: Path) -> Path:
    return data_directory / "server.log"


def read_state(data_directory: Path) -> dict[str, Any]:
    """What the last server said of itself; empty when there was none."""
    try:
        said = json.loads(state_file(data_directory).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def ask(data_directory: Path) -> Running | None:
    """The server that runs on this directory now, if one answers."""
    said = read_state(data_directory)
    if said.get("state") != "ready":
        return None
    connection = request(STATUS, said)
    if connection is None:
        return None
    connection.close()
    return describe(said, data_directory)


def request(code: int, said: dict[str, Any]) -> socket.socket | None:
    """Say `code` to the server of this state; the open connection if it is that server and up."""
    try:
        connection = socket.create_connection(("127.0.0.1", int(said["port"])), timeout=ANSWER_TIMEOUT)
    except (OSError, KeyError, TypeError, ValueError):
        return None
    try:
        connection.sendall(struct.pack("!ii", 8, code))
        answer = b""
        while not answer.endswith(b"\n"):
            piece = connection.recv(4096)
            if not piece:
                break
            answer += piece
        words = json.loads(answer)
        if words["identity"] == said["identity"] and words["state"] == "ready":
            return connection
    except (OSError, ValueError, KeyError, TypeError):
        pass
    connection.close()
    return None


def describe(said: dict[str, Any], data_directory: Path) -> Running:
    return Running(
        pid=int(said["pid"]),
        port=int(said["port"]),
        data_directory=data_directory,
        started=datetime.fromisoformat(said["started"]),
        version=f"PostgreSQL {said['version']}, TimescaleDB {said['extension']}",
        url=f"postgresql+psycopg://postgres@127.0.0.1:{said['port']}/postgres?sslmode=disable",
    )


def take_lock(data_directory: Path) -> int | None:
    """The directory's lock as an open descriptor, None if somebody has it.

    It belongs to whoever holds the descriptor: handed to the server and closed here, it lives
    exactly as long as the server, so no kill leaves a stale one behind.
    """
    descriptor = os.open(data_directory / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_locked(data_directory: Path) -> bool:
    if not (data_directory / "server.lock").exists():
        return False
    descriptor = take_lock(data_directory)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
