"""What of a damaged file can still be read, and what cannot, by table.

Each table is read row by row, past its indexes; where SQLite gives up, the next row that it can still
give is looked for, by rowid. Reads only, and every row that it counts was read whole. That SQLite reads
a row without an error does not prove the row: damage inside a value that has no structure shows nowhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trdinger.errors import SourceDamaged
from trdinger.legacy.source import Source, quoted

_GAPS = 1_000  # of one table; a file with more is beyond telling
_HIGHEST = (1 << 63) - 1  # rowid
_LOWEST = -(1 << 63)
_SHOWN = 5  # gaps that a sentence names
# Its words may name what is no UTF-8.
_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)


@dataclass(frozen=True)
class Gap:
    """Rowids of which none can be read, both ends included; None for an end that is not known.

    rows: how many rows an index counts there, None where no index can tell.
    """

    first: int | None
    last: int | None
    rows: int | None = None

    def __str__(self) -> str:
        if self.first is None and self.last is None:
            where = "all of it"
        elif self.first == self.last:
            where = f"row {self.first}"
        elif self.first is None:
            where = f"rows up to {self.last}"
        else:
            where = f"rows {self.first} {'to the end' if self.last is None else f'to {self.last}'}"
        return where if self.rows is None else f"{where} ({self.rows:,} by its index)"


@dataclass(frozen=True)
class TableDamage:
    """One table: the rows that were read, and where none could be."""

    table: str
    readable: int
    gaps: tuple[Gap, ...]

    def __str__(self) -> str:
        read = f"{self.table}: {self.readable:,} {'row' if self.readable == 1 else 'rows'} can be read"
        if not self.gaps:
            return f"{read}, none is lost"
        more = f", and {len(self.gaps) - _SHOWN:,} more such places" if len(self.gaps) > _SHOWN else ""
        return f"{read}; cannot be read: {', '.join(map(str, self.gaps[:_SHOWN]))}{more}"


def by_table(
    source: Source, *, tell: Callable[[str, int], object] = lambda _table, _rows: None
) -> list[TableDamage]:
    """What can be read of each table of a file; none where not even the list of its tables can.

    tell: hears the table and how many more of its rows were read.
    """
    try:
        with source.connect() as connection:
            found = source.tables(connection)
    except SourceDamaged:
        return []
    return [
        _table(source, name, columns, lambda rows, name=name: tell(name, rows))  # type: ignore[misc]
        for name, columns in found.items()
    ]


@contextmanager
def telling(source: Source) -> Iterator[None]:
    """Let a SourceDamaged out of the block say, too, what of each table of `source` can be read."""
    try:
        yield
    except SourceDamaged as error:
        lines = [f"\n  {each}" for each in by_table(source)]
        told = "".join(lines) if lines else "\n  Not even the list of its tables can be read."
        raise SourceDamaged(f"{error.message}{told}\n", said=error.said, hint=error.hint) from None


def _table(source: Source, name: str, columns: tuple[str, ...], tell: Callable[[int], object]) -> TableDamage:
    with source.connect() as connection:
        reader = _Reader(connection, name, columns)
        rows, gaps = _by_rowid(reader, tell) if reader.has_rowid() else reader.as_far_as_possible()
    return TableDamage(name, rows, tuple(gaps))


def _by_rowid(reader: _Reader, tell: Callable[[int], object]) -> tuple[int, list[Gap]]:
    readable, gaps, start = 0, list[Gap](), _LOWEST
    while len(gaps) < _GAPS:
        rows, last, whole = reader.run(start)
        readable += rows
        tell(rows)
        if whole:
            break
        lost = start if last is None else last + 1
        damaged, nearest = reader.first(lost)
        if not damaged and nearest is not None:  # the driver is a row ahead, and lost this one with the next
            readable, start = readable + 1, nearest + 1
            tell(1)
            continue
        after = reader.next_readable(lost)
        first, until = None if lost == _LOWEST else lost, None if after is None else after - 1
        gaps.append(Gap(first, until, reader.counted(first, until)))
        if after is None:
            break
        start = after
    return readable, gaps


class _Reader:
    """Reads one table, and takes an error of SQLite for the end of what it can give there."""

    def __init__(self, connection: sqlite3.Connection, name: str, columns: tuple[str, ...]) -> None:
        self._connection = connection
        self._table = quoted(name)
        taken = {column.lower() for column in columns}
        self._rowid = next((each for each in ("rowid", "_rowid_", "oid") if each not in taken), None)

    def has_rowid(self) -> bool:
        """Whether rows have a number that can be asked for, which tables WITHOUT ROWID lack."""
        if self._rowid is None:
            return False
        try:
            self._connection.execute(f"SELECT {self._rowid} FROM {self._table} LIMIT 0")
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode != sqlite3.SQLITE_ERROR  # which is "no such column"
        except _DAMAGE:
            pass
        return True

    def run(self, start: int) -> tuple[int, int | None, bool]:
        """Read on from a rowid: rows read, the last one's rowid, and whether that was the table's end."""
        rows, last = 0, None
        try:
            for rowid, *_ in self._connection.execute(self._from(), (start,)):
                if not isinstance(rowid, int) or rowid < (start if last is None else last + 1):
                    return rows, last, False  # a page that leads back
                rows, last = rows + 1, rowid
        except _DAMAGE:
            return rows, last, False
        return rows, last, True

    def first(self, start: int) -> tuple[bool, int | None]:
        """Whether damage is met on the way to the first row from `start` on, and if not, its rowid if any."""
        try:
            row = self._connection.execute(f"{self._from()} LIMIT 1", (start,)).fetchone()
        except _DAMAGE:
            return True, None
        if row is None:
            return False, None
        return (False, row[0]) if isinstance(row[0], int) and row[0] >= start else (True, None)

    def next_readable(self, lost: int) -> int | None:
        """The first row behind one that cannot be read; None where none is found.

        By doubling steps, then by halving: damage of a page hides rows that lie together.
        """
        base = max(lost, 0)  # where rowids begin, unless somebody chose them
        low, step = base, 1
        while True:
            high = min(base + step, _HIGHEST)
            damaged, found = self.first(high)
            if not damaged:
                break
            if high == _HIGHEST:
                return None
            low, step = high, step * 2
        while high - low > 1:
            middle = (low + high) // 2
            damaged, nearer = self.first(middle)
            if damaged:
                low = middle
            else:
                high, found = middle, nearer if nearer is not None else found
        return found

    def counted(self, first: int | None, last: int | None) -> int | None:
        """The rows between two rowids as an index has them; None where none can tell."""
        bounds = (_LOWEST if first is None else first, _HIGHEST if last is None else last)
        try:
            indexes = self._connection.execute(f"PRAGMA index_list({self._table})").fetchall()
        except _DAMAGE:
            return None
        for _, name, _, _, partial in indexes:
            index = quoted(bytes(name).decode("utf-8", "surrogateescape"))
            ask = (
                f"SELECT count(*) FROM {self._table} INDEXED BY {index} WHERE +{self._rowid} BETWEEN ? AND ?"
            )
            try:
                if not partial:
                    return int(self._connection.execute(ask, bounds).fetchone()[0])
            except _DAMAGE:
                continue  # damaged itself, or of no use here
        return None

    def as_far_as_possible(self) -> tuple[int, list[Gap]]:
        """Read a table without rowids from its beginning: rows read, and a gap where that ended."""
        rows = 0
        try:
            for _ in self._connection.execute(f"SELECT * FROM {self._table}"):
                rows += 1
        except _DAMAGE:
            return rows, [Gap(None, None)]
        return rows, []

    def _from(self) -> str:
        rowid = self._rowid
        return f"SELECT {rowid}, * FROM {self._table} NOT INDEXED WHERE {rowid} >= ? ORDER BY {rowid}"
