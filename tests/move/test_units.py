"""Units: together every row of the file, each once, cut the same way each time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from move.oracle import SERIES, TABLES
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.units import SeriesUnit, Sizes, units


@pytest.mark.parametrize("sizes", [Sizes(), Sizes(700, 7), Sizes(1, 1), Sizes(97, 3_000)], ids=str)
def test_every_row_is_in_one_unit(source: Path, sizes: Sizes) -> None:
    with closing(sqlite3.connect(source)) as file:
        file.execute("DELETE FROM generated_strategies WHERE id BETWEEN 20 AND 40")  # ids with a hole
        file.execute("DELETE FROM ohlcv_data WHERE id > 400")
        file.execute("DELETE FROM open_interest_data WHERE id > 100")
        file.commit()
        cut = list(units(survey(Source(source)), sizes))
        for table in TABLES:
            found: list[int] = []
            for unit in cut:
                if unit.table.shape.name != table:
                    continue
                if isinstance(unit, SeriesUnit):
                    segment, time = SERIES[table]
                    where = " AND ".join(f"{name} = ?" for name in segment)
                    values, after, until = list(unit.span.segment), unit.span.after, unit.span.until
                else:
                    where, values, time, after, until = "1", [], "rowid", unit.within.after, unit.within.until
                for bound, comparison in ((after, ">"), (until, "<=")):
                    if bound is not None:
                        where += f" AND {time} {comparison} ?"
                        values.append(bound)
                rows = [row[0] for row in file.execute(f"SELECT id FROM {table} WHERE {where}", values)]
                limit = sizes.span_rows if table in SERIES else sizes.slice_rows
                assert len(rows) <= limit
                assert len(rows) == unit.rows
                found += rows
            assert sorted(found) == [row[0] for row in file.execute(f"SELECT id FROM {table} ORDER BY id")]


def test_they_are_cut_the_same_each_time_and_numbered_by_table(source: Path) -> None:
    first, second = (list(units(survey(Source(source)), Sizes(500, 10))) for _ in range(2))
    assert first == second
    for table in TABLES:
        numbers = [unit.number for unit in first if unit.table.shape.name == table]
        assert numbers == list(range(len(numbers)))
    assert [table for table in TABLES if any(unit.table.shape.name == table for unit in first)] == list(
        dict.fromkeys(unit.table.shape.name for unit in first)
    )
