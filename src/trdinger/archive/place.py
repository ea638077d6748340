"""Where an archive is: a local folder, or any place that fsspec knows by its URL.

A place holds whole, small files by their name in it, with `/` between folders. In a local folder a file
appears under its name whole and on the disk, or not at all; elsewhere as the place promises it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from trdinger.errors import ArchiveError, UsageError

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL | re.IGNORECASE)
_LOCK = ".lock"
_UNFINISHED = ".part-"


class Place(Protocol):
    """A folder of whole files. Its text is its name for people, without secrets."""

    def there(self) -> bool:
        """Whether the folder is there."""

    def make(self) -> None:
        """Make the folder where it is not there."""

    def read(self, name: str) -> bytes:
        """A file. Raises FileNotFoundError."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file, over one that is there."""

    def remove(self, name: str) -> None:
        """Remove a file where it is there."""

    def names(self) -> set[str]:
        """Every file that is there."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others who ask for this out, where the place can; raises ArchiveError where one is in."""
        yield


def place(address: str) -> Place:
    """The place at a path or URL (file://, s3://, …). Raises UsageError; reaches for nothing yet."""
    found = _URL.fullmatch(address)
    if found is None:
        return Local(Path(address).expanduser().absolute())
    if found[1].lower() == "file":
        return Local(Path(found[2]).absolute())
    try:
        import fsspec  # noqa: PLC0415  # who archives into a folder need not have it
    except ImportError:
        raise UsageError(
            f"{_shown(address)} needs fsspec, which is not installed.", hint="pip install 'trdinger[archive]'"
        ) from None
    try:
        system, root = fsspec.core.url_to_fs(address)
    except (ValueError, ImportError) as error:
        raise UsageError(
            f"{_shown(address)} cannot be reached: {str(error).rstrip('.')}.",
            hint="Install what fsspec needs for it, or name a folder.",
        ) from None
    return Remote(system, str(root).rstrip("/"), _shown(address))


class Local:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def there(self) -> bool:
        return self._root.is_dir()

    def make(self) -> None:
        with _told(self, "written"):
            self._root.mkdir(mode=0o700, exist_ok=True)

    def read(self, name: str) -> bytes:
        with _told(self, "read"):
            return self._path(name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        with _told(self, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(handle)
                Path(part).replace(path)
            except BaseException:
                Path(part).unlink(missing_ok=True)
                raise
            folder = path.parent
            while True:  # a folder that is new has to be on the disk in the one above it, too
                _sync(folder)
                if folder == self._root:
                    break
                folder = folder.parent

    def remove(self, name: str) -> None:
        path = self._path(name)
        with _told(self, "written"):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder has other files
            while path.parent != self._root:
                path = path.parent
                path.rmdir()

    def names(self) -> set[str]:
        with _told(self, "read"):
            return {
                path.relative_to(self._root).as_posix()
                for path in self._root.rglob("*")
                if not path.is_dir() and path.name != _LOCK and not path.name.startswith(_UNFINISHED)
            }

    @contextmanager
    def alone(self) -> Iterator[None]:
        with _told(self, "written"), (self._root / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArchiveError(
                    f"Another process writes to the archive {self}.", hint="Wait for its end."
                ) from None
            for left in self._root.rglob(f"{_UNFINISHED}*"):  # of a process that was killed
                left.unlink(missing_ok=True)
            yield

    def _path(self, name: str) -> Path:
        return self._root / PurePosixPath(name)


class Remote:
    """A folder of a file system of fsspec's."""

    def __init__(self, system: Any, root: str, shown: str) -> None:
        self._system = system
        self._root = root
        self._shown = shown

    def __str__(self) -> str:
        return self._shown

    def there(self) -> bool:
        with _told(self, "read"):
            return bool(self._system.exists(self._root))

    def make(self) -> None:
        with _told(self, "written"):
            self._system.makedirs(self._root, exist_ok=True)

    def read(self, name: str) -> bytes:
        with _told(self, "read"):
            self._system.invalidate_cache()
            return bytes(self._system.cat_file(self._path(name)))

    def write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        with _told(self, "written"):
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(path, data)

    def remove(self, name: str) -> None:
        with _told(self, "written"), suppress(FileNotFoundError):
            self._system.rm_file(self._path(name))

    def names(self) -> set[str]:
        with _told(self, "read"):
            self._system.invalidate_cache()
            found = self._system.find(self._root)
            root = self._root.lstrip("/")
            return {path.lstrip("/")[len(root) :].lstrip("/") for path in found}

    @contextmanager
    def alone(self) -> Iterator[None]:
        yield

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


@contextmanager
def _told(where: Place, done: str) -> Iterator[None]:
    """Turn what a file system raises into ArchiveErrors that name the place.

    A file that is not there to be read stays a FileNotFoundError.
    """
    try:
        yield
    except ArchiveError:
        raise
    except OSError as error:
        if isinstance(error, FileNotFoundError) and done == "read":
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ArchiveError(
                f"The archive {where} is full. Nothing was dropped.",
                hint="Free some space there, then run the same command again.",
            ) from None
        said = (error.strerror or str(error) or type(error).__name__).rstrip(".")
        raise ArchiveError(f"The archive {where} cannot be {done}: {said}.", hint=_REACH) from None
    except Exception as error:
        if not isinstance(where, Remote):
            raise
        said = (str(error) or type(error).__name__).rstrip(".")
        raise ArchiveError(f"The archive {where} cannot be {done}: {said}.", hint=_REACH) from None


_REACH = "Check that it can be reached and that this user may do that."


def _shown(address: str) -> str:
    """A URL without what may be a user's name and password in it."""
    return re.sub(r"://[^/@]*@", "://", address)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system flushes folders
            os.fsync(handle)
    finally:
        os.close(handle)
