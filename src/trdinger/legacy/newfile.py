"""A new SQLite file, written as fast as SQLite can: whole under its name, or not there at all.

    with new_file(path, words) as part:
        with filling(part) as connection: …

Rows go into `part`; when the block ends well it is on the disk and gets the name that was asked
for. What happens to be there is kept unless overwriting was asked for. A part that a killed
process left is written over; one that a process still writes is left to it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from trdinger.errors import SourceError, UsageError
from trdinger.legacy.layout import PAGE_SIZE

_CACHE = 40_000  # KiB for SQLite's pages, and for each run that an index sorts in memory
# Whatever the writing is cut short by leaves no file, so nothing needs a journal or a flush.
BULK = (
    f"PRAGMA page_size = {PAGE_SIZE}",
    "PRAGMA journal_mode = off",
    "PRAGMA synchronous = off",
    "PRAGMA locking_mode = exclusive",
    f"PRAGMA cache_size = -{_CACHE}",
    "PRAGMA threads = 2",
)


@dataclass(frozen=True)
class Words:
    """What to do next. exists: about a file that is there; full: about a disk without room."""

    exists: str = "Name another file."
    full: str = "Free some space there, or name another folder."


@contextmanager
def new_file(path: Path, words: Words, *, overwrite: bool = False) -> Iterator[Path]:
    """The unfinished file to write, which becomes `path` when the block ends well.

    Raises UsageError where the file is there already (unless `overwrite`), is in use, or has no
    folder; SourceError where it cannot be written. Neither leaves anything behind.
    """
    with told(path, words):
        refuse(path, words, overwrite=overwrite)
        part = path.with_name(f"{path.name}.part")
        with _claimed(part) as handle:
            yield part
            os.fsync(handle)
            refuse(path, words, overwrite=overwrite)
            _name(part, path, overwrite=overwrite)


@contextmanager
def filling(part: Path) -> Iterator[sqlite3.Connection]:
    """A connection for writing much, without a journal: statements commit by themselves."""
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        for statement in BULK:
            connection.execute(statement)
        yield connection


def refuse(path: Path, words: Words, *, overwrite: bool = False) -> None:
    """Raise UsageError unless a new file may get this name."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", hint="Name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(
            f"There is no folder {path.parent}.", hint=f"Make it: mkdir -p {shlex.quote(str(path.parent))}"
        )
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no ordinary file.", hint="Name another.")
    if path.exists() and not overwrite:
        raise _there(path, words)
    for suffix in ("-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            raise UsageError(
                f"{beside} belongs to a database that is in use or was cut off; nothing was written.",
                hint="Stop what uses it, or name another file.",
            )


@contextmanager
def told(path: Path, words: Words) -> Iterator[None]:
    """Turn errors of SQLite and of the system inside the block into SourceErrors that name the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if (error.sqlite_errorcode & 0xFF) == sqlite3.SQLITE_FULL:
            raise full(path, words) from None
        raise SourceError(f"{path} cannot be written: {error}.", hint="Name another folder.") from None
    except FileExistsError:
        raise _there(path, words) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(path, words) from None
        said = (error.strerror or str(error)).rstrip(".")
        raise SourceError(f"{path} cannot be written: {said}.", hint="Name another folder.") from None


def full(path: Path, words: Words) -> SourceError:
    """What there is to say where the disk has no room."""
    return SourceError(f"The disk is full: {path} was not written.", hint=words.full)


def _there(path: Path, words: Words) -> UsageError:
    return UsageError(f"{path} is there already; nothing was written.", hint=words.exists)


@contextmanager
def _claimed(part: Path) -> Iterator[int]:
    """The unfinished file, new, held against other processes; gone at the end unless it was renamed."""
    handle = _claim(part)
    try:
        yield handle
    finally:
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), part.stat()):
                part.unlink()
        os.close(handle)


def _claim(part: Path) -> int:
    while True:
        with suppress(FileExistsError):
            handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            fcntl.flock(handle, fcntl.LOCK_EX)
            return handle
        _forsaken(part).unlink(missing_ok=True)


def _forsaken(part: Path) -> Path:
    """A part that no process holds any more. A finished file may share its bytes: it is never written to."""
    with suppress(FileNotFoundError), part.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{part} is being written by another process.", hint="Wait for its end, or name another file."
            ) from None
    return part


def _name(part: Path, path: Path, *, overwrite: bool) -> None:
    """Give the finished file its name; unless overwriting, only where nobody else took it meanwhile."""
    if overwrite:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # not every file system has links
        part.replace(path)
        return
    part.unlink()
