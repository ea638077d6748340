"""The list of what an archive holds: of each file its series, month, rows, times, bytes and SHA-256.

    {"trdinger": "archive", "version": 1, "program": "…", "checksum": "…", "files": [{"path", "table",
     "segment", "month", "rows", "bytes", "sha256", "first", "last"}], "open": {…} | null, "obsolete": […]}

`checksum` is the SHA-256 of all the rest. `open` is a chunk that is written but of which it is not known yet
whether it was dropped: the files that it made, and those that they take the place of. `obsolete` are files
that are to be removed. Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any

import trdinger
from trdinger.archive.layout import Partition, is_month
from trdinger.archive.place import Place
from trdinger.declaration import SERIES
from trdinger.errors import ArchiveError

NAME = "manifest.json"
VERSION = 1
_MEND = "Put the manifest back from a backup of the archive."


@dataclass(frozen=True)
class File:
    """One file of the archive: a partition's rows. first and last: their times."""

    path: str
    partition: Partition
    rows: int
    bytes: int
    sha256: str
    first: int
    last: int

    def as_json(self) -> dict[str, Any]:
        """The file as it is listed."""
        about = {name: value for name, value in vars(self).items() if name != "partition"}
        return about | vars(self.partition) | {"segment": list(self.partition.segment)}


@dataclass(frozen=True)
class Open:
    """A chunk on its way: written into `made`, which take the place of `before`.

    token: what the database knows if it dropped the chunk. owner: which database that is. relation: the
    chunk's name there.
    """

    token: str
    owner: str
    relation: str
    made: tuple[str, ...]
    before: tuple[File, ...]


@dataclass(frozen=True)
class Manifest:
    """What an archive holds. files: those of an open chunk among them, in the order of their paths."""

    files: tuple[File, ...] = ()
    open: Open | None = None
    obsolete: tuple[str, ...] = ()

    def of(self, partition: Partition) -> File | None:
        """The file of a partition."""
        return next((one for one in self.files if one.partition == partition), None)

    def opened(self, token: str, owner: str, relation: str, made: tuple[File, ...]) -> Manifest:
        """With a chunk's files in the place of those of the same partitions."""
        new = {one.partition for one in made}
        before = tuple(one for one in self.files if one.partition in new)
        kept = [one for one in self.files if one.partition not in new]
        files = tuple(sorted([*kept, *made], key=lambda one: one.path))
        paths = tuple(one.path for one in made)
        return replace(self, files=files, open=Open(token, owner, relation, paths, before))

    def closed(self, *, dropped: bool) -> Manifest:
        """With what came of the open chunk: its files stay if it was dropped, else what was before them."""
        if self.open is None:
            return self
        made, before = set(self.open.made), self.open.before
        if dropped:
            gone = tuple(one.path for one in before)
            return replace(self, open=None, obsolete=(*self.obsolete, *gone))
        kept = [one for one in self.files if one.path not in made]
        files = tuple(sorted([*kept, *before], key=lambda one: one.path))
        return Manifest(files, None, (*self.obsolete, *self.open.made))

    def cleaned(self) -> Manifest:
        """With nothing left to remove."""
        return replace(self, obsolete=())

    def known(self) -> set[str]:
        """Every file that may be there."""
        before = self.open.before if self.open else ()
        return {one.path for one in (*self.files, *before)} | set(self.obsolete)

    def write(self, place: Place) -> None:
        """Put it into its place."""
        body = self._body()
        text = json.dumps(body | {"checksum": _checksum(body)}, indent=1, ensure_ascii=False)
        place.write(NAME, f"{text}\n".encode())

    def _body(self) -> dict[str, Any]:
        opened = None
        if self.open is not None:
            before = [one.as_json() for one in self.open.before]
            opened = vars(self.open) | {"made": list(self.open.made), "before": before}
        return {
            "trdinger": "archive",
            "version": VERSION,
            "program": trdinger.__version__,
            "files": [one.as_json() for one in self.files],
            "open": opened,
            "obsolete": list(self.obsolete),
        }


def read(place: Place) -> Manifest:
    """The manifest of a place.

    Raises ArchiveError where there is none, or it is damaged or of another version.
    """
    if not place.there():
        raise ArchiveError(
            f"The archive {place} is gone, or there never was one.",
            hint="Name its folder in TRDINGER_ARCHIVE or with --archive; is its disk mounted?",
        )
    try:
        told = json.loads(place.read(NAME).decode())
    except FileNotFoundError:
        raise ArchiveError(f"{place} holds no {NAME}, so it is no archive.", hint=_MEND) from None
    except ValueError:
        raise ArchiveError(f"{NAME} of the archive {place} is damaged: it is no JSON.", hint=_MEND) from None
    try:
        if told["trdinger"] != "archive":
            raise ArchiveError(
                f"{place} holds the {NAME} of another program.", hint="Name the folder of an archive."
            )
        if told["version"] != VERSION:
            raise ArchiveError(
                f"The archive {place} is of version {told['version']}; this trdinger knows {VERSION}.",
                hint="Use the trdinger that wrote it, or a newer one.",
            )
        if told.pop("checksum") != _checksum(told):
            raise ArchiveError(
                f"{NAME} of the archive {place} was changed: its checksum is another.", hint=_MEND
            )
        return Manifest(
            tuple(_file(one) for one in told["files"]),
            _open(told["open"]),
            tuple(map(_inside, told["obsolete"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ArchiveError(f"{NAME} of the archive {place} is damaged.", hint=_MEND) from None


def _file(told: dict[str, Any]) -> File:
    partition = Partition(told["table"], tuple(map(str, told["segment"])), told["month"])
    if partition.table not in SERIES or not is_month(partition.month):
        raise ValueError(partition)
    path = _inside(told["path"])
    numbers = [int(told[name]) for name in ("rows", "bytes", "first", "last")]
    return File(path, partition, numbers[0], numbers[1], str(told["sha256"]), numbers[2], numbers[3])


def _open(told: dict[str, Any] | None) -> Open | None:
    if told is None:
        return None
    before = tuple(_file(one) for one in told["before"])
    token, owner, relation = (str(told[name]) for name in ("token", "owner", "relation"))
    return Open(token, owner, relation, tuple(map(_inside, told["made"])), before)


def _inside(path: str) -> str:
    """The path of a Parquet file in the archive; no way out of it."""
    if not re.fullmatch(r"[^/\\\0]+(/[^/\\\0]+)+\.parquet", path) or {".", ".."} & set(path.split("/")):
        raise ValueError(path)
    return path


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
