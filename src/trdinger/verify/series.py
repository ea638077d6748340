"""Verify one series table: each series in slices of time, read back as the application reads it.

A slice is `segment = … AND time >= … AND time <= …`, both ends included; the slices tile
all of time, so that a row in none of the source's places is found too. They are cut
elsewhere than the units of a copy, and every series into several, so that a boundary falls
inside compressed batches: a batch whose bounds are wrong then loses rows, and is found.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from trdinger.legacy.reading import BadValue, SeriesReader, Span, increasing, series_reader, times
from trdinger.legacy.source import Source, quoted
from trdinger.legacy.survey import SeriesSurvey, TableSurvey, spans
from trdinger.progress import Progress
from trdinger.verify.compare import compare
from trdinger.verify.differences import Difference, TableProof

_SLICE_ROWS = 99_991  # at most: a prime, so that slices and copied units never meet twice
_SLICES = 8  # at least, of a series: more cuts through compressed batches
_LATEST = 100  # rows of the newest-first read
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Cut = list[tuple[Span, int]]


def verify_series(source: Source, table: TableSurvey, arrow: Any, progress: Progress) -> TableProof:
    """Compare every row of a series table. `arrow` is an ADBC connection to the target.

    Every row of the source is compared or told: their number is held against the file's own count.
    """
    proof = TableProof(table.shape.name)
    unfit = _Unfit(proof)
    unfit.tell(table.bad)
    held = 0
    with source.connect() as connection, series_reader(source, table.shape, table.present) as reader:
        for series in table.series:
            rows = min(_SLICE_ROWS, max(1, math.ceil(series.rows / _SLICES)))
            cut = list(spans(connection, table, series, rows))
            target = _Target(arrow, table, series, reader.names)
            told = partial(progress.advance, detail=f"{proof.table} {' '.join(series.segment)}")
            part = TableProof(proof.table)
            if not _by_slices(reader, target, cut, part, unfit=unfit, told=told):
                done, part = part.rows, TableProof(proof.table)
                _as_a_whole(reader, target, cut, part, unfit)
                told(part.rows - done)
            proof.take(part)
            held += target.rows
        unfit.tell(_timeless(connection, table))
    _unread(table, proof.rows + len(unfit.rows), proof)
    _strangers(arrow, table, held, proof)
    return proof


class _Unfit:
    """The rows of the source that the target cannot hold, each told once as missing there."""

    def __init__(self, proof: TableProof) -> None:
        self.rows: set[int] = set()
        self._proof = proof

    def tell(self, bad: Iterable[BadValue]) -> None:
        for one in bad:
            if one.rowid not in self.rows:
                self.rows.add(one.rowid)
                self._proof.add(
                    Difference(self._proof.table, "missing", f"row {one.rowid}", one.column, one.value)
                )


class _Target:
    """One series in the target, read by ranges of time. Counts the rows it gave."""

    def __init__(self, arrow: Any, table: TableSurvey, series: SeriesSurvey, names: tuple[str, ...]) -> None:
        assert table.shape.series is not None
        self.series = table.shape.series
        self.segment = series.segment
        self.schema = table.shape.arrow(names)
        self.rows = 0
        self._arrow = arrow
        self._table = table.shape.name
        self._names = names

    def read(self, after: int | None, until: int | None) -> pa.Table:
        """Rows with after < time <= until (microseconds, None for an open end), oldest first."""
        time = quoted(self.series.time)
        where, values = self._where()
        if after is not None:
            values.append(_EPOCH + timedelta(microseconds=after + 1))
            where.append(f"{time} >= ${len(values)}")
        if until is not None:
            values.append(_EPOCH + timedelta(microseconds=until))
            where.append(f"{time} <= ${len(values)}")
        table = self._select(f"WHERE {' AND '.join(where)} ORDER BY {time}", values)
        self.rows += table.num_rows
        return table

    def latest(self, limit: int) -> pa.Table:
        """The newest rows, oldest first."""
        time = quoted(self.series.time)
        where, values = self._where()
        table = self._select(f"WHERE {' AND '.join(where)} ORDER BY {time} DESC LIMIT {limit}", values)
        return table.take(pa.array(range(table.num_rows - 1, -1, -1), pa.int64()))

    def key(self, moment: int) -> str:
        """A row's name, from its time."""
        try:
            when = str(_EPOCH + timedelta(microseconds=moment))
        except OverflowError:  # the target's may be beyond what Python has a word for
            when = f"{moment} µs since 1970"
        return ", ".join([*self.segment, when])

    def _where(self) -> tuple[list[str], list[object]]:
        where = [f"{quoted(name)} = ${at}" for at, name in enumerate(self.series.segment_by, 1)]
        return where, [*self.segment]

    def _select(self, rest: str, values: list[object]) -> pa.Table:
        columns = ", ".join(map(quoted, self._names))
        with self._arrow.cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM {quoted(self._table)} {rest}", values)
            return cursor.fetch_arrow_table().cast(self.schema).combine_chunks()


