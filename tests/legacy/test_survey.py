"""What a file holds: tables, columns, series and spans, whatever names and classes they have."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from legacy.conftest import CANDLE, File
from trdinger.declaration import SERIES, TABLES
from trdinger.errors import SourceError
from trdinger.legacy.check import unnamed
from trdinger.legacy.reading import series_reader
from trdinger.legacy.source import Source
from trdinger.legacy.survey import Survey, TableSurvey, spans, survey

SEED = 20_240_101


def candles(held: Survey) -> TableSurvey:
    table = held.table("ohlcv_data")
    assert table is not None
    return table


def ids_by_span(file: File, rows: int) -> list[list[int]]:
    """The ids that each span of each series holds, by reading it."""
    table = candles(survey(file.source))
    found = []
    with (
        file.source.connect() as connection,
        series_reader(file.source, table.shape, table.present) as reader,
    ):
        for series in table.series:
            for span, expected in spans(connection, table, series, rows):
                held = reader.read(span, rows=expected)
                assert held.bad == []
                found.append(held.table.column("id").to_pylist())
    return found


def test_a_sample_is_counted_as_sqlite3_counts_it(sample: File) -> None:
    held = survey(sample.source)
    assert [table.shape.name for table in held.tables] == list(TABLES)
    assert (held.missing, held.strangers, held.others) == ((), (), ())
    assert held.bytes == sample.path.stat().st_size
    for table in held.tables:
        name = table.shape.name
        assert [(table.rows,)] == sample.run(f"SELECT count(*) FROM {name}")
        columns = tuple(row[1] for row in sample.run(f"PRAGMA table_info({name})"))
        assert (table.present, table.absent) == (columns, ())
        if name in SERIES:
            segment, time = ", ".join(SERIES[name].segment_by), SERIES[name].time
            rows = sample.run(
                f"SELECT {segment}, count(*), min({time}), max({time}) FROM {name} GROUP BY {segment}"
            )
            assert [
                (*series.segment, series.rows, series.first, series.last) for series in table.series
            ] == rows
        else:
            assert table.series == ()
    assert held.rows == sum(table.rows for table in held.tables)


def test_the_real_legacy_file_holds_what_its_application_says(legacy_file: Path) -> None:
    held = survey(Source(legacy_file))
    counts = {table.shape.name: table.rows for table in held.tables}
    assert counts == {
        "ohlcv_data": 11_034,
        "funding_rate_data": 91,
        "open_interest_data": 100,
        "data_collection_log": 6,
        "backtest_results": 24,
        "ga_experiments": 4,
        "generated_strategies": 24,
        "strategy_showcase": 8,
        "strategy_templates": 0,
    }
    assert {series.segment: series.rows for series in candles(held).series} == {
        ("ETH/BTC", "5m"): 5_760,
        ("XRP/ETH", "1m"): 2_469,
        ("XRP/ETH", "5m"): 706,
        ("XRP/USDT:USDT", "5m"): 1_999,
        ("XRP/USDT:USDT", "1h"): 100,
    }


def test_tables_of_an_older_file_are_told_as_missing(file: File) -> None:
    for table in ("strategy_showcase", "strategy_templates"):
        file.run(f"DROP TABLE {table}")
    held = survey(file.source)
    assert held.missing == ("strategy_showcase", "strategy_templates")
    assert held.table("strategy_showcase") is None
    assert len(held.tables) == 7


def test_a_file_of_somebody_else_is_one_of_tables_that_trdinger_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE users (id)")
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("CREATE VIEW ohlcv_data AS SELECT * FROM users")
    held = survey(Source(path))
    assert [(table.stored, table.rows) for table in held.own] == [("users", 0)]
    assert (held.ours, held.missing, held.strangers) == ((), TABLES, ())
    assert held.others == (
        "view ohlcv_data",
        "table alembic_version, which is SQLite's or a migration tool's own",
    )


def test_a_file_of_nothing_that_can_be_moved_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
    with pytest.raises(SourceError, match=r"holds no table that can be moved \(table alembic_version"):
        survey(Source(path))


def test_what_trdinger_does_not_know_is_named(file: File) -> None:
    file.run('CREATE TABLE "my notes; -- " (id)')
    file.run('ALTER TABLE ohlcv_data ADD COLUMN "VWAP ""x"""')
    file.run("ALTER TABLE ga_experiments ADD COLUMN doubled AS (total_generations * 2)")
    held = survey(file.source)
    assert held.strangers == ('ohlcv_data.VWAP "x"', "ga_experiments.doubled")
    assert [table.stored for table in held.own] == ["my notes; -- "]
    assert candles(held).present == candles(held).shape.column_names


