"""Work units: a span of one series, or a slice of another table. Each is committed whole.

The units of a backup depend on the backup and on two sizes alone, so that a resumed
move cuts them as the first one did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trdinger.legacy.reading import Span
from trdinger.legacy.slices import Slice, slices
from trdinger.legacy.survey import SPAN_ROWS, Survey, TableSurvey, spans

SLICE_ROWS = 10_000  # rows of a slice of a small table; it is streamed, so JSON of any size is


@dataclass(frozen=True)
class Sizes:
    """How units are cut; kept in the ledger."""

    span_rows: int = SPAN_ROWS
    slice_rows: int = SLICE_ROWS


@dataclass(frozen=True)
class SeriesUnit:
    """A span of one series, of about `rows` rows."""

    table: TableSurvey
    number: int
    span: Span
    rows: int

    def __str__(self) -> str:
        return f"{self.table.shape.name} {' '.join(self.span.segment)} unit {self.number}"


@dataclass(frozen=True)
class SliceUnit:
    """A slice of a table that is no series, of about `rows` rows."""

    table: TableSurvey
    number: int
    within: Slice
    rows: int

    def __str__(self) -> str:
        return f"{self.table.shape.name} unit {self.number}"


Unit = SeriesUnit | SliceUnit


def units(survey: Survey, sizes: Sizes) -> Iterator[Unit]:
    """Every unit of a surveyed file, parents before children, series by series, oldest first."""
    with survey.source.connect() as connection:
        for table in survey.tables:
            if table.shape.series:
                number = 0
                for series in table.series:
                    for span, rows in spans(connection, table, series, sizes.span_rows):
                        yield SeriesUnit(table, number, span, rows)
                        number += 1
                continue
            for number, (within, rows) in enumerate(slices(connection, table, sizes.slice_rows)):
                yield SliceUnit(table, number, within, rows)
