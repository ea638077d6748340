"""Write tables into a new folder, a file each, for other programs, with a manifest of what is in it.

The folder appears under its name whole and on the disk, or not at all. All of it is of one moment.
What the files cannot hold is left out and listed. Memory is that of one page.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from trdinger.errors import SourceError, UsageError
from trdinger.export import manifest
from trdinger.export.form import Lost, Unheld, holdable
from trdinger.export.formats import ROW_BYTES, Format, writing
from trdinger.export.manifest import File, Manifest
from trdinger.export.snapshot import Held
from trdinger.legacy.backup import digest
from trdinger.legacy.newfile import Words, full, told
from trdinger.progress import Progress
from trdinger.schema.shape import TableShape

_WORDS = Words(exists="Name another folder.")
_UNPACKED = 5  # times that JSON and text are larger in the file than in the database, at most
_SPARE = 16 << 20  # bytes that stay free on the disk


class Giver(Protocol):
    """Where rows come from, at one moment."""

    @property
    def source(self) -> str:
        """What people call it."""

    @property
    def server(self) -> str:
        """What it runs on."""

    def held(self, shapes: Sequence[TableShape]) -> tuple[Held, ...]:
        """What it holds of these tables."""

    def others(self) -> tuple[str, ...]:
        """The tables that it has besides Trdinger's, which no export has."""

    def bytes(self, shape: TableShape) -> int:
        """What a small table takes there."""

    def prepare(self, folder: Path, progress: Progress) -> list[Unheld]:
        """Look for values that no export takes over before rows are read, and list them."""

    def pages(self, held: Held) -> Iterator[pa.Table]:
        """The rows of a table in the types of its shape; of those that are held the ones that fit."""


@dataclass(frozen=True)
class Plan:
    """What an export into a folder would do. bytes: about what the files take."""

    giver: Giver
    path: Path
    form: Format
    held: tuple[Held, ...]
    bytes: int
    free: int
    others: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "format": str(self.form),
            "source": self.giver.source,
            "server": self.giver.server,
            "path": str(self.path),
            "writes": False,
            "bytes": self.bytes,
            "free_bytes": self.free,
            "tables": [
                {"table": one.shape.name, "rows": one.rows, "series": len(one.segments)} for one in self.held
            ],
        }


@dataclass
class Written:
    """What an export wrote."""

    plan: Plan
    manifest: Manifest
    unheld: list[Unheld] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The answer for programs."""
        return {
            "result": "written",
            "format": str(self.plan.form),
            "source": self.plan.giver.source,
            "server": self.plan.giver.server,
            "path": str(self.plan.path),
            "bytes": sum(file.bytes for file in self.manifest.files),
            "seconds": round(self.seconds, 3),
            "tables": [
                {name: value for name, value in vars(file).items() if name != "columns"}
                for file in self.manifest.files
            ],
            "not_held": [vars(one) | {"sentence": str(one)} for one in self.unheld],
            "others": list(self.plan.others),
        }


def plan(giver: Giver, path: Path, form: Format, shapes: Sequence[TableShape]) -> Plan:
    """Look at both sides. Raises UsageError, SourceError, TargetError; writes nothing."""
    with told(path, _WORDS):
        refuse(path)
        held = giver.held(shapes)
        size = sum(
            one.rows * ROW_BYTES[form] if one.shape.series else giver.bytes(one.shape) * _UNPACKED
            for one in held
        )
        free = shutil.disk_usage(path.absolute().parent).free
        others = giver.others()
    return Plan(giver, path, form, held, size, free, others)


def refuse(path: Path) -> None:
    """Raise UsageError unless a new folder may get this name; an empty one may be there."""
    if not path.absolute().parent.is_dir():
        raise UsageError(
            f"There is no folder {path.parent}.", hint=f"Make it: mkdir -p {shlex.quote(str(path.parent))}"
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} is there already; nothing was written.", hint=_WORDS.exists)


def export(planned: Plan, progress: Progress) -> Written:
    """Write the files. Raises UsageError, SourceError, TargetError; then nothing is left behind."""
    begun = time.perf_counter()
    if planned.free < planned.bytes + _SPARE:
        raise SourceError(
            f"The files need about {planned.bytes + _SPARE:,} bytes, {planned.path.absolute().parent} has"
            f" {planned.free:,} free. Nothing was written.",
            hint=_WORDS.full,
        )
    with told(planned.path, _WORDS), _new_folder(planned.path) as part:
        unheld = planned.giver.prepare(part, progress)
        progress.stage("Write", total=sum(one.rows for one in planned.held))
        files = [_write(planned, held, part, unheld, progress) for held in planned.held]
        listed = Manifest(
            planned.form,
            planned.giver.source,
            datetime.now(UTC).isoformat(timespec="seconds"),
            tuple(files),
            tuple(vars(one) for one in unheld),
        )
        listed.write(part)
    return Written(planned, listed, unheld, time.perf_counter() - begun)


def _write(planned: Plan, held: Held, part: Path, unheld: list[Unheld], progress: Progress) -> File:
    shape, lost, rows = held.shape, Lost(), 0
    path = part / f"{shape.name}.{planned.form}"
    try:
        with writing(planned.form, path, shape) as write:
            for page in planned.giver.pages(held):
                fitting = holdable(shape, page, lost, numbers=True)
                write(fitting)
                rows += fitting.num_rows
                progress.advance(page.num_rows, detail=shape.name, size=page.nbytes)
    except (pa.ArrowException, OSError) as error:
        if shutil.disk_usage(part).free < _SPARE // 16:
            raise full(planned.path, _WORDS) from None
        if isinstance(error, OSError):
            raise
        raise SourceError(f"{path} cannot be written: {error}.") from None
    unheld += lost.unheld
    return File(
        shape.name,
        path.name,
        rows,
        held.rows - rows,
        path.stat().st_size,
        digest(path),
        manifest.columns(shape),
    )


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """The unfinished folder, which becomes `path` when the block ends well, and is gone when it does not."""
    path = path.absolute()
    part = path.with_name(f"{path.name}.part")
    with _claimed(part):
        try:
            yield part
            refuse(path)
            with suppress(FileNotFoundError):
                path.rmdir()
            part.rename(path)
            _sync(path.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _claimed(part: Path) -> Iterator[None]:
    """Make the folder and hold it against other processes; one that a killed process left is made anew."""
    if part.exists():
        with _open(part) as left:
            _hold(part, left)
            shutil.rmtree(part)
    part.mkdir()
    with _open(part) as handle:
        _hold(part, handle)
        yield


def _hold(part: Path, handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"{part} is being written by another process.", hint="Wait for its end, or name another folder."
        ) from None


@contextmanager
def _open(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _sync(folder: Path) -> None:
    with _open(folder) as handle, suppress(OSError):  # not every file system flushes folders
        os.fsync(handle)
