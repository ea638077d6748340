"""Rows of a series, from kept spans where the server says that they are as they were, else from the server.

All of an answer is of one moment: of the fingerprints' where every span is kept, else of one snapshot that
fingerprints and rows are read from. Only spans that have ended are kept, and only what was observed of a row.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trdinger.cache.files import Files, Kept
from trdinger.cache.fingerprints import Ask, Fingerprint, Layout, Rearranged, learn
from trdinger.cache.spans import Span, months_of, spans
from trdinger.declaration import Series
from trdinger.errors import TargetError
from trdinger.schema.shape import shape

log = logging.getLogger("trdinger.cache")

_FORM = "1"  # of what is said of a kept table; another number for each change of it
_TRIES = 2  # a chunk that came or went is no reason to do without
_WORTH = 2  # a span that is not kept is read whole for a question that wants half of it or more


@dataclass(frozen=True)
class Session:
    """A database that is asked over one connection, outside of anybody's transaction.

    live: rows of a series, [start, end), oldest first, from the server. snapshot: what is asked in the block
    is of the moment of its first question. All raise TargetError.
    """

    name: str
    ask: Ask
    live: Callable[[Series, tuple[str, ...], int, int, Sequence[str]], pa.Table]
    snapshot: Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class _Piece:
    """A part of a question: [start, end) of one span. kept: to be taken from a file, or put into one."""

    span: Span
    start: int
    end: int
    kept: bool

    @property
    def read(self) -> tuple[int, int]:
        """What of it is read from the server."""
        return (self.span.start, self.span.end) if self.kept else (self.start, self.end)


class Cache:
    """Kept spans of one database's series."""

    def __init__(self, files: Files, session: Session) -> None:
        self._files = files
        self._session = session
        self._layouts: dict[str, Layout | None] = {}

    def rows(
        self,
        series: Series,
        segment: tuple[str, ...],
        start: int | None,
        end: int | None,
        columns: Sequence[str],
    ) -> pa.Table | None:
        """Rows of one series with start <= time < end, oldest first; None where they are better asked for."""
        for _ in range(_TRIES):
            layout = self._layout(series)
            if layout is None or not set(columns) <= set(layout.columns):
                return None
            pieces = self._pieces(layout, segment, start, end)
            if not any(piece.kept for piece in pieces):
                return None
            try:
                return self._answer(layout, segment, pieces).select(list(columns))
            except Rearranged as error:
                log.info("%s: %s is learned anew. %s", self._session.name, series.table, error)
                del self._layouts[series.table]
        return None

    def _layout(self, series: Series) -> Layout | None:
        if series.table not in self._layouts:
            self._layouts[series.table] = None
            try:
                self._layouts[series.table] = learn(self._session.ask, series)
            except TargetError as error:
                log.info("%s: %s is not kept. %s", self._session.name, series.table, error)
        return self._layouts[series.table]

    def _pieces(
        self, layout: Layout, segment: tuple[str, ...], start: int | None, end: int | None
    ) -> list[_Piece]:
        since = layout.start if start is None else max(start, layout.start)
        until = layout.end if end is None else min(end, layout.end)
        if since >= until:
            return []
        now, group = time.time_ns() // 1000, self._group(layout, segment)
        pieces = []
        for span in spans(since, until, months_of(layout.series, segment)):
            first = span.start if start is None else max(span.start, start)
            last = span.end if end is None else min(span.end, end)
            worth = (last - first) * _WORTH >= span.end - span.start or self._files.has(group, span.name)
            pieces.append(_Piece(span, first, last, span.end <= now and worth and layout.usable(span)))
        return pieces

    def _answer(self, layout: Layout, segment: tuple[str, ...], pieces: Sequence[_Piece]) -> pa.Table:
        group = self._group(layout, segment)
        wanted = [piece.span for piece in pieces if piece.kept]
        if len(wanted) == len(pieces):
            found = layout.fingerprints(self._session.ask, segment, wanted)
            tables = [self._found(layout, group, *one) for one in zip(pieces, found, strict=True)]
            if all(table is not None for table in tables):
                return pa.concat_tables([table for table in tables if table is not None])
        fresh: list[tuple[Span, Fingerprint, pa.Table]] = []
        with self._session.snapshot():
            layout.hold(self._session.ask, [piece.span for piece in pieces])
            told = dict(zip(wanted, layout.fingerprints(self._session.ask, segment, wanted), strict=True))
            held = [
                self._found(layout, group, piece, told[piece.span]) if piece.kept else None
                for piece in pieces
            ]
            tables = []
            for run in _runs(pieces, held):
                if run.table is not None:
                    tables.append(run.table)
                    continue
                rows = self._session.live(layout.series, segment, run.start, run.end, layout.columns)
                tables.append(_within(rows, layout.series.time, run.pieces[0].start, run.pieces[-1].end))
                for piece in run.pieces:
                    if piece.kept and told[piece.span].same(told[piece.span]):
                        whole = _within(rows, layout.series.time, piece.span.start, piece.span.end)
                        fresh.append((piece.span, told[piece.span], whole))
        for span, fingerprint, table in fresh:
            about = {
                "series": {
                    "database": self._session.name,
                    "table": layout.series.table,
                    **dict(zip(layout.series.segment_by, segment, strict=True)),
                },
                "group": group,
                "span": span.name,
                "fingerprint": asdict(fingerprint),
            }
            self._files.keep(group, span.name, Kept(about, table))
        if fresh:
            self._files.shrink()
        return pa.concat_tables(tables)

    def _found(self, layout: Layout, group: str, piece: _Piece, now: Fingerprint) -> pa.Table | None:
        """The rows of a piece as they were kept, if that is how they are."""
        if not now.versions:
            return shape(layout.series.table).arrow(layout.columns).empty_table()

        def fits(about: dict[str, Any]) -> bool:
            return about["group"] == group and now.same(Fingerprint(**about["fingerprint"]))

        table = self._files.find(group, piece.span.name, fits)
        if table is None or (piece.start, piece.end) == (piece.span.start, piece.span.end):
            return table
        return _within(table, layout.series.time, piece.start, piece.end)

    def _group(self, layout: Layout, segment: tuple[str, ...]) -> str:
        """What all spans of one series have in common, and no other series has, of any database."""
        return "\0".join((_FORM, self._session.name, layout.database, layout.series.table, *segment))


@dataclass(frozen=True)
class _Run:
    """Pieces that follow each other: one that is held, or some that are read at once, [start, end)."""

    pieces: list[_Piece]
    table: pa.Table | None
    start: int
    end: int


def _runs(pieces: Sequence[_Piece], held: Sequence[pa.Table | None]) -> list[_Run]:
    runs: list[_Run] = []
    for piece, table in zip(pieces, held, strict=True):
        start, end = piece.read
        if table is None and runs and runs[-1].table is None and runs[-1].end == start:
            runs[-1] = _Run([*runs[-1].pieces, piece], None, runs[-1].start, end)
        else:
            runs.append(_Run([piece], table, start, end))
    return runs


def _within(table: pa.Table, time: str, start: int, end: int) -> pa.Table:
    """The rows of a sorted table with start <= time < end."""
    times = table.column(time).cast(pa.int64()).to_numpy()
    first, last = np.searchsorted(times, [start, end])
    return table.slice(int(first), int(last - first))
