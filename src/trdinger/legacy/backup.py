"""A dated copy of a SQLite file, made while the application goes on, with its SHA-256.

The copy is what gets moved: a writing application cannot tear it. It is made by SQLite's
online backup in short steps, because the existing application gives up on a lock after
five seconds and takes the row for a duplicate. Nothing appears under the final name
before the copy is whole, on the disk, and was opened.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import math
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trdinger.errors import SourceError
from trdinger.legacy.source import Source, locked

_STEP_PAGES = 16_384  # 64 MB of 4096-byte pages: a lock of some 0.1 s
_RESTARTS = 5  # a writer may start the copy over this often before it is made in one step
_LONGEST_LOCK = 2.5  # seconds that one step may take, by estimate: half of what the application waits
_SUM_BYTES = 4 << 20  # read at once
_SPARE = 16 << 20  # bytes that stay free on the disk
# SQLite's errors that are about the copy, not about the source.
_NOT_WRITTEN = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR_WRITE: errno.EIO,
    sqlite3.SQLITE_IOERR_FSYNC: errno.EIO,
    sqlite3.SQLITE_IOERR_TRUNCATE: errno.EIO,
}
_AGAIN = "Put the unchanged file back, or start over with --existing replace."
_ELSEWHERE = "Free the space or name another folder with --workdir."


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

    def others(self, source: Source) -> list[Path]:
        """Earlier backups of that source in the same folder, oldest first."""
        dated = "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z*.db"
        found = self.path.parent.glob(f"{glob.escape(source.path.stem)}-{dated}")
        return sorted(path for path in found if path != self.path)

    def verify(self) -> None:
        """Raise SourceError unless the copy is there and unchanged."""
        try:
            found = digest(self.path)
        except FileNotFoundError:
            raise SourceError(f"The backup {self.path} is gone.", hint=_AGAIN) from None
        except OSError as error:
            raise SourceError(
                f"The backup {self.path} cannot be read: {error.strerror}.", hint=_AGAIN
            ) from None
        if found != self.sha256:
            raise SourceError(f"The backup {self.path} was changed since it was made.", hint=_AGAIN)


def back_up(
    source: Source,
    folder: Path,
    *,
    tell: Callable[[int], object] = lambda _more: None,
    summing: Callable[[int], object] = lambda _bytes: None,
) -> Backup:
    """Copy `source` into `folder` and open the copy. `tell` hears how many more bytes are done.

    First they are copied; `summing` hears how many then are read again, for their SHA-256.

    The copy is STEM-YYYYMMDDTHHMMSSZ.db, beside it its SHA-256 in a file that `sha256sum -c` takes.
    Raises SourceError: the disk is too small or full, the file cannot be read, is locked for longer
    than 30 s, or is written to all the time and too large to be copied between two writes.
    """
    source.check()
    size = source.bytes
    _room(folder, size)
    with _claimed(folder, source.path.stem) as (path, part):
        with _Flushing(part) as flushing:
            _copy(source, part, size, tell, flushing.flush)
        with Source(part, immutable=True).connect() as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with ThreadPoolExecutor(1, thread_name_prefix="sync") as disk:  # which takes as long as the sum
            synced = disk.submit(_sync, part)
            summing(part.stat().st_size)
            backup = Backup(path, digest(part, tell), part.stat().st_size)
            synced.result()
        _sum(path).write_bytes(os.fsencode(f"{backup.sha256}  {path.name}\n"))
        part.rename(path)
        with suppress(OSError):  # not every file system can
            _sync(folder)
    return backup


def digest(path: Path, tell: Callable[[int], object] = lambda _more: None) -> str:
    """The SHA-256 of a file, in hexadecimal. `tell` hears how many more bytes were read."""
    summed = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while part := file.read(_SUM_BYTES):
            summed.update(part)
            tell(len(part))
    return summed.hexdigest()


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
            hint=_ELSEWHERE + _left_over(folder),
        )


def _left_over(folder: Path) -> str:
    found = ", ".join(part.name for part in sorted(folder.glob("*.part")))
    return f" Of backups that were cut off or still go on are left: {found}." if found else ""


@contextmanager
def _claimed(folder: Path, stem: str) -> Iterator[tuple[Path, Path]]:
    """A name that no backup has, and the unfinished file that keeps others from it, gone on failure."""
    try:
        path, part = _claim(folder, stem)
        try:
            yield path, part
        except BaseException:
            for left in (part, part.with_name(f"{part.name}-journal"), _sum(path)):
                left.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SourceError(
            f"No backup can be written to {folder}: {error.strerror}.", hint=_ELSEWHERE
        ) from None


def _claim(folder: Path, stem: str) -> tuple[Path, Path]:
    dated = f"{stem}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    path, number = folder / f"{dated}.db", 1
    while True:
        part = path.with_suffix(".part")
        try:
            part.open("xb").close()
            if not path.exists():
                return path, part
            part.unlink(missing_ok=True)
        except FileExistsError:
            pass
        number += 1
        path = folder / f"{dated}-{number}.db"


def _sum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _copy(
    source: Source, part: Path, size: int, tell: Callable[[int], object], flush: Callable[[], object]
) -> None:
    with source.connect() as connection, closing(sqlite3.connect(part)) as target:
        steps = _Steps(source, size, tell, flush)
        try:
            try:
                connection.backup(target, pages=_STEP_PAGES, progress=steps, sleep=0.02)
            except _Restarted:
                steps.allow_one_step(connection)
                connection.backup(target, progress=steps)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in _NOT_WRITTEN:
                raise OSError(_NOT_WRITTEN[error.sqlite_errorcode], str(error)) from None
            raise
        steps.reached(size)


class _Flushing:
    """Sends a file to the disk while it is being written, so that it is written at the disk's pace from the
    beginning, and not at that of memory until there is none left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._going: Future[None] | None = None

    def __enter__(self) -> _Flushing:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def flush(self) -> None:
        """Begin, unless it is still at it. What fails here fails at the end, too, and is told then."""
        if self._going is None or self._going.done():
            self._going = self._thread.submit(_sync, self._path)


