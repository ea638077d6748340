"""One piece out of the database and into the archive: every row, proven, and only then dropped.

    read ─► write ─► read back, compare ─► manifest ─► [ lock, read again, compare, drop, enter ] ─► close
                                                         one transaction of the database

A row that is written meanwhile makes the second reading differ: nothing is dropped then, and all of it is
done again. While the lock is held nobody writes to the piece; readers go on until the drop itself. A
process that is killed leaves the piece, or the archive's files, or both.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from psycopg import sql

from trdinger.archive.layout import Partition, is_month
from trdinger.archive.rows import arrow, columns, digest
from trdinger.archive.writing import Writing
from trdinger.engine.connect import Database
from trdinger.errors import EngineBusy, TargetError
from trdinger.progress import Progress
from trdinger.upkeep import record
from trdinger.upkeep.pieces import Piece, within

_TRIES = 3
_LOCK_SECONDS = 10  # to wait for a lock; others wait behind it


def retire(database: Database, piece: Piece, writing: Writing, archive: str, progress: Progress) -> int:
    """Move a piece into the archive; how many rows it had.

    Raises TargetError, ArchiveError; the piece is whole then.
    No other connection to the database may be held where it serves one at a time.
    """
    for _ in range(_TRIES):
        token = uuid.uuid4()
        with database.arrow() as connection:
            reading = Reading(connection, piece)
            written = _write(reading, piece, writing, progress)
            writing.publish(str(token), piece.relation)
            # Where this raises, whether it dropped is told by the token, to whoever settles it.
            dropped = _drop(reading, piece, written, token, archive)
        writing.close(dropped=dropped)
        if dropped:
            return sum(reading.contents.values())
    raise EngineBusy(
        f"{database}: {piece} is being written to; nothing was dropped.",
        hint="Run the same command again when it is quiet.",
    )


class Reading:
    """The rows of a piece over an ADBC connection. contents: the partitions it had when last asked."""

    def __init__(self, connection: Any, piece: Piece) -> None:
        self._connection = connection
        self._piece = piece
        self.contents: dict[Partition, int] = {}

    @contextmanager
    def transaction(self, how: str) -> Iterator[None]:
        """A transaction, committed at the end of the block and rolled back when it raises."""
        self.run(f"BEGIN {how}")
        try:
            yield
        except BaseException:
            with suppress(AdbcError):
                self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def look(self) -> dict[Partition, int]:
        """The partitions that the piece has now, and the rows of each.

        Raises TargetError for a time in no month.
        """
        series = self._piece.series
        names = ", ".join(series.segment_by)
        found = self.ask(
            f"SELECT {names}, to_char({series.time}, 'YYYY-MM') AS month, count(*) AS rows"
            f" FROM {within(self._piece)} GROUP BY {names}, month ORDER BY {names}, month"
        )
        self.contents = {}
        for *segment, month, rows in (one.values() for one in found.to_pylist()):
            if month is None or not is_month(month):
                raise TargetError(
                    f"{self._piece}: a {series.time} of {' '.join(segment)} is in no month of the years 1 to"
                    " 9999; nothing was dropped.",
                    hint="Correct or delete such rows.",
                )
            self.contents[Partition(series.table, tuple(segment), month)] = rows
        return self.contents

    def rows(self, partition: Partition) -> pa.Table:
        """The rows of a partition in this piece, by time.

        Raises TargetError where asking for them by range does not give all of them.
        """
        series = self._piece.series
        first, beyond = _month(partition.month)
        since, until = (
            max(first, self._piece.start),
            self._piece.end if beyond is None else min(beyond, self._piece.end),
        )
        same = zip(series.segment_by, partition.segment, strict=True)
        where = " AND ".join(
            [
                *(f"{name} = {_literal(value)}" for name, value in same),
                f"{series.time} >= {_literal(since)}",
                f"{series.time} < {_literal(until)}",
            ]
        )
        names = ", ".join(columns(series))
        found = self.ask(f"SELECT {names} FROM {series.table} WHERE {where} ORDER BY {series.time}")
        if found.num_rows != self.contents[partition]:
            raise TargetError(
                f"{partition}: {self.contents[partition]:,} rows are there, asking for them by range gave"
                f" {found.num_rows:,}; nothing was dropped.",
                hint="Its compressed rows are not in the declared order: decompress and compress the chunk.",
            )
        return found.cast(arrow(series)).combine_chunks()

    def ask(self, statement: str) -> pa.Table:
        """What a statement answers."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetch_arrow_table()

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement)


def _write(reading: Reading, piece: Piece, writing: Writing, progress: Progress) -> dict[Partition, str]:
    """Write and prove all rows of a piece, as they are at one moment; a digest of each partition."""
    written = {}
    try:
        with reading.transaction("ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            for partition, count in reading.look().items():
                rows = reading.rows(partition)
                written[partition] = digest(rows)
                writing.put(partition, rows)
                progress.advance(count, detail=str(piece), size=rows.nbytes)
    except BaseException:
        writing.forget()
        raise
    return written


def _drop(
    reading: Reading, piece: Piece, written: dict[Partition, str], token: uuid.UUID, archive: str
) -> bool:
    """Drop the piece if it holds what was written and nothing else; whether it did."""
    try:
        with reading.transaction("ISOLATION LEVEL READ COMMITTED"):
            reading.run(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
            reading.run(f"LOCK TABLE {piece.relation} IN SHARE ROW EXCLUSIVE MODE")
            for partition in reading.look() | written:
                if partition not in written or partition not in reading.contents:
                    raise _Changed
                if digest(reading.rows(partition)) != written[partition]:
                    raise _Changed
            rows = sum(reading.contents.values())
            statement, wanted = _dropping(piece, rows)
            gone = reading.ask(statement).column(0)[0].as_py()
            if gone != wanted:
                raise TargetError(
                    f"{piece}: {gone} were about to go instead of {wanted}; nothing was dropped."
                )
            reading.run(
                record.dropping(
                    token, piece.relation, first=piece.start, beyond=piece.end, rows=rows, archive=archive
                )
            )
    except _Changed:
        return False
    return True


class _Changed(Exception):
    """The piece is not what was written any more."""


def _dropping(piece: Piece, rows: int) -> tuple[str, int]:
    """The statement that drops a piece and counts what it dropped, and what it has to count."""
    if piece.chunk:
        return (
            f"SELECT count(*) FROM drop_chunks({_literal(piece.series.table)}::regclass,"
            f" older_than => {_literal(piece.end)}, newer_than => {_literal(piece.start)})"
        ), 1
    return f"WITH gone AS (DELETE FROM {within(piece)} RETURNING 1) SELECT count(*) FROM gone", rows


def _month(month: str) -> tuple[datetime, datetime | None]:
    """The first moment of a month and the first beyond it; None after the last that has a name."""
    year, number = int(month[:4]), int(month[5:])
    first = datetime(year, number, 1, tzinfo=UTC)
    if (year, number) == (9999, 12):
        return first, None
    return first, datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _literal(value: object) -> str:
    return sql.Literal(value).as_string()
