"""Chunks past their age, compressed: those that are not yet, and those that got loose rows since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from trdinger.declaration import SERIES
from trdinger.schema import bulk, timescale
from trdinger.upkeep import pieces
from trdinger.upkeep.pieces import Piece


@dataclass(frozen=True)
class Compressed:
    """A chunk and its size with indexes, before and after; after is None while it is not done."""

    piece: Piece
    before: int
    after: int | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        piece = self.piece
        return {
            "table": piece.series.table,
            "chunk": piece.relation,
            "start": piece.start.isoformat(),
            "end": piece.end.isoformat(),
            "bytes_before": self.before,
            "bytes_after": self.after,
        }


def due(connection: psycopg.Connection[Any], after: Mapping[str, timedelta | None]) -> list[Compressed]:
    """The chunks past their age that are to be compressed, the oldest of each table first.

    Of tables that are hypertables with compression switched on; the others have none.
    """
    found: list[Compressed] = []
    for table, series in SERIES.items():
        age = after.get(table)
        state = timescale.hypertable(connection, table) if age is not None else None
        if age is None or state is None or state.compression is None:
            continue
        found += [
            Compressed(piece, _size(connection, piece))
            for piece in pieces.past(connection, series, age)
            if not piece.compressed or _loose(connection, piece)
        ]
    return found


def compress(connection: psycopg.Connection[Any], planned: list[Compressed]) -> Iterator[Compressed]:
    """Compress each in turn, in a transaction of its own on a connection in autocommit."""
    for one in planned:
        with connection.transaction():
            bulk.compress(connection, one.piece.relation)
        yield Compressed(one.piece, one.before, _size(connection, one.piece))


def _loose(connection: psycopg.Connection[Any], piece: Piece) -> bool:
    """Whether a compressed chunk has rows beside its compressed ones."""
    row = connection.execute(f"SELECT EXISTS (SELECT FROM ONLY {piece.relation})".encode()).fetchone()
    return bool(row and row[0])


def _size(connection: psycopg.Connection[Any], piece: Piece) -> int:
    row = connection.execute(
        "SELECT sum(total_bytes)::bigint FROM chunks_detailed_size(%s::text::regclass)"
        " WHERE format('%%I.%%I', chunk_schema, chunk_name) = %s",
        (timescale.quoted(piece.series.table), piece.relation),
    ).fetchone()
    return int(row[0] or 0) if row else 0
