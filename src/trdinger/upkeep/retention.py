"""Rows past the age that they are kept for: what they are, and their way into the archive.

Each chunk for itself, the oldest first, so that whatever stops it leaves whole chunks on either side and
running it again goes on. Needs no TimescaleDB: of a plain table ranges of time are taken as chunks are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from trdinger.archive.place import Place
from trdinger.archive.writing import Writing
from trdinger.declaration import SERIES
from trdinger.engine.connect import Database
from trdinger.progress import Progress
from trdinger.upkeep import pieces, record
from trdinger.upkeep.pieces import Piece
from trdinger.upkeep.retiring import retire


@dataclass(frozen=True)
class Planned:
    """A piece that is to go, and how many rows it has now."""

    piece: Piece
    rows: int

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        piece = self.piece
        return {
            "table": piece.series.table,
            "chunk": piece.relation if piece.chunk else None,
            "start": piece.start.isoformat(),
            "end": piece.end.isoformat(),
            "rows": self.rows,
        }


def plan(database: Database, keep: Mapping[str, timedelta | None]) -> list[Planned]:
    """What is past its age in the tables that have one. Writes nothing. Raises TargetError."""
    with database.connect(autocommit=True) as connection:
        return [
            Planned(piece, pieces.rows(connection, piece))
            for table, series in SERIES.items()
            if (age := keep.get(table)) is not None
            for piece in pieces.past(connection, series, age)
        ]


def run(database: Database, planned: list[Planned], place: Place, progress: Progress) -> Iterator[Planned]:
    """Archive and drop each piece in turn, and give it when it is done.

    Raises TargetError, EngineBusy where another process does the same, ArchiveError; what was given is done,
    and nothing else is lost.
    """
    database.capabilities.require("write")
    with database.connect(autocommit=True) as connection:
        owner = record.prepare(connection)
    with Writing(place, owner) as writing:
        with database.connect(autocommit=True) as connection:
            writing.settle(lambda token, relation: record.was_dropped(connection, token, relation))
        progress.stage("Archive", total=sum(one.rows for one in planned))
        for one in planned:
            rows = retire(database, one.piece, writing, str(place), progress)
            yield Planned(one.piece, rows)
