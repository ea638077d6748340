"""Read files of tables back into a database: what fits and is new goes in, exactly once.

Each table is one transaction, parents before children; the same command again finds every row known.
Rows that do not fit, by the rules of a move, are kept with all their values in a rejects file.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from trdinger.engine.connect import Database
from trdinger.errors import SourceError, TargetError, UsageError
from trdinger.export import manifest
from trdinger.export.fitting import fit, values_of
from trdinger.export.formats import Format
from trdinger.export.incoming import Counts, Incoming
from trdinger.export.pieces import NoRow, Piece, pieces
from trdinger.legacy import rejects
from trdinger.legacy.check import Keeper, Nobody
from trdinger.legacy.judging import BadValue, Found, Reject
from trdinger.legacy.values import Rules
from trdinger.progress import Progress
from trdinger.schema.shape import TableShape
from trdinger.schema.shape import shapes as all_shapes

_UPGRADE = "Make or bring it to this program's: trdinger db upgrade."
_KEPT = 20  # values that do not fit that an answer shows; the rejects file has all


@dataclass(frozen=True)
class Given:
    """One table in one file. rows: how many a manifest tells; None without one."""

    shape: TableShape
    path: Path
    form: Format
    rows: int | None = None


@dataclass
class Imported:
    """What became of the rows, by table. shown: the first values that do not fit, of `unfit` in all."""

    path: str
    target: str
    writes: bool
    counts: dict[str, Counts] = field(default_factory=dict)
    rejects: Path | None = None
    shown: list[BadValue] = field(default_factory=list)
    unfit: int = 0

    @property
    def rejected(self) -> int:
        """How many rows were rejected."""
        return sum(counts.rejected for counts in self.counts.values())

    def as_json(self) -> dict[str, Any]:
        """The answer for programs."""
        return {
            "path": self.path,
            "target": self.target,
            "writes": self.writes,
            "tables": [
                {
                    "table": table,
                    "rows": counts.rows,
                    "new": counts.new,
                    "known": counts.known,
                    "known_differing": counts.differing,
                    "rejected": counts.rejected,
                }
                for table, counts in self.counts.items()
            ],
            "rejects": str(self.rejects) if self.rejects else None,
            "unfit_values": self.unfit,
            "shown": [vars(bad) | {"sentence": str(bad)} for bad in self.shown],
        }


def given(path: Path, shapes: Sequence[TableShape], table: str | None, progress: Progress) -> list[Given]:
    """The files to read: those of a folder's manifest, held against it, or one alone.

    table: the one table of a single file; without it the file is named for its table. Raises UsageError,
    SourceError.
    """
    if path.is_dir():
        return _of_folder(path, shapes, progress)
    if not path.exists():
        raise UsageError(f"There is no file or folder {path}.", hint="Check its path.")
    try:
        form = Format(path.suffix.removeprefix(".").lower())
    except ValueError:
        form = Format.SQLITE
    if form is Format.SQLITE:
        raise UsageError(
            f"{path} has no ending of a format that can be read.",
            hint="Name it .parquet, .csv or .jsonl. A SQLite file is moved: trdinger migrate.",
        )
    name = table or path.stem
    found = [shape for shape in shapes if shape.name == name]
    if not found:
        raise UsageError(
            f"{path} is not named for a table of Trdinger's.", hint="Name its table with --table TABLE."
        )
    return [Given(found[0], path, form)]


def import_(
    files: Sequence[Given],
    path: Path,
    database: Database,
    rules: Rules,
    progress: Progress,
    *,
    rejected: Path,
    writes: bool = True,
) -> Imported:
    """Put the files' rows into the database. With `writes` false all is tried and taken back.

    rejected: where rows go that do not fit. Raises UsageError, SourceError, TargetError; a table that it
    is raised in is as it was.
    """
    done = Imported(str(path), str(database), writes)
    progress.stage("Import", total=_total(files))
    with ExitStack() as opened:
        writer = (
            opened.enter_context(rejects.writing(rejected, str(uuid.uuid4()), str(path)))
            if writes
            else Nobody()
        )
        connection = opened.enter_context(database.connect(autocommit=True))
        _complete(database, connection, files)
        if not writes:
            opened.enter_context(connection.transaction(force_rollback=True))
        for file in files:
            with connection.transaction(), _told(file, database):
                done.counts[file.shape.name] = _Importing(connection, file, rules, writer, done).run(progress)
    if writes and done.rejected:
        done.rejects = rejected
    return done


class _Importing:
    """One file into its table, in the running transaction."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        file: Given,
        rules: Rules,
        keeper: Keeper,
        done: Imported,
    ) -> None:
        self._file = file
        self._rules = rules
        self._keeper = keeper
        self._done = done
        names, self._pieces = pieces(file.form, file.path, file.shape)
        self._shape = _without_ids(file.shape)
        self._incoming = Incoming(connection, file.shape, names)

    def run(self, progress: Progress) -> Counts:
        counts, file = self._incoming.counts, self._file
        for piece in self._pieces:
            if isinstance(piece, NoRow):
                counts.rows += 1
                bad = piece.bad(file.shape.name)
                self._reject(Reject(bad.table, bad.rowid, {"": piece.text}, (bad,)))
                continue
            counts.rows += len(piece.numbers)
            found = Found()
            fitting = fit(file.form, self._shape, piece, self._rules, found)
            for change in found.changes:
                self._keeper.change(change)
            for one in found.rejects:
                self._reject(one)
            for bad in self._incoming.take(fitting):
                self._reject(self._whole(piece, bad))
            progress.advance(len(piece.numbers), detail=file.shape.name)
        if file.rows is not None and counts.rows != file.rows:
            raise SourceError(
                f"{file.path} gave {counts.rows:,} rows where {manifest.NAME} tells of {file.rows:,}.",
                hint="Export again.",
            )
        self._incoming.finish(writes=self._done.writes)
        return counts

    def _whole(self, piece: Piece, bad: BadValue) -> Reject:
        assert isinstance(bad.rowid, int)
        values = values_of(self._file.form, self._file.shape, piece, bad.rowid)
        return Reject(bad.table, bad.rowid, values, (bad,))

    def _reject(self, reject: Reject) -> None:
        self._incoming.counts.rejected += 1
        self._done.unfit += len(reject.reasons)
        self._done.shown += reject.reasons[: max(0, _KEPT - len(self._done.shown))]
        self._keeper.reject(reject)