def _by_slices(
    reader: SeriesReader,
    target: _Target,
    cut: _Cut,
    proof: TableProof,
    *,
    unfit: _Unfit,
    told: Callable[[int], object],
) -> bool:
    """Compare slice by slice; False when the source's order is not that of time."""
    time = target.series.time
    after: int | None = None
    last = None
    for at, (span, rows) in enumerate(cut):
        held = reader.read(span, rows=rows)
        moments = times(held.table, time)
        if len(moments) and (
            not increasing(moments, strictly=True) or (after is not None and int(moments[0]) <= after)
        ):
            return False
        unfit.tell(held.bad)
        until = int(moments[-1]) if len(moments) else after
        closing = at == len(cut) - 1
        if until is not None or closing:
            compare(
                held.table,
                target.read(after, None if closing else until),
                time=time,
                key=target.key,
                proof=proof,
            )
        after, last = until, held.table
        told(held.table.num_rows)
    if last is not None:
        _latest(last, target, proof)
    return True


def _latest(last: pa.Table, target: _Target, proof: TableProof) -> None:
    newest = last.slice(max(0, last.num_rows - _LATEST))
    seen = TableProof(proof.table)
    compare(newest, target.latest(newest.num_rows), time=target.series.time, key=target.key, proof=seen)
    if seen.differing and not proof.differing:
        seen.rows = seen.cells = 0  # compared before, by range
        proof.take(seen)


def _as_a_whole(reader: SeriesReader, target: _Target, cut: _Cut, proof: TableProof, unfit: _Unfit) -> None:
    """Compare a series in one piece: its file mixes forms of time, which sort otherwise than time does."""
    tables = []
    for span, rows in cut:
        held = reader.read(span, rows=rows)
        unfit.tell(held.bad)
        tables.append(held.table)
    target.rows = 0
    time = target.series.time
    whole = pa.concat_tables(tables).sort_by(time).combine_chunks()
    compare(whole, target.read(None, None), time=time, key=target.key, proof=proof)


def _timeless(connection: sqlite3.Connection, table: TableSurvey) -> Iterator[BadValue]:
    """Rows without a time: where a series has several spans, they are in none of them."""
    assert table.shape.series is not None
    time = table.shape.series.time
    statement = f"SELECT rowid FROM {quoted(table.shape.name)} WHERE {quoted(time)} IS NULL"
    for (rowid,) in connection.execute(statement):
        yield BadValue(table.shape.name, rowid, time, "null", "null where none may be")


def _unread(table: TableSurvey, given: int, proof: TableProof) -> None:
    """Hold the rows that were compared or told against the rows that the file counts."""
    if given == table.rows:
        return
    why = "no series gives the others" if given < table.rows else "it was written to meanwhile"
    key = f"the source counts {table.rows:,} rows, reading it series by series gave {given:,}: {why}"
    proof.add(Difference(proof.table, "unread", key))


def _strangers(arrow: Any, table: TableSurvey, held: int, proof: TableProof) -> None:
    """Find rows of the target that belong to none of the source's series, or that ranges did not give."""
    assert table.shape.series is not None
    name = quoted(table.shape.name)
    segment = ", ".join(map(quoted, table.shape.series.segment_by))
    with arrow.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {name}")
        count = cursor.fetchone()[0]
        if count == held:
            return
        cursor.execute(f"SELECT {segment}, count(*) FROM {name} GROUP BY {segment}")
        groups = cursor.fetchall()
    known = {series.segment for series in table.series}
    for *values, rows in groups:
        if tuple(values) not in known:
            proof.add(
                Difference(proof.table, "extra", f"{', '.join(map(str, values))}: {rows:,} rows of a series")
            )
        held += rows if tuple(values) not in known else 0
    if count != held:
        key = f"count(*) gives {count:,} rows, reading every range of time {held:,}"
        proof.add(Difference(proof.table, "repeated", key))
