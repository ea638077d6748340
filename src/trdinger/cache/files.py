"""A folder of tables, each in a file of its own: mapped into memory, checked when opened, bounded in size.

A file is written under another name and then put in its place, so that a reader in any process sees all of
one or of the other; who has one open keeps it. It holds a digest of itself: one that was damaged or cut
short is removed, and counts as one that is not there. The folder and its files are their owner's alone, and
a folder that others may write to is not used. No error of the disk leaves this module: what cannot be kept
is read from the server again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
import secrets
import stat
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

log = logging.getLogger("trdinger.cache")

SUFFIX = ".months"
_HEAD = struct.Struct(
    "<8s32sQQ"
)  # mark, digest of all that follows, bytes of the whole file, of the description
_MARK = b"TRDCACH1"
_ALIGNMENT = 64  # bytes, at which Arrow wants its buffers
_OPENED = 512  # files that one process holds open, the last used ones
_TOUCH = 60.0  # seconds after which a use is told to the file again
_ROOM = 0.9  # of the limit, down to which the folder is emptied when it is reached
_ABANDONED = 3600.0  # seconds after which an unfinished file has lost its writer


@dataclass(frozen=True)
class Kept:
    """A table, and what was said of it when it was kept."""

    about: dict[str, Any]
    table: pa.Table


@dataclass(frozen=True)
class Use:
    """What the folder holds. series: each with its files and bytes."""

    folder: Path
    limit: int
    files: int
    bytes: int
    series: list[dict[str, Any]]


@dataclass
class _Opened:
    """A file that this process has open. touched: when a use was last told to it."""

    kept: Kept
    number: int
    touched: float = 0.0


@dataclass
class Files:
    """Tables by a group and a name in it. limit: bytes that all of them may take on the disk."""

    folder: Path
    limit: int
    _opened: OrderedDict[Path, _Opened] = field(default_factory=OrderedDict)
    _ready: bool | None = None

    def find(self, group: str, name: str, fits: Callable[[dict[str, Any]], bool]) -> pa.Table | None:
        """The table that was kept under this name, if what is said of it fits; None if there is none."""
        path = self._path(group, name)
        opened = self._opened.get(path)
        if opened is None or not fits(opened.kept.about):
            opened = self._open(path)  # another process may have put a newer one there
            if opened is None or not fits(opened.kept.about):
                return None
        self._opened.move_to_end(path)
        if (now := time.monotonic()) - opened.touched > _TOUCH:
            opened.touched = now
            with suppress(OSError):
                os.utime(path)
        return opened.kept.table

    def has(self, group: str, name: str) -> bool:
        """Whether there is a file, whole or not."""
        path = self._path(group, name)
        return path in self._opened or path.exists()

    def keep(self, group: str, name: str, kept: Kept) -> None:
        """Put a table in the place of what is under this name."""
        data = _packed(kept)
        if len(data) > self.limit or not self._usable():
            return
        path = self._path(group, name)
        self._opened.pop(path, None)
        unfinished = path.with_name(f".{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:  # noqa: PTH123
                file.write(data)
            unfinished.replace(path)
        except OSError as error:
            log.warning("%s was not kept: %s.", path, error)
            with suppress(OSError):
                unfinished.unlink()

    def shrink(self) -> None:
        """Keep to the limit: the files that were not used for the longest go."""
        found = list(self._found())
        size = sum(one.st_size for _, one in found)
        if size <= self.limit:
            return
        for path, one in sorted(found, key=lambda each: each[1].st_mtime):
            if size <= self.limit * _ROOM:
                break
            size -= one.st_size
            self._remove(path)

    def clear(self) -> Use:
        """Remove every file; what there was."""
        use = self.use()
        for path, _ in self._found():
            self._remove(path)
        for group in [path for path in self.folder.glob("*") if path.is_dir()]:
            with suppress(OSError):  # a writer is at it, or it is none of ours
                group.rmdir()
        return use

    def use(self) -> Use:
        """What there is, by series."""
        series: dict[str, dict[str, Any]] = {}
        files = size = 0
        for path, one in sorted(self._found()):
            files, size = files + 1, size + one.st_size
            about = _described(path)
            if about is not None:
                told = series.setdefault(
                    path.parent.name, {**about.get("series", {}), "files": 0, "bytes": 0}
                )
                told["files"] += 1
                told["bytes"] += one.st_size
        return Use(self.folder, self.limit, files, size, list(series.values()))

    def _path(self, group: str, name: str) -> Path:
        return self.folder / hashlib.sha256(group.encode()).hexdigest()[:32] / f"{name}{SUFFIX}"

    def _found(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Every file; what is left of writers that were killed goes."""
        for path in self.folder.glob("*/*"):
            with suppress(OSError):
                one = path.lstat()
                if not stat.S_ISREG(one.st_mode):
                    continue
                if path.suffix == SUFFIX:
                    yield path, one
                elif path.name.startswith(".") and time.time() - one.st_mtime > _ABANDONED:
                    path.unlink()

    def _open(self, path: Path) -> _Opened | None:
        """What is on the disk; None if that is nothing, or the same that is open already."""
        before = self._opened.get(path)
        if not self._usable():
            return None
        try:
            data, number = _mapped(path)
            if before is not None and before.number == number:
                return None
            opened = _Opened(_unpacked(data), number)
        except FileNotFoundError:
            self._opened.pop(path, None)
            return None
        except (OSError, ValueError, KeyError, struct.error, pa.ArrowException) as error:
            log.warning("%s is not whole and was removed: %s.", path, error)
            self._remove(path)
            return None
        self._opened[path] = opened
        while len(self._opened) > _OPENED:
            self._opened.popitem(last=False)
        return opened

    def _remove(self, path: Path) -> None:
        self._opened.pop(path, None)
        with suppress(OSError):
            path.unlink()

    def _usable(self) -> bool:
        """Whether the folder is there and its owner's alone: others could put answers in it."""
        if self._ready is None:
            try:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                one = self.folder.stat()
            except OSError as error:
                log.warning("%s cannot be used: %s. Nothing is kept.", self.folder, error)
                self._ready = False
                return False
            self._ready = one.st_uid == os.geteuid() and not one.st_mode & 0o022
            if not self._ready:
                log.warning("Others may write to %s. Nothing is kept.", self.folder)
        return self._ready


