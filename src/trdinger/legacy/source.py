"""A SQLite file, opened for reading only.

Promises that the file stays as it is, byte for byte, and that what cannot be opened is
said in a sentence. Judging values is `values`', reading series `reading`'s.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from trdinger.errors import SourceError

_MAGIC = b"SQLite format 3\x00"
_HEADER = 100  # bytes of a SQLite header
LOCK_WAIT = 30.0  # seconds to wait for a writer to finish

# Tables that SQLite or a migration tool keeps for itself: never moved, never missed.
HOUSEKEEPING = frozenset({"sqlite_sequence", "sqlite_stat1", "sqlite_stat4", "alembic_version"})


class Text(bytes):
    """The bytes of a value whose storage class is TEXT, told from those of a BLOB."""


@dataclass(frozen=True)
class SourceColumn:
    """A column as declared: SQLite holds anything in it all the same."""

    name: str
    declared: str
    not_null: bool


@dataclass(frozen=True)
class SourceTable:
    """A table as declared."""

    name: str
    columns: tuple[SourceColumn, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class Source:
    """A SQLite file by its path.

    immutable: promise that nobody writes to it (our own backup), which spares all locks.
    """

    path: Path
    immutable: bool = False

    def __str__(self) -> str:
        return self.path.name

    @property
    def uri(self) -> str:
        """SQLite's own address of the file, for reading only."""
        flags = "mode=ro&immutable=1" if self.immutable else "mode=ro"
        return f"file:{quote(str(self.path.resolve()))}?{flags}"

    def check(self) -> None:
        """Raise SourceError unless this is a SQLite file that can be read."""
        path = self.path
        if not path.exists():
            raise SourceError(f"There is no file {path}.", hint="Check the path to trdinger.db.")
        if path.is_dir():
            raise SourceError(f"{path} is a folder.", hint="Name the SQLite file in it.")
        try:
            with path.open("rb") as file:
                header = file.read(_HEADER)
        except PermissionError:
            raise SourceError(
                f"{path} may not be read by this user.", hint=f"Grant it: chmod u+r '{path}'."
            ) from None
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}.") from None
        if not header:
            raise SourceError(f"{path} is empty (0 bytes).", hint="Name the file that Trdinger wrote.")
        if not header.startswith(_MAGIC):
            raise SourceError(
                f"{path} is not a SQLite database (or is encrypted).",
                hint="Name the file that Trdinger wrote.",
            )
        page = int.from_bytes(header[16:18], "big")
        page = 65536 if page == 1 else page
        pages = int.from_bytes(header[28:32], "big")
        # The count in the header is valid only when both change counters agree.
        if header[24:28] == header[92:96] and pages * page > path.stat().st_size:
            raise SourceError(
                f"{path} is cut short: its header tells of {pages * page:,} bytes, "
                f"the file has {path.stat().st_size:,}.",
                hint="Restore it from a copy.",
            )

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection that gives TEXT as `Text` and BLOB as bytes. Raises SourceError."""
        with reading(self.path):
            connection = sqlite3.connect(self.uri, uri=True, timeout=LOCK_WAIT, check_same_thread=False)
            try:
                connection.text_factory = Text
                connection.execute("PRAGMA query_only = on")
                connection.execute("PRAGMA schema_version").fetchone()
                yield connection
            finally:
                connection.close()

    def tables(self, connection: sqlite3.Connection) -> dict[str, SourceTable]:
        """The tables of the file but for housekeeping ones, by name."""
        names = [
            _name(row[0])
            for row in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
            )
        ]
        return {
            name: SourceTable(name, tuple(_columns(connection, name)))
            for name in names
            if name not in HOUSEKEEPING and not name.startswith("sqlite_")
        }

    def others(self, connection: sqlite3.Connection) -> list[str]:
        """Views and triggers: what a move leaves behind, as "view NAME"."""
        rows = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY type, name"
        )
        return [f"{_name(kind)} {_name(name)}" for kind, name in rows]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into SourceErrors that name the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        said = str(error).rstrip(".")
        code = getattr(error, "sqlite_errorcode", None) or 0
        primary = code & 0xFF
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise SourceError(
                f"{path} is locked by a program that writes to it.",
                hint="Stop that program, or try again when it is idle.",
            ) from None
        if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise SourceError(
                f"{path} is damaged: {said}.",
                hint="Restore it from a copy, or save what can be read with sqlite3's .recover.",
            ) from None
        if primary in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise SourceError(
                f"{path} cannot be opened: {said}.",
                hint="A WAL file beside it needs a folder that this user may write to: copy both there.",
            ) from None
        raise SourceError(f"{path} cannot be read: {said}.") from None


def quoted(name: str) -> str:
    """A name as an SQL identifier, for SQLite and PostgreSQL alike."""
    return '"' + name.replace('"', '""') + '"'


def _name(value: object) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _columns(connection: sqlite3.Connection, table: str) -> Iterator[SourceColumn]:
    for _, name, declared, not_null, _, _ in connection.execute(f"PRAGMA table_info({quoted(table)})"):
        yield SourceColumn(name=_name(name), declared=_name(declared), not_null=bool(not_null))
