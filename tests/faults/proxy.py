"""A line between client and server that can be cut, stalled, or cut after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from trdinger.engine.connect import Database

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST, not FIN


class Proxy:
    """Forwards one loopback port to a server, byte for byte, until told otherwise."""

    def __init__(self, database: Database) -> None:
        self._server = (database.url.host or "127.0.0.1", database.url.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.database = replace(database, url=database.url.set(host="127.0.0.1", port=self.port))
        self.sent = 0  # bytes from clients so far
        self.pieces: list[int] = []  # what `sent` was after each piece: a statement, or a part of a COPY
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        self._cut_after: int | None = None
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every open connection as a dying router does, without a goodbye. New ones are served."""
        with self._lock:
            broken, self._sockets = self._sockets, set()
        for end in broken:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut_after(self, sent: int) -> None:
        """Cut once clients have sent this many more bytes: in the middle of a COPY, say."""
        self._cut_after = self.sent + sent

    def stall(self) -> None:
        """Let nothing through in either direction; connections stay open."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let it flow again, the bytes held back first."""
        self._flowing.set()

    def refuse(self) -> None:
        """Cut everything and close each new connection at once, as a server that is gone does."""
        self._refusing = True
        self.cut()

    def accept(self) -> None:
        """Serve new connections again."""
        self._refusing = False

    def close(self) -> None:
        """End the line."""
        self._listener.close()
        self.resume()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            for source, sink, counted in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._forward, args=(source, sink, counted), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._flowing.wait()
                if counted:
                    self.sent += len(data)
                    self.pieces.append(self.sent)
                    if self._cut_after is not None and self.sent >= self._cut_after:
                        self._cut_after = None
                        self.cut()
                        return
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy() -> Iterator[Callable[[Database], Proxy]]:
    """`line = proxy(database)`: reach the database by `line.database`, break it by `line.cut()`."""
    with contextlib.ExitStack() as lines:

        def open_line(database: Database) -> Proxy:
            line = Proxy(database)
            lines.callback(line.close)
            return line

        yield open_line
