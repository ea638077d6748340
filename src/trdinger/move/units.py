"""Work units: a span of one series, or a slice of a small table. Each is committed whole.

The units of a backup depend on the backup and on two sizes alone, so that a resumed
move cuts them as the first one did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trdinger.legacy.reading import Span
from trdinger.legacy.source import quoted
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
    """The rows of a small table with `after` < rowid <= `until`; None leaves that end open."""

    table: TableSurvey
    number: int
    after: int | None
    until: int | None
    rows: int

    def __str__(self) -> str:
        return f"{self.table.shape.name} unit {self.number}"


Unit = SeriesUnit | SliceUnit


def units(survey: Survey, sizes: Sizes) -> Iterator[Unit]:
    """Every unit of a surveyed file, parents before children, series by series, oldest first."""
    with survey.source.connect() as connection:
        for table in survey.tables:
            number = 0
            if table.shape.series:
                for series in table.series:
                    for span, rows in spans(connection, table, series, sizes.span_rows):
                        yield SeriesUnit(table, number, span, rows)
                        number += 1
                continue
            after: int | None = None
            left = table.rows
            name = quoted(table.shape.name)
            while left > sizes.slice_rows:
                beyond = f" WHERE rowid > {after}" if after is not None else ""
                (until,) = connection.execute(
                    f"SELECT rowid FROM {name}{beyond} ORDER BY rowid LIMIT 1 OFFSET {sizes.slice_rows - 1}"
                ).fetchone()
                yield SliceUnit(table, number, after, until, sizes.slice_rows)
                after, left, number = until, left - sizes.slice_rows, number + 1
            if left:
                yield SliceUnit(table, number, after, None, left)
