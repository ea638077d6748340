"""An archive as a whole: what it holds, its rows by series and range, and whether it is as it was written.

Every file that is read is held against the manifest first, so a changed byte gives no rows but an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from trdinger.archive import manifest
from trdinger.archive.layout import Partition
from trdinger.archive.manifest import File, Manifest
from trdinger.archive.place import Place
from trdinger.archive.rows import arrow, named, unpacked
from trdinger.declaration import Series
from trdinger.errors import ArchiveError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RESTORE = "Put it back from a backup of the archive. What else it holds: trdinger archive verify."
_MOST = 12  # files whose rows are kept in memory for the next question


@dataclass(frozen=True)
class Held:
    """One series in the archive. first and last in microseconds since 1970 UTC."""

    segment: tuple[str, ...]
    first: int
    last: int
    rows: int
    bytes: int
    files: int

    @property
    def first_moment(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.first)

    @property
    def last_moment(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.last)


@dataclass(frozen=True)
class Verified:
    """What a look at every byte found. wrong: a sentence for each fault."""

    files: int
    rows: int
    bytes: int
    wrong: tuple[str, ...] = field(default=())


class Archive:
    """What is in a place, read by its manifest. Nothing is written."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._kept: dict[str, pa.Table] = {}

    def __str__(self) -> str:
        return str(self.place)

    def manifest(self) -> Manifest:
        """What it holds now. Raises ArchiveError."""
        return manifest.read(self.place)

    def held(self, series: Series) -> list[Held]:
        """Every series of a table, by its segment."""
        files: dict[tuple[str, ...], list[File]] = {}
        for one in self.manifest().files:
            if one.partition.table == series.table:
                files.setdefault(one.partition.segment, []).append(one)
        return [
            Held(
                segment,
                min(one.first for one in of),
                max(one.last for one in of),
                sum(one.rows for one in of),
                sum(one.bytes for one in of),
                len(of),
            )
            for segment, of in sorted(files.items())
        ]

    def rows(
        self, series: Series, segment: tuple[str, ...], start: int | None = None, end: int | None = None
    ) -> pa.Table:
        """The rows of one series with start <= time < end, oldest first, all columns of the table."""
        partition = Partition(series.table, segment, "")
        empty = named(partition, arrow(series).empty_table())
        listed = self.manifest()
        try:
            parts = list(self._parts(listed, series, segment, start, end))
        except ArchiveError:
            if (now := self.manifest()) == listed:
                raise
            parts = list(self._parts(now, series, segment, start, end))  # it was written to just now
        return pa.concat_tables([empty, *parts])

    def _parts(
        self, listed: Manifest, series: Series, segment: tuple[str, ...], start: int | None, end: int | None
    ) -> Iterator[pa.Table]:
        wanted = [
            one
            for one in listed.files
            if (one.partition.table, one.partition.segment) == (series.table, segment)
            and (start is None or one.last >= start)
            and (end is None or one.first < end)
        ]
        for file in sorted(wanted, key=lambda one: one.first):
            rows = self.file(file)
            time = rows.column(series.time).cast(pa.int64())
            inside = pc.and_(
                pc.greater_equal(time, -(1 << 63) if start is None else start),
                pc.less(time, (1 << 63) - 1 if end is None else end),
            )
            yield named(file.partition, rows.filter(inside))

    def file(self, file: File) -> pa.Table:
        """The rows of a file, without the columns that its path tells.

        Raises ArchiveError unless it is as it was written.
        """
        if file.sha256 not in self._kept:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[file.sha256] = self.fresh(file)
        return self._kept[file.sha256]

    def fresh(self, file: File) -> pa.Table:
        """As `file`, read anew."""
        where = f"{file.path} of the archive {self}"
        try:
            data = self.place.read(file.path)
        except FileNotFoundError:
            raise ArchiveError(f"{where} is gone, which its manifest tells of.", hint=_RESTORE) from None
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise ArchiveError(f"{where} was changed: its SHA-256 is another.", hint=_RESTORE)
        return unpacked(file.partition, data, where)

    def verify(self) -> Iterator[str | Verified]:
        """Look at every byte: the path of each file as it is looked at, at last what was found."""
        listed = self.manifest()
        names = self.place.names()
        wrong, rows, size = [], 0, 0
        for file in listed.files:
            yield file.path
            try:
                found = self.fresh(file)
            except ArchiveError as error:
                wrong.append(error.message)
                continue
            rows += found.num_rows
            size += file.bytes
            if not _as_listed(file, found):
                wrong.append(f"{file.path} of the archive {self} holds other rows than its manifest tells.")
        extra = sorted(name for name in names - listed.known() - {manifest.NAME} if name.endswith(".parquet"))
        wrong += [f"{name} of the archive {self} is not in its manifest." for name in extra]
        yield Verified(len(listed.files), rows, size, tuple(wrong))


def _as_listed(file: File, rows: pa.Table) -> bool:
    """Whether a file's rows are as many as its line tells, by time, each time once and of the month."""
    series = file.partition.series
    column = rows.column(series.time)
    times = column.cast(pa.int64()).to_numpy()
    if len(times) != file.rows or not len(times):
        return False
    months = pc.unique(pc.strftime(column, format="%Y-%m")).to_pylist()
    ends = (int(times[0]), int(times[-1])) == (file.first, file.last)
    return ends and bool((times[1:] > times[:-1]).all()) and months == [file.partition.month]
