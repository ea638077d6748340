"""Verify one series table: each series in slices of time, read back as the application reads it.

A slice is `segment = … AND time >= … AND time <= …`, both ends included; the slices tile
all of time, so that a row in none of the source's places is found too. They are cut
elsewhere than the units of a copy, and every series into several, so that a boundary falls
inside compressed batches: a batch whose bounds are wrong then loses rows, and is found.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from trdinger.crew import crew
from trdinger.engine.connect import Database
from trdinger.legacy.check import unnamed
from trdinger.legacy.judging import BadValue, Row
from trdinger.legacy.reading import SeriesReader, Span, increasing, series_reader, times
from trdinger.legacy.source import Source, quoted
from trdinger.legacy.survey import SeriesSurvey, TableSurvey, spans
from trdinger.progress import Progress
from trdinger.verify.compare import compare
from trdinger.verify.differences import Difference, TableProof

_SLICE_ROWS = 19_997  # at most: a prime, so that slices and copied units never meet twice
_SLICES = 8  # at least, of a series: more cuts through compressed batches
_LATEST = 100  # rows of the newest-first read
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Cut = list[tuple[Span, int]]


def verify_series(
    source: Source, table: TableSurvey, database: Database, progress: Progress, *, hands: int = 1
) -> TableProof:
    """Compare every row of a series table, series by series, over `hands` connections at once.

    Every row of the source is compared, told, or known as rejected: their number is held against the
    file's own count.
    """
    proof = TableProof(table.shape.name)
    unfit = _Unfit(proof, table.rejected)
    if table.unnamed > len(table.rejected):
        for reject in unnamed(source, table):
            unfit.tell(reject.reasons)

    def work(own: Iterator[tuple[int, SeriesSurvey]]) -> Generator[_Compared, None, None]:
        with (
            database.arrow() as arrow,
            source.connect() as connection,
            series_reader(
                source, table.shape, table.present, rules=table.rules, without=table.rejected
            ) as reader,
        ):
            for place, series in own:
                target = _Target(arrow, table, series, reader.names)
                yield from _compared(
                    place, series, table, connection=connection, reader=reader, target=target
                )

    parts: dict[int, TableProof] = {}
    held = 0
    with closing(
        crew(_mixed(table.series), work, hands=min(hands, len(table.series)), name="verify")
    ) as compared:
        for each in compared:
            progress.advance(each.rows, detail=f"{proof.table} {' '.join(each.series.segment)}")
            unfit.tell(each.bad)
            if each.proof is not None:
                parts[each.place] = each.proof
                held += each.held
    for place in sorted(parts):
        proof.take(parts[place])
    with source.connect() as connection:
        unfit.tell(_timeless(connection, table))
    _unread(table, proof.rows + len(unfit.rows) + len(table.rejected), proof)
    with database.arrow() as arrow:
        _strangers(arrow, table, held, proof)
    return proof


def _mixed(series: tuple[SeriesSurvey, ...]) -> list[tuple[int, SeriesSurvey]]:
    """Series by their places, small ones spread evenly between the large ones, the largest first.

    A row of a small series takes longer, so that a remaining time is right only where both come throughout.
    """
    every = sorted(enumerate(series), key=lambda each: -each[1].rows)
    mean = sum(one.rows for one in series) / max(1, len(series))
    large = [each for each in every if each[1].rows >= mean]
    small = every[len(large) :]
    return [each for at, one in enumerate(large) for each in (one, *small[at :: len(large)])]


@dataclass(frozen=True)
class _Compared:
    """A slice of a series was compared: rows that are done, values that do not fit. With the last of a
    series comes its proof, and how many rows of the target were held.
    """

    place: int
    series: SeriesSurvey
    rows: int
    bad: list[BadValue]
    proof: TableProof | None = None
    held: int = 0


def _compared(
    place: int,
    series: SeriesSurvey,
    table: TableSurvey,
    *,
    connection: sqlite3.Connection,
    reader: SeriesReader,
    target: _Target,
) -> Iterator[_Compared]:
    """Compare one series: by slices, or as a whole where the source's order is not that of time."""
    rows = min(_SLICE_ROWS, max(1, math.ceil(series.rows / _SLICES)))
    cut = list(spans(connection, table, series, rows))
    proof = TableProof(table.shape.name)
    done = 0
    try:
        for read, bad in _by_slices(reader, target, cut, proof):
            done += read
            yield _Compared(place, series, read, bad)
        more, bad = 0, []
    except _NotInOrder:
        proof = TableProof(table.shape.name)
        bad = _as_a_whole(reader, target, cut, proof)
        more = proof.rows - done
    yield _Compared(place, series, more, bad, proof, target.rows)


