"""Rows into an archive, in steps of which each is whole: written and read back, open, closed.

    with Writing(place, owner) as writing:
        writing.put(partition, rows)     a file in the place, read back and compared; nobody knows of it yet
        writing.publish(token, chunk)    one write of the manifest: the files are the archive's now
        writing.close(dropped=True)      the chunk is gone from the database: what was replaced is removed

A process that is killed leaves what it had put, or an open chunk. `settle` asks whether the database knows
the token: if it dropped the chunk, the files stay; if not, what was before them comes back, and the chunk's
rows as they are by then are written anew. A row that was archived before and is not in the chunk stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

import pyarrow as pa

from trdinger.archive.archive import Archive
from trdinger.archive.layout import Partition
from trdinger.archive.manifest import File, Manifest
from trdinger.archive.place import Place
from trdinger.archive.rows import arrow, digest, joined, packed
from trdinger.errors import ArchiveError


class Writing:
    """The writing end of an archive, of one process at a time. owner: which database it writes for."""

    def __init__(self, place: Place, owner: str) -> None:
        self._place = place
        self._owner = owner
        self._archive = Archive(place)
        self._made: list[File] = []
        self._held = ExitStack()
        self._listed = Manifest()

    def __enter__(self) -> Writing:
        with ExitStack() as held:
            if not self._place.there():
                self._place.make()
            held.enter_context(self._place.alone())
            if not self._place.names():
                Manifest().write(self._place)
            self._listed = self._archive.manifest()
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def settle(self, was_dropped: Callable[[str, str], bool]) -> None:
        """Close what an earlier process left open, by what the database says of its token and its chunk.

        What another database left open stays as it is: its rows are kept whatever became of them.
        """
        opened = self._listed.open
        if opened is not None:
            self.close(dropped=opened.owner != self._owner or was_dropped(opened.token, opened.relation))
        elif self._listed.obsolete:
            self._clean()

    def put(self, partition: Partition, rows: pa.Table) -> File:
        """Write a partition's rows, by time, and prove by reading back that they are there.

        With rows that are archived already and are not among these. A file that holds them all stays.
        """
        before = self._listed.of(partition)
        old = self._archive.fresh(before) if before else arrow(partition.series).empty_table()
        wanted = joined(partition.series, old, rows).combine_chunks()
        promised = digest(wanted)
        if before is not None and promised == digest(old):
            return before
        times = wanted.column(partition.series.time).cast(pa.int64())
        data = packed(partition, wanted)
        file = File(
            self._free_name(partition),
            partition,
            wanted.num_rows,
            len(data),
            hashlib.sha256(data).hexdigest(),
            times[0].as_py(),
            times[-1].as_py(),
        )
        self._place.write(file.path, data)
        if digest(self._archive.fresh(file)) != promised:
            raise ArchiveError(
                f"{file.path} of the archive {self._place} does not hold what was written into it.",
                hint="Nothing was dropped. Check the disk, or name another folder.",
            )
        self._made.append(file)
        return file

    def publish(self, token: str, relation: str) -> None:
        """Make what was put the archive's, in one write. Raises ArchiveError if another changed it."""
        self._unchanged()
        self._write(self._listed.opened(token, self._owner, relation, tuple(self._made)))
        self._made = []

    def close(self, *, dropped: bool) -> None:
        """Close the open chunk: what it replaced goes if it was dropped, else what it made does."""
        self._write(self._listed.closed(dropped=dropped))
        if self._listed.obsolete:
            self._clean()

    def forget(self) -> None:
        """Take away what was put and not published."""
        for file in self._made:
            self._place.remove(file.path)
        self._made = []

    def _clean(self) -> None:
        for path in self._listed.obsolete:
            self._place.remove(path)
        self._write(self._listed.cleaned())

    def _write(self, listed: Manifest) -> None:
        listed.write(self._place)
        self._listed = listed

    def _unchanged(self) -> None:
        if self._archive.manifest() != self._listed:
            raise ArchiveError(
                f"The archive {self._place} was changed by another process meanwhile. Nothing was dropped.",
                hint="Let one process at a time write to it; run the same command again.",
            )

    def _free_name(self, partition: Partition) -> str:
        """A name that no file has, also where a folder's case makes no difference."""
        folder = partition.folder
        taken = {path.casefold() for path in self._listed.known()} | {
            one.path.casefold() for one in self._made
        }
        number = 1
        while f"{folder}/{number}.parquet".casefold() in taken:
            number += 1
        return f"{folder}/{number}.parquet"
