"""Whether a file hangs together: the structure of its pages, and the indexes that a move reads by."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from tests.legacy.conftest import File

from trdinger.errors import SourceDamaged
from trdinger.legacy.check import check
from trdinger.legacy.integrity import agreement, integrity, structure
from trdinger.legacy.survey import survey

KEY = "uq_symbol_timeframe_timestamp"
TWIN = "idx_symbol_timeframe_timestamp"


def rewritten(sample: File, *statements: str) -> None:
    """Run statements with the schema writable: the way to make an index and its table disagree."""
    with closing(sqlite3.connect(sample.path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = on")
        for statement in statements:
            connection.execute(statement)


def spoiled(sample: File, change: str) -> None:
    """Change rows without either index of the natural key hearing of it."""
    names = f"{KEY}', '{TWIN}"
    with closing(sqlite3.connect(sample.path)) as connection:
        kept = connection.execute(
            f"SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE name IN ('{names}')"
        ).fetchall()
    rewritten(sample, f"DELETE FROM sqlite_master WHERE name IN ('{names}')")
    with closing(sqlite3.connect(sample.path)) as connection, connection:
        connection.execute(change)
    with closing(sqlite3.connect(sample.path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = on")
        connection.executemany("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", kept)


def test_a_sound_file_has_no_complaints(sample: File) -> None:
    assert integrity(sample.source) == []
    assert structure(sample.source) == []
    assert agreement(survey(sample.source)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DELETE FROM ohlcv_data WHERE id = 7", "rows, of which index"),
        ("UPDATE ohlcv_data SET symbol = 'DOGE/USDT:USDT' WHERE id = 7", "in 1 rows"),
        ("UPDATE ohlcv_data SET timestamp = '2019-01-01 00:00:00.000000' WHERE id < 4", "in 3 rows"),
        ("UPDATE ohlcv_data SET symbol = lower(symbol) WHERE id = 7", "in 1 rows"),
    ],
)
def test_an_index_that_a_move_reads_by_and_that_disagrees_with_its_table_is_told(
    sample: File, change: str, told: str
) -> None:
    spoiled(sample, change)
    assert structure(sample.source) == []  # which is why the index is walked
    complaints = agreement(survey(sample.source))
    assert told in complaints[0]
    assert KEY in complaints[0] or TWIN in complaints[0]


def test_a_row_more_than_an_index_knows_is_told(sample: File) -> None:
    columns = "symbol, timeframe, timestamp, open, high, low, close, volume"
    spoiled(
        sample,
        f"INSERT INTO ohlcv_data ({columns}) SELECT symbol, timeframe, '2031-01-01 00:00:00.000000', open,"
        " high, low, close, volume FROM ohlcv_data WHERE id = 7",
    )
    assert "rows, of which index" in agreement(survey(sample.source))[0]


def test_an_index_that_no_move_reads_by_does_not_hold_one_up(sample: File) -> None:
    rewritten(
        sample,
        "UPDATE sqlite_master SET sql = replace(sql, '(symbol)', '(timeframe)')"
        " WHERE name = 'ix_ohlcv_data_symbol'",
    )
    assert integrity(sample.source)
    assert agreement(survey(sample.source)) == []


def test_an_index_with_one_row_twice_in_place_of_another_is_found_where_rows_are_read(file: File) -> None:
    times = [f"2024-01-01 00:0{minute}:00.000000" for minute in range(4)]
    file.candles(*({"timestamp": time} for time in times))
    entries = [b"BTC/USDT:USDT1m" + time.encode() + bytes([row]) for row, time in enumerate(times, 1)]
    stored = file.path.read_bytes()
    assert stored.count(entries[2]) == 2  # in the two indexes of the natural key
    file.path.write_bytes(stored.replace(entries[2], entries[1]))
    held = survey(file.source)
    assert structure(file.source) == agreement(held) == []
    with pytest.raises(SourceDamaged, match="has row 2 twice"):
        check(held)


def test_the_small_tables_are_checked_whole(sample: File) -> None:
    rewritten(
        sample,
        "UPDATE sqlite_master SET sql = replace(sql, '(experiment_id)', '(fitness_score)')"
        " WHERE type = 'index' AND tbl_name = 'generated_strategies'",
    )
    assert any("missing from index" in line for line in agreement(survey(sample.source)))


def test_a_partial_index_and_one_of_expressions_are_left_to_sqlite(sample: File) -> None:
    sample.run(f"DROP INDEX {KEY}")
    sample.run(f"DROP INDEX {TWIN}")
    sample.run(
        "CREATE INDEX partial ON ohlcv_data (symbol, timeframe, timestamp) WHERE timestamp IS NOT NULL"
    )
    held = survey(sample.source)
    assert agreement(held) == []
    assert check(held).rejects == 0


def test_a_table_without_any_index_is_read_past_them(sample: File) -> None:
    names = [
        row[0] for row in sample.run("SELECT name FROM sqlite_master WHERE type = 'index' AND sql NOT NULL")
    ]
    for name in names:
        sample.run(f'DROP INDEX "{name}"')
    assert agreement(survey(sample.source)) == []