class _Steps:
    """Is told of every step of a copy: tells how far it is, and gives up where it gets nowhere."""

    def __init__(
        self, source: Source, size: int, tell: Callable[[int], object], flush: Callable[[], object]
    ) -> None:
        self._source = source
        self._size = size
        self._tell = tell
        self._flush = flush
        self._told = self._restarts = self._total = 0
        self._remaining: int | None = None
        self._fastest = math.inf  # seconds of a step; the others waited for the writer, too
        self._last = time.monotonic()

    def __call__(self, status: int, remaining: int, total: int) -> None:
        """One step is done. Raises SourceError after the wait for a lock, _Restarted."""
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:  # and LOCK_WAIT is over
            raise locked(self._source.path)
        if self._remaining is not None and remaining >= self._remaining:
            self._restarts += 1
            if self._restarts == _RESTARTS:
                raise _Restarted
        now = time.monotonic()
        self._fastest = min(self._fastest, now - self._last)
        self._remaining, self._total, self._last = remaining, total, now
        self.reached(self._size * (total - remaining) // max(total, 1))
        self._flush()

    def reached(self, done: int) -> None:
        """Tell what is done beyond what was told; a step that starts over tells nothing."""
        if done > self._told:
            self._tell(done - self._told)
            self._told = done

    def allow_one_step(self, connection: sqlite3.Connection) -> None:
        """Raise SourceError where a copy in one step would lock the writer out for too long."""
        seconds = self._fastest * self._total / _STEP_PAGES
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if bytes(mode) != b"wal" and seconds > _LONGEST_LOCK:  # readers of a WAL lock nobody out
            raise SourceError(
                f"{self._source.path} is written to all the time. To copy it between two writes would lock"
                f" it for some {seconds:,.0f} s, and the program that writes may lose rows by that.",
                hint="Stop that program while the backup is made.",
            )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Restarted(Exception):
    """A writer made the backup start over too often."""
