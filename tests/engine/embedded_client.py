"""A PostgreSQL client of a hundred lines that shares nothing with libpq: it decides where bytes are cut."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def query(text: str) -> bytes:
    return message("Q", text.encode() + b"\0")


def extended(text: str) -> bytes:
    """Parse, Bind, Describe and Execute of one statement, without the Sync."""
    return (
        message("P", b"\0" + text.encode() + b"\0" + b"\0\0")
        + message("B", b"\0\0" + b"\0\0" * 3)
        + message("D", b"P\0")
        + message("E", b"\0" + struct.pack("!i", 0))
    )


def copy_data(data: bytes) -> bytes:
    return message("d", data)


COPY_DONE = message("c")
SYNC = message("S")


@dataclass
class Answer:
    """What came until ReadyForQuery: the kinds in order, and what tests ask about."""

    kinds: str = ""
    rows: list[list[str | None]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    status: str = ""


class RawClient:
    """One connection. `cut` is the largest piece that is sent at once."""

    def __init__(self, port: int, *, cut: int | None = None, **parameters: str) -> None:
        self.cut = cut
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        words = {"user": "postgres", "database": "postgres"} | parameters
        body = b"".join(f"{key}\0{value}\0".encode() for key, value in words.items()) + b"\0"
        self.send(struct.pack("!ii", len(body) + 8, 196608) + body)
        self.serial = 0
        self.greeting = self.answer()

    def send(self, data: bytes) -> None:
        step = self.cut or len(data)
        for at in range(0, len(data), step):
            self.socket.sendall(data[at : at + step])

    def ask(self, data: bytes) -> Answer:
        self.send(data)
        return self.answer()

    def answer(self) -> Answer:
        answer = Answer()
        for kind, body in self.messages():
            answer.kinds += kind
            if kind == "D":
                answer.rows.append(_row(body))
            elif kind == "C":
                answer.tags.append(body[:-1].decode())
            elif kind == "E":
                parts = body.split(b"\0")
                answer.errors.append({part[:1].decode(): part[1:].decode() for part in parts if part})
            elif kind == "K":
                (self.serial,) = struct.unpack_from("!i", body)
            elif kind == "Z":
                answer.status = body.decode()
        return answer

    def messages(self) -> Iterator[tuple[str, bytes]]:
        """Until ReadyForQuery or the end of the connection."""
        while True:
            while len(self.buffer) < 5 or len(self.buffer) < (size := self._size()):
                piece = self.socket.recv(65536)
                if not piece:
                    return
                self.buffer += piece
            kind, body = chr(self.buffer[0]), self.buffer[5:size]
            self.buffer = self.buffer[size:]
            yield kind, body
            if kind == "Z":
                return

    def _size(self) -> int:
        return int(struct.unpack_from("!i", self.buffer, 1)[0]) + 1

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _row(body: bytes) -> list[str | None]:
    values: list[str | None] = []
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if size < 0 else body[at : at + size].decode())
        at += max(size, 0)
    return values
