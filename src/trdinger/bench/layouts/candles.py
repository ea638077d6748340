"""The candles that every layout gets: read once, kept in memory, by series and by time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from trdinger.declaration import OHLCV
from trdinger.legacy.reading import series_reader
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.units import SeriesUnit, Sizes, units

VALUES = (OHLCV.time, "open", "high", "low", "close", "volume")
_UPSERTED = 1_000  # candles that come late, or corrected, at once


@dataclass
class Candles:
    """Units of rows by series, the longest series first.

    late: candles of the longest series that follow each other and that no layout gets at first.
    corrected: as many others, known ones with another volume. Both hold the key and what was observed.
    """

    units: dict[tuple[str, ...], list[pa.Table]]
    late: pa.Table
    corrected: pa.Table

    @property
    def rows(self) -> int:
        return sum(part.num_rows for parts in self.units.values() for part in parts)

    @cached_property
    def series(self) -> dict[tuple[str, ...], pa.Table]:
        """What was observed, by series."""
        return {
            segment: pa.concat_tables(parts).select(VALUES).combine_chunks()
            for segment, parts in self.units.items()
        }

    @property
    def longest(self) -> tuple[tuple[str, ...], pa.Table]:
        """The series that is asked for: its segment and what was observed."""
        return next(iter(self.series.items()))


def candles(file: Path) -> Candles:
    """Read the candles of a file. Raises SourceError."""
    source = Source(file, immutable=True)
    read: dict[tuple[str, ...], list[pa.Table]] = {}
    for unit in units(survey(source), Sizes()):
        if not isinstance(unit, SeriesUnit) or unit.table.shape.series != OHLCV:
            continue
        with series_reader(source, unit.table.shape, unit.table.present) as reader:
            read.setdefault(unit.span.segment, []).append(reader.read(unit.span, rows=unit.rows).table)
    longest = sorted(read, key=lambda segment: -sum(part.num_rows for part in read[segment]))
    return _without_late({segment: read[segment] for segment in longest})


def _without_late(read: dict[tuple[str, ...], list[pa.Table]]) -> Candles:
    segment, parts = next(iter(read.items()))
    whole = pa.concat_tables(parts)
    count = min(_UPSERTED, whole.num_rows // 8)
    middle = whole.num_rows // 2
    late, known = whole.slice(middle, count), whole.slice(middle // 2, count)
    first, last = late.column(OHLCV.time)[0], late.column(OHLCV.time)[-1]
    kept = []
    for part in parts:
        moments = part.column(OHLCV.time)
        kept.append(part.filter(pc.or_(pc.less(moments, first), pc.greater(moments, last))))
    read[segment] = kept
    volume = pc.add(known.column("volume"), 1.0)
    known = known.set_column(known.column_names.index("volume"), "volume", volume)
    return Candles(read, _keyed(late, segment), _keyed(known, segment))


def _keyed(rows: pa.Table, segment: tuple[str, ...]) -> pa.Table:
    named = [pa.repeat(pa.scalar(value), rows.num_rows) for value in segment]
    columns = [rows.column(name) for name in VALUES]
    return pa.Table.from_arrays([*named, *columns], names=[*OHLCV.segment_by, *VALUES])
