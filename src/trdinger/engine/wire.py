"""A session that only asks: statements that stay prepared, answers in binary, decoded many rows at a time.

psycopg makes the connection: address, password, time zone. Then its socket is read here and not by libpq,
which would hand out one row a call. That is as much of the protocol as a question needs: parse once, then
bind and execute, whose answer is one round trip. Several questions can go in one.

Over TLS libpq keeps the keys to what comes, so `Database.reading` takes ADBC there.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg
import pyarrow as pa

from trdinger.engine.decoding import ROW, Rows
from trdinger.engine.reading import Question

_BUFFER = 1 << 20  # bytes of an answer that are held before they are decoded
_BATCH = 1 << 19  # bytes that are awaited before what came is decoded: each time costs some 0.1 ms
_PATIENCE = 0.002  # seconds without a byte after which what came is decoded all the same
_READY = b"Z\x00\x00\x00\x05"  # the end of an answer, but for its last byte
_STATEMENTS = 64  # that stay prepared; the store's questions are some twenty
_FORGOTTEN = ("26000", "0A000")  # a pooler gave another session; a migration changed a column's type
_SYNC = b"S\x00\x00\x00\x04"
_HEAD = struct.Struct("!ci")


class Encrypted(Exception):
    """What comes on this connection can be read by libpq alone."""


class Wire:
    """One session. connect: makes its connection, in autocommit, as often as one is needed.

    Its errors are psycopg's. A session that broke, or whose answer was not read to its end, is made anew
    with the next question.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._connection: psycopg.Connection[Any] | None = None
        self._socket: socket.socket | None = None
        self._prepared: OrderedDict[str, tuple[bytes, list[tuple[str, int]]]] = OrderedDict()
        self._named = 0
        self._buffer = bytearray()
        self._at = self._end = 0
        self._open()

    def close(self) -> None:
        """End the session."""
        taken, self._socket = self._socket, None
        if taken is not None:
            with suppress(OSError):
                taken.close()
        if self._connection is not None:
            self._connection.close()

    def ask(self, statement: str, values: Sequence[object] = ()) -> pa.Table:
        """What one statement answers; no columns where it answers none."""
        return self.ask_all([(statement, values)])[0]

    def ask_all(self, questions: Sequence[Question]) -> list[pa.Table]:
        """What each answers, in one round trip. The first error ends it, and a transaction that it met."""
        try:
            return self._asked(questions)
        except psycopg.Error as error:
            if error.sqlstate not in _FORGOTTEN or self._socket is None:
                raise
            self._prepared.clear()
            return self._asked(questions)

    def _open(self) -> None:
        self._prepared.clear()
        self._buffer, self._at, self._end = bytearray(_BUFFER), 0, 0
        self._connection = self._connect()
        self._socket = socket.socket(fileno=os.dup(self._connection.pgconn.socket))
        self._socket.setblocking(True)

    def _asked(self, questions: Sequence[Question]) -> list[pa.Table]:
        if self._socket is None:
            self._open()
        whole = False
        try:
            self._prepare([statement for statement, _ in questions])
            asked = bytearray()
            for statement, values in questions:
                asked += _bind(self._prepared[statement][0], values) + _EXECUTE
            self._send(asked)
            answers = self._read([self._prepared[statement][1] for statement, _ in questions])
            whole = True
        except psycopg.Error as error:
            whole = error.sqlstate is not None
            raise
        except OSError as error:
            raise psycopg.OperationalError(f"the connection broke: {error}") from error
        finally:
            if not whole:  # what comes would be taken for the answer to the next question
                self.close()
        return answers

    def _prepare(self, statements: Sequence[str]) -> None:
        new = [one for one in dict.fromkeys(statements) if one not in self._prepared]
        for statement in statements:
            if statement in self._prepared:
                self._prepared.move_to_end(statement)
        if not new:
            return
        said = bytearray()
        while self._prepared and len(self._prepared) + len(new) > _STATEMENTS:
            name, _ = self._prepared.popitem(last=False)[1]
            said += _message(b"C", b"S" + name + b"\0")
        names = []
        for statement in new:
            self._named += 1
            names.append(b"trdinger_%d" % self._named)
            said += _message(b"P", names[-1] + b"\0" + statement.encode() + b"\0\0\0")
            said += _message(b"D", b"S" + names[-1] + b"\0")
        self._send(said)
        described = self._described()
        self._prepared |= zip(new, zip(names, described, strict=True), strict=True)

    def _described(self) -> list[list[tuple[str, int]]]:
        found = []
        for letter, body in self._messages():
            if letter == b"T":
                found.append(_columns(body))
            elif letter == b"n":
                found.append([])
        return found

    def _read(self, columns: list[list[tuple[str, int]]]) -> list[pa.Table]:
        awaited = [Rows(each) for each in columns]
        return [awaited.pop(0).table() for letter, _ in self._messages(awaited) if letter in (b"C", b"I")]

    def _send(self, data: bytes | bytearray) -> None:
        assert self._socket is not None
        self._socket.sendall(data + _SYNC)

    def _messages(self, awaited: Sequence[Rows] = ()) -> Iterator[tuple[bytes, bytes]]:
        """Each message up to the server's being ready; rows go into the first `awaited`. Raises its error."""
        failed: psycopg.Error | None = None
        while True:
            if awaited and self._end > self._at and self._buffer[self._at] == ROW:
                self._at = awaited[0].take(self._buffer, self._at, self._end)
            message = self._whole()
            if message is None:
                self._more()
                continue
            letter, body = message
            if letter == b"E":
                failed = _error(body)
            elif letter == b"Z":
                break
            elif failed is None:
                yield letter, body
        if failed is not None:
            if body == b"E":
                self._send(_message(b"P", b"\0ROLLBACK\0\0\0") + _bind(b"", ()) + _EXECUTE)
                for _ in self._messages():
                    pass
            raise failed

    def _whole(self) -> tuple[bytes, bytes] | None:
        """The next message, if all of it is here; a row is none."""
        held = self._end - self._at
        if held < _HEAD.size:
            return None
        letter, size = _HEAD.unpack_from(self._buffer, self._at)
        if held < 1 + size:
            return None
        body = bytes(self._buffer[self._at + _HEAD.size : self._at + 1 + size])
        self._at += 1 + size
        return letter, body

    def _more(self) -> None:
        """Read on, after what is here; the buffer grows for a message that is longer than it."""
        assert self._socket is not None
        held = self._end - self._at
        if self._at:
            self._buffer[:held] = self._buffer[self._at : self._end]
            self._at, self._end = 0, held
        if held == len(self._buffer):
            self._buffer += bytes(held)
        with memoryview(self._buffer) as view:
            while self._end - held < _BATCH and self._end < len(view):
                read = self._socket.recv_into(view[self._end :])
                if not read:
                    raise psycopg.OperationalError("the server closed the connection")
                self._end += read
                if view[self._end - len(_READY) - 1 : self._end - 1] == _READY:
                    break
                if not select.select([self._socket], [], [], _PATIENCE)[0]:
                    break


def _message(letter: bytes, body: bytes) -> bytes:
    return _HEAD.pack(letter, len(body) + 4) + body


def _bind(name: bytes, values: Sequence[object]) -> bytes:
    """Values as texts, for the server to read in their types; the answer in binary."""
    said = bytearray(b"\0" + name + b"\0\0\0" + struct.pack("!H", len(values)))
    for value in values:
        if value is None:
            said += struct.pack("!i", -1)
            continue
        text = (value.isoformat() if isinstance(value, datetime) else str(value)).encode()
        said += struct.pack("!i", len(text)) + text
    return _message(b"B", bytes(said + b"\0\1\0\1"))


_EXECUTE = _message(b"E", b"\0\0\0\0\0")


def _columns(body: bytes) -> list[tuple[str, int]]:
    """Name and type of each column that a statement answers."""
    found = []
    at = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(b"\0", at)
        found.append((body[at:end].decode(), int.from_bytes(body[end + 7 : end + 11], "big")))
        at = end + 19
    return found


def _error(body: bytes) -> psycopg.Error:
    said = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
    state = said.get(b"C", "XX000")
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:
        kind = psycopg.DatabaseError
    error = kind(said.get(b"M", "the server told no reason"))
    error.sqlstate = state
    return error
