"""Verify a table without an id to walk by: both sides as bags of rows.

Each side is streamed and each row becomes a hash of 128 bits beside one of its key, so that memory is
that of some millions of hashes however large the table is: a larger one is gone through several times,
each time for the rows whose key falls into one part. Only where the bags differ are rows fetched again,
to be told with their values.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg

from trdinger.legacy import slices
from trdinger.legacy.judging import Found, judge
from trdinger.legacy.source import Source
from trdinger.legacy.survey import TableSurvey
from trdinger.legacy.values import Value
from trdinger.progress import Progress
from trdinger.schema.shape import Column
from trdinger.verify import cells
from trdinger.verify.differences import SHOWN, Difference, TableProof, What
from trdinger.verify.documents import json_differing, show_apart
from trdinger.verify.ranges import TargetRows

PART_ROWS = 2_000_000  # of one side at once: 48 MB, and as much again while they are sorted
_SAMPLED = 100_000  # times of a hypertable's rows, among which its ranges are cut
_TOLD = 5_000  # rows between two words of progress
_ROW = np.dtype([("key", "<u8"), ("high", "<u8"), ("low", "<u8")])

_Row = list[Value]
_Shown = defaultdict[bytes, list[tuple[bytes, _Row]]]
_Hashes = np.ndarray[Any, np.dtype[np.void]]


def verify_bag(
    source: Source,
    table: TableSurvey,
    connection: psycopg.Connection[Any],
    progress: Progress,
    *,
    part_rows: int = PART_ROWS,
) -> TableProof:
    """Compare every row of a user's own table. Raises SourceError, TargetError."""
    return _Bag(source, table, connection, progress, part_rows).compare()


@dataclass
class _Apart:
    """Some of the rows in which the bags differ, by their hashes; `repeated` are those that both have."""

    ours: set[bytes] = field(default_factory=set)
    theirs: set[bytes] = field(default_factory=set)
    repeated: set[bytes] = field(default_factory=set)


