"""A SQLite file, opened for reading only.

Promises that the file stays as it is, byte for byte, and that what cannot be opened is
said in a sentence. Judging values is `values`', reading series `reading`'s.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from trdinger.errors import SourceDamaged, SourceError

_MAGIC = b"SQLite format 3\x00"
_HEADER = 100  # bytes of a SQLite header
_HOUSEKEEPING = "alembic_version"  # a migration tool's own table: never moved, never missed
LOCK_WAIT = 30.0  # seconds to wait for a writer to finish


class Text(bytes):
    """The bytes of a value whose storage class is TEXT, told from those of a BLOB."""


@dataclass(frozen=True)
class Source:
    """A SQLite file by its path. Beside one in WAL mode SQLite may leave an empty -wal, and a -shm.

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
        return f"file:{quote(os.fsencode(self.path.resolve()))}?{flags}"

    @property
    def bytes(self) -> int:
        """The size of the file with its WAL."""
        return self.path.stat().st_size + self._beside("-wal")

    def check(self) -> None:
        """Raise SourceError unless this is a SQLite file that can be read."""
        path = self.path
        try:
            if not path.exists():
                raise _missing(path)
            if path.is_dir():
                raise SourceError(f"{path} is a folder.", hint="Name the SQLite file in it.")
            if not path.is_file():
                raise SourceError(f"{path} is no ordinary file.", hint="Name the file that Trdinger wrote.")
            with path.open("rb") as file:
                header = file.read(_HEADER)
            size, changing = path.stat().st_size, self._beside("-wal") or self._beside("-journal")
        except PermissionError:
            raise SourceError(
                f"{path} may not be read by this user.", hint=f"Grant it: chmod u+r {shlex.quote(str(path))}"
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
        # The count is valid only when both change counters agree, and ahead of the file in mid-change.
        counted = len(header) == _HEADER and header[24:28] == header[92:96] and not changing
        whole = pages * page if counted else _HEADER
        if size < whole:
            raise SourceError(
                f"{path} is cut short: its header tells of {whole:,} bytes, the file has {size:,}.",
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

    def tables(self, connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
        """The columns of each table of the file, as declared; housekeeping tables are left out."""
        names = [
            _name(row[0])
            for row in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
            )
        ]
        return {
            name: tuple(
                # xinfo has generated columns, too; hidden = 1 are a virtual table's own.
                _name(column)
                for _, column, _, _, _, _, hidden in connection.execute(f"PRAGMA table_xinfo({quoted(name)})")
                if hidden != 1
            )
            for name in names
            if name != _HOUSEKEEPING and not name.startswith("sqlite_")
        }

    def others(self, connection: sqlite3.Connection) -> list[str]:
        """Views and triggers: what a move leaves behind, as "view NAME"."""
        rows = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY type, name"
        )
        return [f"{_name(kind)} {_name(name)}" for kind, name in rows]

    def _beside(self, suffix: str) -> int:
        """The bytes of the file that SQLite keeps beside this one, 0 if there is none."""
        whole = self.path.resolve()
        try:
            return whole.with_name(whole.name + suffix).stat().st_size
        except FileNotFoundError:
            return 0


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into SourceErrors that name the file."""
    try:
        yield
    except UnicodeDecodeError as error:  # of SQLite's words, where they name what is no UTF-8 in the file
        raise damaged(path, error.object.decode("utf-8", "replace")) from None
    except sqlite3.DatabaseError as error:
        said = str(error).rstrip(".")
        code = getattr(error, "sqlite_errorcode", None) or 0
        primary = code & 0xFF
        if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise locked(path) from None
        if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise damaged(path, said) from None
        if code == sqlite3.SQLITE_READONLY_ROLLBACK:
            raise SourceError(
                f"{path} was cut off in the middle of a change, which lies in the -journal beside it.",
                hint="Open it once with the program that wrote it, or with sqlite3: that takes it back.",
            ) from None
        if primary in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise SourceError(
                f"{path} cannot be opened: {said}.",
                hint="In WAL mode it needs a folder that this user may write to: copy it there, and the -wal"
                " beside it.",
            ) from None
        raise SourceError(f"{path} cannot be read: {said}.") from None


def _missing(path: Path) -> SourceError:
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists():
        return SourceError(
            f"There is no file {path}, only its WAL {wal}.",
            hint="A WAL holds the latest changes alone: put the file that it belongs to beside it.",
        )
    return SourceError(f"There is no file {path}.", hint="Check the path to trdinger.db.")


def damaged(path: Path, said: str) -> SourceDamaged:
    """What there is to say of a file that SQLite cannot make sense of; `said` are its words."""
    return SourceDamaged(
        f"{path} is damaged: {said}.",
        said=said,
        hint="Restore it from a copy, or save what can be read with sqlite3's .recover.",
    )


def locked(path: Path) -> SourceError:
    """What there is to say when a writer does not let go of a file."""
    return SourceError(
        f"{path} is locked by a program that writes to it.",
        hint="Stop that program, or try again when it is idle.",
    )


def quoted(name: str) -> str:
    """A name as an SQL identifier, for SQLite and PostgreSQL alike."""
    return '"' + name.replace('"', '""') + '"'


def _name(value: object) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
