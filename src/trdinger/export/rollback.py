"""The way back: the backup of a move in the place of the application's file, and what was there kept.

The backup is held against its SHA-256, copied beside the file, flushed, held against it again and
opened; what is there gets a second name by a link; only then does one rename put the copy in its
place. Killed at any moment, the same command finishes: it finds what it has done.

A file that a program has open, or holds a lock on, is not touched. SQLite's locks are asked for as
SQLite asks, on the bytes that its file format reserves for them, and held until the end.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trdinger.errors import SourceError, UsageError
from trdinger.legacy.backup import Backup, digest
from trdinger.legacy.source import Source, locked

_BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a file
_LOCKS = (0x4000_0000, 512)  # first byte and number of the bytes that every SQLite locks, whatever the mode
_WAL_LOCKS = (120, 9)  # those of the -shm, of which one is held while a WAL file is open
_SPARE = 16 << 20  # bytes that stay free on the disk
_PIECE = 4 << 20  # bytes copied at once


@dataclass(frozen=True)
class Rollback:
    """What a rollback would do, or did. kept: what was there before, by its new name; None if nothing was.

    beside: what SQLite kept beside the file, kept with it. done: the file is the backup already.
    """

    path: Path
    backup: Backup
    kept: Path | None
    beside: tuple[str, ...]
    older: tuple[Path, ...]
    done: bool

    def as_json(self, *, writes: bool) -> dict[str, Any]:
        """The rollback for programs."""
        return {
            "path": str(self.path),
            "backup": {
                "path": str(self.backup.path),
                "sha256": self.backup.sha256,
                "bytes": self.backup.bytes,
            },
            "kept": str(self.kept) if self.kept else None,
            "kept_beside": list(self.beside),
            "older_backups": [str(path) for path in self.older],
            "already_done": self.done,
            "writes": writes and not self.done,
        }


def plan(path: Path, *, workdir: Path | None = None, backup: Path | None = None) -> Rollback:
    """What a rollback of the application's file would do. Raises UsageError, SourceError; writes nothing.

    workdir: the work folder of the move, beside the file by default. backup: one backup by its path;
    else the newest of the work folder. Reads the backup, and the file where both are of one size.
    """
    path = path.resolve()
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", hint="Name the application's file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent}.", hint="Check the path to trdinger.db.")
    chosen, older = _chosen(path, workdir, backup)
    chosen.verify()
    beside = tuple(ending for ending in _BESIDE if _by(path, ending).exists())
    exists = path.exists()
    same = exists and not beside and path.stat().st_size == chosen.bytes and digest(path) == chosen.sha256
    kept = _kept(path) if (exists or beside) and not same else None
    return Rollback(path, chosen, kept, () if same else beside, older, done=same)


def roll_back(planned: Rollback, *, tell: Callable[[int], object] = lambda _more: None) -> None:
    """Put the backup in its place. `tell` hears how many more bytes were copied. Raises SourceError.

    Nothing is changed where a program has the file open or locked, or the disk has no room.
    """
    path, backup = planned.path, planned.backup
    if planned.done:
        return
    part = path.with_name(f".{path.name}.rollback")
    with _writing(path), ExitStack() as held:
        held.enter_context(_alone(path))
        free = shutil.disk_usage(path.parent).free
        if free < backup.bytes + _SPARE:
            raise SourceError(
                f"The backup takes {backup.bytes + _SPARE:,} bytes, {path.parent} has {free:,} free."
                " Nothing was changed.",
                hint="Free some space there.",
            )
        try:
            _copy(backup, part, path, tell)
            if planned.kept is not None:
                _keep(path, planned.kept)
            _sync(path.parent)
            for ending in _BESIDE:
                _by(path, ending).unlink(missing_ok=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _sync(path.parent)


def _chosen(path: Path, workdir: Path | None, named: Path | None) -> tuple[Backup, tuple[Path, ...]]:
    """The backup to restore, and the older ones of its folder."""
    if named is not None:
        return _backup(named), ()
    folder = workdir or path.with_name(f"{path.stem}-move")
    found = sorted(
        (one for one in folder.glob(f"{_escaped(path.stem)}-*.db") if _sum(one).exists()), reverse=True
    )
    if not found:
        raise SourceError(
            f"{folder} holds no backup of {path.name}.",
            hint="Name the work folder of the move with --workdir, or a backup with --backup.",
        )
    return _backup(found[0]), tuple(found[1:])


def _backup(path: Path) -> Backup:
    """A backup with the SHA-256 that lies beside it."""
    try:
        words = _sum(path).read_text("utf-8", errors="surrogateescape").split()
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise SourceError(
            f"There is no {error.filename}.",
            hint="A backup is a file with its SHA-256 beside it: NAME.db.sha256.",
        ) from None
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}.") from None
    if not words or len(words[0]) != 64:
        raise SourceError(f"{_sum(path)} holds no SHA-256.", hint="Name another backup with --backup.")
    return Backup(path, words[0].lower(), size)


def _kept(path: Path) -> Path:
    """The name under which what is there is kept: the one that it has already, or a new one."""
    stem, suffix = path.stem, path.suffix
    for one in sorted(path.parent.glob(f"{_escaped(stem)}-replaced-*{_escaped(suffix)}")):
        with suppress(FileNotFoundError):
            if one.samefile(path):
                return one  # of a rollback that was killed
    dated = f"{stem}-replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    name, number = path.with_name(f"{dated}{suffix}"), 1
    while name.exists() or any(_by(name, ending).exists() for ending in _BESIDE):
        number += 1
        name = path.with_name(f"{dated}-{number}{suffix}")
    return name


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the file against SQLite's other users inside the block. Raises SourceError where one has it."""
    with ExitStack() as held:
        for name, (first, length) in ((path, _LOCKS), (_by(path, "-shm"), _WAL_LOCKS)):
            if not name.exists():
                continue
            try:
                file = held.enter_context(name.open("r+b"))
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, first)
            except (BlockingIOError, PermissionError) as error:
                if isinstance(error, PermissionError) and not _may_write(name):
                    raise SourceError(
                        f"{name} may not be written by this user.",
                        hint=f"Grant it: chmod u+w {shlex.quote(str(name))}",
                    ) from None
                raise locked(path) from None
        if (who := _opened_by(path)) is not None:
            raise SourceError(
                f"{path} is open in {who}; nothing was changed.", hint="Stop that program, then run it again."
            )
        yield


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK)


