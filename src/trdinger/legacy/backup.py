"""A dated copy of a SQLite file, made while the application goes on, with its SHA-256.

The copy is what gets moved: a writing application cannot tear it. It is made by SQLite's
online backup in short steps, because the existing application gives up on a lock after
five seconds and takes the row for a duplicate. Nothing appears under the final name
before the copy is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trdinger.errors import SourceError
from trdinger.legacy.source import LOCK_WAIT, Source, reading

_STEP_PAGES = 16_384  # 64 MB of 4096-byte pages: a lock of some 0.1 s
_RESTARTS = 5  # steps are given up for one long one when a writer starts them over this often
_SPARE = 16 << 20  # bytes that stay free on the disk


@dataclass(frozen=True)
class Backup:
    """A copy and what it was at that time. `bytes` is its size."""

    path: Path
    sha256: str
    bytes: int

    @property
    def source(self) -> Source:
        """The copy as a source: nobody writes to it."""
        return Source(self.path, immutable=True)

    def verify(self) -> None:
        """Raise SourceError unless the copy is there and unchanged."""
        if not self.path.exists():
            raise SourceError(
                f"The backup {self.path} is gone.",
                hint="Put it back, or start over with --existing replace.",
            )
        if digest(self.path) != self.sha256:
            raise SourceError(
                f"The backup {self.path} was changed since it was made.",
                hint="Put the unchanged file back, or start over with --existing replace.",
            )


def back_up(source: Source, folder: Path, *, tell: Callable[[int], object] = lambda _more: None) -> Backup:
    """Copy `source` into `folder` and open the copy. `tell` hears how many more bytes are done.

    Raises SourceError: the disk is too small or full, the file cannot be read.
    """
    source.check()
    size = source.path.stat().st_size
    _room(folder, size)
    path, part = _claim(folder, source.path.stem)
    try:
        _copy(source, part, size, tell)
        _sync(part)
        part.rename(path)
    except OSError as error:
        raise SourceError(
            f"The backup of {source.path} cannot be written to {folder}: {error.strerror}.",
            hint="Free the space or name another folder with --workdir.",
        ) from None
    finally:
        part.unlink(missing_ok=True)
        part.with_name(part.name + "-journal").unlink(missing_ok=True)
    backup = Backup(path, digest(path), path.stat().st_size)
    path.with_suffix(".db.sha256").write_text(f"{backup.sha256}  {path.name}\n", encoding="ascii")
    with backup.source.connect() as connection:
        backup.source.tables(connection)
    return backup


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _room(folder: Path, size: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise SourceError(
            f"The folder {folder} cannot be made: {error.strerror}.", hint="Name another with --workdir."
        ) from None
    if free < size + _SPARE:
        raise SourceError(
            f"The backup needs {size + _SPARE:,} bytes, {folder} has {free:,} free. Nothing was written.",
            hint="Free the space or name another folder with --workdir.",
        )


def _claim(folder: Path, stem: str) -> tuple[Path, Path]:
    """A name that no backup has, and the unfinished file that keeps others from it."""
    dated = f"{stem}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    path, number = folder / f"{dated}.db", 1
    while True:
        part = path.with_suffix(".part")
        try:
            part.open("xb").close()
            if not path.exists():
                return path, part
            part.unlink()
        except FileExistsError:
            pass
        except OSError as error:
            raise SourceError(
                f"No backup can be written to {folder}: {error.strerror}.",
                hint="Free the space or name another folder with --workdir.",
            ) from None
        number += 1
        path = folder / f"{dated}-{number}.db"


def _copy(source: Source, part: Path, size: int, tell: Callable[[int], object]) -> None:
    restarts = told = 0
    before: int | None = None

    def reached(done: int) -> None:
        nonlocal told
        if done > told:
            tell(done - told)
            told = done

    def progress(_status: int, remaining: int, total: int) -> None:
        nonlocal restarts, before
        if before is not None and remaining > before:
            restarts += 1
            if restarts >= _RESTARTS:
                raise _Restarted
        before = remaining
        reached(size * (total - remaining) // max(total, 1))

    with reading(source.path), source.connect() as connection:
        target = sqlite3.connect(part)
        try:
            connection.execute(f"PRAGMA busy_timeout = {int(LOCK_WAIT * 1000)}")
            try:
                connection.backup(target, pages=_STEP_PAGES, progress=progress, sleep=0.02)
            except _Restarted:
                connection.backup(target)
            reached(size)
        finally:
            target.close()


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


class _Restarted(Exception):
    """A writer made the backup start over too often."""