def _packed(kept: Kept) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, kept.table.schema) as writer:
        writer.write_table(kept.table.combine_chunks())
    about = json.dumps(kept.about).encode()
    about += b" " * (-(_HEAD.size + len(about)) % _ALIGNMENT)
    rest = struct.pack("<QQ", _HEAD.size + len(about) + sink.tell(), len(about)) + about
    rest += bytes(sink.getvalue())
    return _MARK + hashlib.sha256(rest).digest() + rest


def _unpacked(data: memoryview) -> Kept:
    """Raises ValueError, and Arrow's errors, for what is not whole."""
    mark, digest, size, length = _HEAD.unpack_from(data)
    if mark != _MARK or size != len(data):
        raise ValueError("it is of another form, or cut short")
    if hashlib.sha256(data[len(_MARK) + len(digest) :]).digest() != digest:
        raise ValueError("its digest is another")
    start = _HEAD.size + length
    about = json.loads(bytes(data[_HEAD.size : start]))
    return Kept(about, pa.ipc.open_stream(pa.py_buffer(data[start:])).read_all())


def _described(path: Path) -> dict[str, Any] | None:
    """What is said of a table, without looking at it."""
    with suppress(OSError, ValueError, struct.error), path.open("rb") as file:
        mark, _, _, length = _HEAD.unpack(file.read(_HEAD.size))
        if mark == _MARK and length < 1 << 20:
            about = json.loads(file.read(length))
            return about if isinstance(about, dict) else None
    return None


def _mapped(path: Path) -> tuple[memoryview, int]:
    """A file in memory, and the number that the disk knows it by."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)), os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)