def _without_ids(shape: TableShape) -> TableShape:
    """The shape as files may have it: rows of a series may come without their ids."""
    if shape.series is None:
        return shape
    columns = tuple(replace(one, nullable=True) if one.name == "id" else one for one in shape.columns)
    return replace(shape, columns=columns)


def _of_folder(path: Path, shapes: Sequence[TableShape], progress: Progress) -> list[Given]:
    listed = manifest.read(path)
    known = {shape.name: shape for shape in all_shapes()}
    unknown = [file.table for file in listed.files if file.table not in known]
    if unknown:
        raise UsageError(
            f"{path} holds {', '.join(unknown)}, which no table of Trdinger's is.",
            hint="Name the tables to read with --table.",
        )
    held = {file.table: file for file in listed.files}
    files = [held[shape.name] for shape in shapes if shape.name in held]
    if not files:
        raise UsageError(
            f"{path} holds none of these tables.", hint=f"It holds: {', '.join(held) or 'nothing'}."
        )
    progress.stage("Check files", total=sum(file.bytes for file in files), measure="bytes")
    for file in files:
        manifest.check(path, file)
        progress.advance(file.bytes, detail=file.file)
    return [Given(known[file.table], path / file.file, listed.form, file.rows) for file in files]


def _complete(database: Database, connection: psycopg.Connection[Any], files: Sequence[Given]) -> None:
    """Raise TargetError unless the database has these tables with all of their columns."""
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema"
    ):
        columns.setdefault(table, set()).add(column)
    for file in files:
        lacking = set(file.shape.column_names) - columns.get(file.shape.name, set())
        if lacking:
            what = ", ".join(sorted(lacking)) if file.shape.name in columns else "the table"
            raise TargetError(f"{database}: {file.shape.name}: {what} is missing.", hint=_UPGRADE)


@contextmanager
def _told(file: Given, database: Database) -> Iterator[None]:
    """Say what it means where the table has no key to tell known rows by."""
    try:
        yield
    except psycopg.errors.InvalidColumnReference:
        raise TargetError(
            f"{database}: {file.shape.name} has no key; is a move into it unfinished?",
            hint="Finish that first, or see what is wrong: trdinger db check.",
        ) from None


def _total(files: Sequence[Given]) -> int | None:
    rows = [file.rows for file in files if file.rows is not None]
    return sum(rows) if len(rows) == len(files) else None
