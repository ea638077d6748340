"""Write the database as it is now into a new SQLite file that the existing application opens, and prove it.

The file has the application's own tables, indexes and forms of values, and every id; it appears under
its name whole, on the disk and compared with the database, cell by cell, or not at all. What such a
file cannot hold (`form`) is listed. Memory is that of one page.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError

from trdinger.engine.connect import Database
from trdinger.errors import SourceError
from trdinger.export.form import Lost, Unheld, in_form
from trdinger.export.snapshot import Held, Snapshot, snapshot
from trdinger.legacy.layout import ddl
from trdinger.legacy.newfile import BULK, Words, filling, full, new_file, refuse, told
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.progress import Progress
from trdinger.schema.shape import TableShape, shapes
from trdinger.verify.differences import TableProof
from trdinger.verify.run import verify

WORDS = Words()
_ROW_BYTES = 430  # of a series in the file, its six indexes included
_UNPACKED = 5  # times that JSON and text are larger in the file than in the database, at most
_SPARE = 16 << 20  # bytes that stay free on the disk
_FULL = 1 << 20  # bytes free on a disk that has no room for another page of rows


@dataclass(frozen=True)
class Plan:
    """What an export into a file would do. bytes: about what the file takes."""

    database: str
    server: str
    path: Path
    held: tuple[Held, ...]
    bytes: int
    free: int

    def as_json(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "format": "sqlite",
            "source": self.database,
            "server": self.server,
            "path": str(self.path),
            "writes": False,
            "bytes": self.bytes,
            "free_bytes": self.free,
            "tables": [
                {"table": one.shape.name, "rows": one.rows, "series": len(one.segments)} for one in self.held
            ],
        }


@dataclass
class Exported:
    """What an export did. same_moment: the proof, too, is of the moment of the export."""

    database: str
    server: str
    path: Path
    held: tuple[Held, ...]
    same_moment: bool
    bytes: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    lost: dict[str, Lost] = field(default_factory=dict)
    proofs: list[TableProof] = field(default_factory=list)
    structure: list[str] = field(default_factory=list)
    seconds: float = 0.0
    others: tuple[str, ...] = ()

    @property
    def unheld(self) -> list[Unheld]:
        """Every value that the file does not hold as the database does."""
        return [one for lost in self.lost.values() for one in lost.unheld]

    @property
    def equal(self) -> bool:
        """Whether nothing differs but what is listed."""
        held = {one.shape.name: one for one in self.held}
        return all(_as_listed(proof, self.lost[proof.table], held[proof.table]) for proof in self.proofs)

    def as_json(self) -> dict[str, Any]:
        """The answer for programs."""
        return {
            "result": "equal" if self.equal else "different",
            "format": "sqlite",
            "source": self.database,
            "server": self.server,
            "path": str(self.path),
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "same_moment": self.same_moment,
            "tables": [
                {
                    "table": proof.table,
                    "rows": self.rows[proof.table],
                    "rows_left_out": sum(page.num_rows for page in self.lost[proof.table].left_out),
                    "rows_compared": proof.rows,
                    "cells_compared": proof.cells,
                    "differences": proof.differing,
                    "shown": [vars(one) | {"sentence": str(one)} for one in proof.shown],
                }
                for proof in self.proofs
            ],
            "not_held": [vars(one) | {"sentence": str(one)} for one in self.unheld],
            "structure": self.structure,
            "others": list(self.others),
        }


def plan(database: Database, path: Path) -> Plan:
    """Look at the database and at the disk. Raises UsageError, SourceError, TargetError; writes nothing."""
    with told(path, WORDS):
        refuse(path, WORDS)
    with snapshot(database) as moment:
        return _plan(moment, path)


def export(database: Database, path: Path, progress: Progress) -> Exported:
    """Write the new file and compare it. Raises UsageError, SourceError, TargetError.

    Where the server serves many sessions the proof reads the very snapshot that was written; on one
    session it reads what is there afterwards, so nobody should write meanwhile.
    """
    begun = time.perf_counter()
    with new_file(path, WORDS) as part, ExitStack() as reading:
        progress.stage("Look")
        moment = reading.enter_context(snapshot(database))
        planned = _plan(moment, path)
        _room(planned)
        done = Exported(
            planned.database, planned.server, path, planned.held, same_moment=moment.shared is not None
        )
        done.others = moment.others()
        progress.stage("Write", total=sum(one.rows for one in planned.held))
        _tables(part)
        for held in planned.held:
            done.rows[held.shape.name], done.lost[held.shape.name] = _write(
                moment, held, part, path, progress
            )
        if moment.shared is None:
            reading.close()
        _indexes(part, progress)
        done.bytes = part.stat().st_size
        seen = database if moment.shared is None else database.at(moment.shared)
        proof = verify(survey(Source(part, immutable=True)), seen, progress)
        done.proofs, done.structure = proof.tables, proof.structure
    done.seconds = time.perf_counter() - begun
    return done


def _plan(moment: Snapshot, path: Path) -> Plan:
    held = moment.held(shapes())
    size = sum(
        one.rows * _ROW_BYTES if one.shape.series else moment.bytes(one.shape) * _UNPACKED for one in held
    )
    free = shutil.disk_usage(path.parent).free
    return Plan(moment.source, moment.server, path, held, size, free)


def _room(planned: Plan) -> None:
    if planned.free < planned.bytes + _SPARE:
        raise SourceError(
            f"The file needs about {planned.bytes + _SPARE:,} bytes, {planned.path.parent} has"
            f" {planned.free:,} free. Nothing was written.",
            hint=WORDS.full,
        )


def _tables(part: Path) -> None:
    with filling(part) as connection:
        for statement in ddl()[0]:
            connection.execute(statement)


def _indexes(part: Path, progress: Progress) -> None:
    statements = ddl()[1]
    progress.stage("Index", total=len(statements), measure="steps")
    with filling(part) as connection:
        for statement in statements:
            connection.execute(statement)
            progress.advance(1)


def _write(moment: Snapshot, held: Held, part: Path, path: Path, progress: Progress) -> tuple[int, Lost]:
    """Write one table; how many rows the file has of it, and what it does not hold."""
    shape, lost, rows = held.shape, Lost(), 0
    with _filling(part, path) as file:
        for page in moment.pages(held):
            fitting = in_form(shape, page, lost)
            _ingest(file, shape, fitting, path)
            rows += fitting.num_rows
            progress.advance(page.num_rows, detail=shape.name, size=page.nbytes)
    return rows, lost


@contextmanager
def _filling(part: Path, path: Path) -> Iterator[Any]:
    """An Arrow connection for writing much into the file. Raises SourceError."""
    import adbc_driver_sqlite.dbapi as adbc  # noqa: PLC0415  # a third of a second where pandas is

    address = f"file:{quote(os.fsencode(part.resolve()))}"
    with adbc.connect(address, autocommit=True) as connection:
        try:
            with connection.cursor() as cursor:
                for statement in BULK:
                    cursor.execute(statement)
        except AdbcError as error:
            raise _not_written(path, error) from None
        yield connection


def _ingest(file: Any, shape: TableShape, rows: pa.Table, path: Path) -> None:
    if not rows.num_rows:
        return
    try:
        with file.cursor() as cursor:
            cursor.adbc_ingest(shape.name, rows, mode="append")
    except AdbcError as error:
        raise _not_written(path, error) from None


def _not_written(path: Path, error: Exception) -> SourceError:
    # The driver hands on SQLite's text, and not its code.
    if shutil.disk_usage(path.parent).free < _FULL:
        return full(path, WORDS)
    said = str(error).splitlines()[0].rstrip(".")
    return SourceError(f"{path} cannot be written: {said}.", hint="Name another folder.")


def _as_listed(proof: TableProof, lost: Lost, held: Held) -> bool:
    """Whether the differences of a table are those that are listed, by number."""
    expected = {"extra": _extra(lost, held), "value": sum(one.became is not None for one in lost.unheld)}
    return dict(+proof.counts) == {what: count for what, count in expected.items() if count}


def _extra(lost: Lost, held: Held) -> int:
    """How often a proof tells of rows that were left out: one by one, or of a series as a whole."""
    if held.shape.series is None:
        return sum(page.num_rows for page in lost.left_out)
    left_out = Counter(
        tuple(row.values())
        for page in lost.left_out
        for row in page.select(list(held.shape.series.segment_by)).to_pylist()
    )
    return sum(
        1 if left_out[segment.values] == segment.rows else left_out[segment.values]
        for segment in held.segments
    )