def _opened_by(path: Path) -> str | None:
    """Another process that has the file open, for people; None where the system does not tell."""
    try:
        wanted = path.stat()
    except FileNotFoundError:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with suppress(OSError):  # another user's, or it has ended
            for handle in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.path.samestat(handle.stat(), wanted):
                        name = (process / "comm").read_text("utf-8", errors="replace").strip()
                        return f"process {process.name} ({name})"
    return None


def _copy(backup: Backup, part: Path, path: Path, tell: Callable[[int], object]) -> None:
    """A copy that is on the disk, is the backup to the byte, and is opened by SQLite."""
    part.unlink(missing_ok=True)
    with backup.path.open("rb") as given, part.open("xb") as into:
        while piece := given.read(_PIECE):
            into.write(piece)
            tell(len(piece))
        into.flush()
        _like(path if path.exists() else backup.path, into.fileno())
        os.fsync(into.fileno())
    Backup(part, backup.sha256, backup.bytes).verify()
    with Source(part, immutable=True).connect() as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _like(path: Path, handle: int) -> None:
    """Give a file the mode of another, and its owner where this user may."""
    like = path.stat()
    os.fchmod(handle, like.st_mode & 0o777)
    with suppress(PermissionError):
        os.fchown(handle, like.st_uid, like.st_gid)


def _keep(path: Path, kept: Path) -> None:
    """Give what is there its second name, with what lies beside it; it stays where it is."""
    for ending in ("", *_BESIDE):
        given, second = _by(path, ending), _by(kept, ending)
        if not given.exists() or (second.exists() and second.samefile(given)):
            continue
        try:
            second.hardlink_to(given)
        except OSError:  # not every file system has links
            shutil.copy2(given, second)
            _sync(second)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{path} cannot be replaced: {error.strerror}.",
            hint="See to it, then run the same command again; it finishes what was begun.",
        ) from None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system flushes folders
            os.fsync(handle)
    finally:
        os.close(handle)


def _by(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _sum(path: Path) -> Path:
    return _by(path, ".sha256")


def _escaped(text: str) -> str:
    """A text for a glob that means itself."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