def test_a_column_that_may_be_null_may_be_missing(file: File) -> None:
    file.run("ALTER TABLE ohlcv_data DROP COLUMN updated_at")
    held = survey(file.source)
    assert candles(held).absent == ("updated_at",)
    assert "updated_at" not in candles(held).present


def test_every_column_that_may_not_be_missing_is_told_at_once(file: File) -> None:
    file.run("ALTER TABLE ohlcv_data DROP COLUMN volume")
    file.run("ALTER TABLE ohlcv_data DROP COLUMN updated_at")
    file.run("ALTER TABLE strategy_showcase DROP COLUMN gene_data")
    file.run("ALTER TABLE strategy_showcase DROP COLUMN parameters")
    with pytest.raises(SourceError) as refused:
        survey(file.source)
    for name in ("ohlcv_data.volume", "strategy_showcase.gene_data", "strategy_showcase.parameters"):
        assert name in refused.value.message
    assert "updated_at" not in refused.value.message


def test_names_in_other_letters_are_the_same_names(file: File) -> None:
    """As to SQLite, and so to the application."""
    file.candles({})
    file.run("ALTER TABLE ohlcv_data RENAME TO other")
    file.run("ALTER TABLE other RENAME TO OHLCV_Data")
    file.run("ALTER TABLE OHLCV_Data RENAME COLUMN symbol TO SYMBOL")
    file.run("ALTER TABLE OHLCV_Data RENAME COLUMN close TO Close")
    file.run("ALTER TABLE OHLCV_Data ADD COLUMN Vwap")
    held = survey(file.source)
    assert held.missing == ()
    assert held.strangers == ("OHLCV_Data.Vwap",)
    assert candles(held).present == candles(held).shape.column_names
    assert [series.segment for series in candles(held).series] == [("BTC/USDT:USDT", "1m")]


def test_a_letter_that_only_unicode_folds_makes_another_name(file: File) -> None:
    file.run('CREATE TABLE "bac\u212atest_results" (id)')
    assert [table.stored for table in survey(file.source).own] == ["bac\u212atest_results"]


def test_a_series_whose_name_does_not_fit_is_told_with_all_its_rows(file: File) -> None:
    """Blob beside text, invalid UTF-8, NUL, too long, a number: each by row, with its other faults."""
    file.untyped()
    symbols: list[Any] = [b"BTC/USDT:USDT", "B\x00", "X" * 51, 7, 0.5, None, b"BTC/USDT:USDT", "fits"]
    file.candles(*({"symbol": symbol} for symbol in symbols), {"timeframe": b"1m"})
    file.run("UPDATE ohlcv_data SET symbol = CAST(x'42ff' AS TEXT) WHERE id = 5")
    file.run("UPDATE ohlcv_data SET volume = 'n/a', timestamp = 'never' WHERE id = 7")
    table = candles(survey(file.source))
    assert [series.segment for series in table.series] == [("fits", "1m")]
    told = [bad for reject in unnamed(file.source, table) for bad in reject.reasons]
    assert table.unnamed == 8
    assert [(bad.rowid, bad.column, bad.reason.partition(":")[0]) for bad in told] == [
        (1, "symbol", "a blob in a text"),
        (2, "symbol", "a NUL character"),
        (3, "symbol", "longer than 50 characters"),
        (4, "symbol", "a number in a text"),
        (5, "symbol", "invalid UTF-8"),
        (6, "symbol", "null where none may be"),
        (7, "symbol", "a blob in a text"),
        (7, "timestamp", "not a time"),
        (7, "volume", "text in a number"),
        (9, "timeframe", "a blob in a text"),
    ]