class _Bag:
    def __init__(
        self,
        source: Source,
        table: TableSurvey,
        connection: psycopg.Connection[Any],
        progress: Progress,
        part_rows: int,
    ) -> None:
        assert table.own is not None
        self.source, self.table, self.progress = source, table, progress
        self.columns = table.shape.columns
        self.series = table.own.table.series
        names = table.shape.column_names
        self.key = [names.index(name) for name in table.own.table.primary or names]
        self.key_columns = [self.columns[at] for at in self.key]
        self.proof = TableProof(table.shape.name)
        self.parts = max(1, math.ceil(table.rows / part_rows))
        self.target = TargetRows(connection, table)

    def compare(self) -> TableProof:
        if self.series is not None:
            self.target.cut(self._moments(), self.table.rows)
        apart = _Apart()
        for part in range(self.parts):
            ours = self._hashed(self._told(self._source(tell=part == 0)), part)
            theirs = self._hashed(self._target(), part)
            self.proof.rows += len(ours)
            self.proof.cells += len(ours) * len(self.columns)
            _compare(ours, theirs, apart, self.proof)
        count, given = self.target.count(), self.target.given
        if count != given:
            way = "every range of time" if self.series is not None else "them all"
            key = f"count(*) gives {count:,} rows, reading {way} {given:,}"
            self.proof.add(Difference(self.proof.table, "repeated", key))
        if apart.ours or apart.theirs:
            self._show(apart)
        return self.proof

    def _moments(self) -> list[int]:
        """Some times of the source's rows."""
        assert self.series is not None
        at = self.table.shape.column_names.index(self.series.time)
        step = max(1, self.table.rows // _SAMPLED)
        rows = (row for number, row in enumerate(self._source(tell=False)) if number % step == 0)
        return [moment for row in rows if isinstance(moment := row[at], int)]

    def _source(self, *, tell: bool) -> Iterator[_Row]:
        """The rows of the source that should be in the target. tell: enter those that do not fit."""
        table = self.table
        with self.source.connect() as connection:
            for name, stored in slices.rows(connection, table):
                if name in table.rejected:
                    continue
                found = Found()
                row = judge(table.shape, table.present, name, stored, found=found, rules=table.rules)
                if row is not None:
                    yield row
                elif tell:
                    bad = found.bad[0]
                    self.proof.add(
                        Difference(self.proof.table, "missing", f"row {name}", bad.column, bad.value)
                    )

    def _target(self) -> Iterator[_Row]:
        """The rows of the target, less those that came later, mended: the source does not have them."""
        later = {name for (name,) in self.table.replayed}
        for row in self.target.rows():
            if not later or cells.fingerprint(self.columns, row).hex() not in later:
                yield row

    def _told(self, rows: Iterator[_Row]) -> Iterator[_Row]:
        """The same rows; every so often it is said how many of the table's there were."""
        number, told = 0, 0
        for number, row in enumerate(rows, 1):
            if number % (_TOLD * self.parts) == 0:
                self.progress.advance(number // self.parts - told, detail=self.proof.table)
                told = number // self.parts
            yield row
        self.progress.advance(number // self.parts - told, detail=self.proof.table)

    def _hash(self, row: _Row) -> bytes:
        """24 bytes: eight of the hash of a row's key, then that of the whole row."""
        key = cells.fingerprint(self.key_columns, [row[at] for at in self.key])
        return key[:8] + cells.fingerprint(self.columns, row)

    def _hashed(self, rows: Iterator[_Row], part: int) -> _Hashes:
        """The hashes of the rows of one part, sorted."""
        found = bytearray()
        for row in rows:
            hashed = self._hash(row)
            if self.parts == 1 or int.from_bytes(hashed[:8], "little") % self.parts == part:
                found += hashed
        hashes: _Hashes = np.frombuffer(bytes(found), dtype=_ROW)
        return hashes[np.lexsort((hashes["low"], hashes["high"], hashes["key"]))]

    def _show(self, apart: _Apart) -> None:
        """Look at both sides once more, for what the rows that differ hold. They are counted already."""
        ours: _Shown = defaultdict(list)
        theirs: _Shown = defaultdict(list)
        for rows, wanted, into in (
            (self._source(tell=False), apart.ours, ours),
            (self._target(), apart.theirs, theirs),
        ):
            left = set(wanted)
            for row in rows:
                if left and (hashed := self._hash(row)) in left:
                    left.discard(hashed)
                    into[hashed[:8]].append((hashed, row))
        for key in ours.keys() & theirs.keys():
            for (_, mine), (_, other) in zip(ours[key], theirs[key], strict=False):
                self._values(mine, other)
            both = min(len(ours[key]), len(theirs[key]))
            del ours[key][:both], theirs[key][:both]
        for _, row in (each for rows in ours.values() for each in rows):
            self._kept(Difference(self.proof.table, "missing", self._name(row)))
        for hashed, row in (each for rows in theirs.values() for each in rows):
            what: What = "repeated" if hashed in apart.repeated else "extra"
            self._kept(Difference(self.proof.table, what, self._name(row)))

    def _values(self, mine: _Row, other: _Row) -> None:
        name = self._name(mine)
        differing = [
            Difference(self.proof.table, "value", name, column.name, *_apart(column, one, another))
            for column, one, another in zip(self.columns, mine, other, strict=True)
            if cells.canonical(column, one) != cells.canonical(column, another)
        ]
        self.proof.counts["value"] += len(differing) - 1  # of this row one is counted
        for difference in differing:
            self._kept(difference)

    def _kept(self, difference: Difference) -> None:
        if len(self.proof.shown) < SHOWN:
            self.proof.shown.append(difference)

    def _name(self, row: _Row) -> str:
        named = zip(self.key_columns, (row[at] for at in self.key), strict=True)
        return ", ".join(f"{column.name} {cells.show(column, cell):.60}" for column, cell in named)


def _compare(ours: _Hashes, theirs: _Hashes, apart: _Apart, proof: TableProof) -> None:
    """Count in what the two sides of one part differ, and pick some rows that shall be shown."""
    if np.array_equal(ours, theirs):
        return
    every, place = np.unique(np.concatenate([ours, theirs]), return_inverse=True)
    mine = np.bincount(place[: len(ours)], minlength=len(every))
    other = np.bincount(place[len(ours) :], minlength=len(every))
    repeated = (other > mine) & (mine > 0)
    lost = np.repeat(every, np.maximum(mine - other, 0))
    surplus = np.repeat(every[~repeated], np.maximum(other - mine, 0)[~repeated])
    keys, of_lost = np.unique(lost["key"], return_counts=True)
    others, of_surplus = np.unique(surplus["key"], return_counts=True)
    both, at, where = np.intersect1d(keys, others, assume_unique=True, return_indices=True)
    pairs = int(np.minimum(of_lost[at], of_surplus[where]).sum())
    found: dict[What, int] = {
        "value": pairs,
        "missing": len(lost) - pairs,
        "extra": len(surplus) - pairs,
        "repeated": int((other - mine)[repeated].sum()),
    }
    proof.counts.update({what: count for what, count in found.items() if count})
    for rows, into in ((lost, apart.ours), (surplus, apart.theirs)):
        for chosen in (rows[np.isin(rows["key"], both[:SHOWN])], rows[~np.isin(rows["key"], both)][:SHOWN]):
            into |= {row.tobytes() for row in chosen}
    again = {row.tobytes() for row in every[repeated][:SHOWN]}
    apart.theirs |= again
    apart.repeated |= again


def _apart(column: Column, one: Value, another: Value) -> tuple[str, str]:
    """Two values that differ, for people."""
    if column.kind == "json" and isinstance(one, str) and isinstance(another, str):
        shown = json_differing(one, another)
        if shown is not None:
            return shown
    return show_apart(cells.show(column, one), cells.show(column, another))