class _NotInOrder(Exception):
    """The source's order is not that of time."""


class _Unfit:
    """The rows of the source that the target cannot hold, each told once as missing there."""

    def __init__(self, proof: TableProof, rejected: frozenset[Row]) -> None:
        self.rows: set[Row] = set()
        self._proof = proof
        self._rejected = rejected

    def tell(self, bad: Iterable[BadValue]) -> None:
        for one in bad:
            if one.rowid not in self.rows and one.rowid not in self._rejected:
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
        self._replayed = np.array(
            [moment for *names, moment in table.replayed if tuple(names) == series.segment], dtype=np.int64
        )
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
        return self._without_replayed(table)

    def latest(self, limit: int) -> pa.Table:
        """The newest rows, oldest first."""
        time = quoted(self.series.time)
        where, values = self._where()
        more = limit + len(self._replayed)
        table = self._select(f"WHERE {' AND '.join(where)} ORDER BY {time} DESC LIMIT {more}", values)
        table = self._without_replayed(table).slice(0, limit)
        return table.take(np.arange(table.num_rows)[::-1])

    def key(self, moment: int) -> str:
        """A row's name, from its time."""
        try:
            when = str(_EPOCH + timedelta(microseconds=moment))
        except OverflowError:  # the target's may be beyond what Python has a word for
            when = f"{moment} µs since 1970"
        return ", ".join([*self.segment, when])

    def _without_replayed(self, table: pa.Table) -> pa.Table:
        """Less the rows that came later, mended: the source does not have them."""
        if not len(self._replayed):
            return table
        return table.filter(pa.array(~np.isin(times(table, self.series.time), self._replayed)))

    def _where(self) -> tuple[list[str], list[object]]:
        where = [f"{quoted(name)} = ${at}" for at, name in enumerate(self.series.segment_by, 1)]
        return where, [*self.segment]

    def _select(self, rest: str, values: list[object]) -> pa.Table:
        columns = ", ".join(map(quoted, self._names))
        with self._arrow.cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM {quoted(self._table)} {rest}", values)
            return cursor.fetch_arrow_table().cast(self.schema).combine_chunks()


def _by_slices(
    reader: SeriesReader, target: _Target, cut: _Cut, proof: TableProof
) -> Iterator[tuple[int, list[BadValue]]]:
    """Compare slice by slice; of each how many rows, and the values that do not fit. Raises _NotInOrder."""
    time = target.series.time
    after: int | None = None
    last = None
    for at, (span, rows) in enumerate(cut):
        held = reader.read(span, rows=rows)
        moments = times(held.table, time)
        if len(moments) and (
            not increasing(moments, strictly=True) or (after is not None and int(moments[0]) <= after)
        ):
            raise _NotInOrder
        until = int(moments[-1]) if len(moments) else after
        final = at == len(cut) - 1
        if until is not None or final:
            compare(
                held.table,
                target.read(after, None if final else until),
                time=time,
                key=target.key,
                proof=proof,
            )
        after, last = until, held.table
        yield held.table.num_rows, held.bad
    if last is not None:
        _latest(last, target, proof)


def _latest(last: pa.Table, target: _Target, proof: TableProof) -> None:
    newest = last.slice(max(0, last.num_rows - _LATEST))
    seen = TableProof(proof.table)
    compare(newest, target.latest(newest.num_rows), time=target.series.time, key=target.key, proof=seen)
    if seen.differing and not proof.differing:
        seen.rows = seen.cells = 0  # compared before, by range
        proof.take(seen)


def _as_a_whole(reader: SeriesReader, target: _Target, cut: _Cut, proof: TableProof) -> list[BadValue]:
    """Compare a series in one piece: its file mixes forms of time, which sort otherwise than time does."""
    tables, bad = [], []
    for span, rows in cut:
        held = reader.read(span, rows=rows)
        bad += held.bad
        tables.append(held.table)
    target.rows = 0
    time = target.series.time
    whole = pa.concat_tables(tables).sort_by(time).combine_chunks()
    compare(whole, target.read(None, None), time=time, key=target.key, proof=proof)
    return bad


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
    replayed = Counter(key[:-1] for key in table.replayed)
    for *values, rows in groups:
        if tuple(values) in known:
            continue
        held += rows
        if strange := rows - replayed[tuple(values)]:
            name = ", ".join(map(str, values))
            proof.add(Difference(proof.table, "extra", f"{name}: {strange:,} rows of a series"))
    if count != held:
        key = f"count(*) gives {count:,} rows, reading every range of time {held:,}"
        proof.add(Difference(proof.table, "repeated", key))