def test_series_that_differ_in_case_only_are_two(file: File) -> None:
    file.run("DROP TABLE ohlcv_data")
    columns = ", ".join(f'"{name}" COLLATE NOCASE' for name in CANDLE)
    file.run(f"CREATE TABLE ohlcv_data (id INTEGER PRIMARY KEY, {columns})")
    file.candles({}, {"symbol": "btc/usdt:usdt"}, {"timeframe": "1M"})
    series = candles(survey(file.source)).series
    assert [(each.segment, each.rows) for each in series] == [
        (("BTC/USDT:USDT", "1M"), 1),
        (("BTC/USDT:USDT", "1m"), 1),
        (("btc/usdt:usdt", "1m"), 1),
    ]


@pytest.mark.parametrize("rows", [1, 7, 100, 5_000])
def test_spans_hold_every_row_once_oldest_first(sample: File, rows: int) -> None:
    if rows == 1:
        sample.run("DELETE FROM ohlcv_data WHERE id > 200")
    found = ids_by_span(sample, rows)
    assert sorted(each for span in found for each in span) == [
        key for (key,) in sample.run("SELECT id FROM ohlcv_data ORDER BY id")
    ]
    assert max(map(len, found)) <= rows
    in_order = sample.run("SELECT id FROM ohlcv_data ORDER BY symbol, timeframe, timestamp")
    assert [(each,) for span in found for each in span] == in_order


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 100])
def test_spans_hold_every_row_once_whatever_the_times_are(file: File, rows: int) -> None:
    """Numbers, other forms, repeated times: spans meet at stored values, in SQLite's own order."""
    rng = random.Random(SEED)
    file.untyped()
    forms = ["{d} {c}.000000", "{d} {c}", "{d}T{c}", "{d}T{c}Z", "{d} {c}+00:00"]
    times: list[Any] = [
        rng.choice(forms).format(d=f"2024-01-{rng.randrange(1, 9):02}", c=f"{rng.randrange(24):02}:00:00")
        for _ in range(60)
    ]
    times += [1_704_067_200 + at for at in range(20)] + [1_704_067_200.5, 1_704_067_200_017]
    rng.shuffle(times)
    file.candles(*({"timestamp": time} for time in times))
    found = ids_by_span(file, rows)
    assert sorted(each for span in found for each in span) == list(range(1, len(times) + 1))


def test_rows_without_a_time_are_in_no_span(file: File) -> None:
    file.untyped()
    file.candles(
        *({"timestamp": None} for _ in range(5)), *({"timestamp": f"2024-01-0{n}"} for n in range(1, 4))
    )
    table = candles(survey(file.source))
    assert (table.series[0].rows, table.series[0].last) == (8, "2024-01-03")
    assert ids_by_span(file, 2) == [[6, 7], [8]]
    file.run("DELETE FROM ohlcv_data WHERE id > 5")
    assert candles(survey(file.source)).series[0].first == "null"
    assert ids_by_span(file, 2) == [[]]


def test_times_that_cannot_be_a_bound_end_the_cutting_and_lose_no_row(file: File) -> None:
    file.untyped()
    file.candles(
        *({"timestamp": f"2024-01-0{n}"} for n in range(1, 4)), {"timestamp": b"\x00"}, {"timestamp": b"\x01"}
    )
    file.run("UPDATE ohlcv_data SET timestamp = CAST(x'ff' AS TEXT) WHERE id = 3")
    table = candles(survey(file.source))
    with (
        file.source.connect() as connection,
        series_reader(file.source, table.shape, table.present) as reader,
    ):
        held = [reader.read(span, rows=rows) for span, rows in spans(connection, table, table.series[0], 1)]
    assert [rows.table.column("id").to_pylist() for rows in held] == [[1], [2], []]
    assert [bad.rowid for rows in held for bad in rows.bad] == [3, 4, 5]
