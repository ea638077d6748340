"""A damaged file: which rows of each table can still be read, against a look at every single row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from legacy.conftest import File
from trdinger.errors import SourceDamaged
from trdinger.legacy.damage import Gap, TableDamage, by_table, telling
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey

PAGE = 4096  # bytes, as the application's files have them
LEAF, INTERIOR = 13, 5  # what the first byte of a table's page says
HEADER = 100  # bytes before that byte on the first page


def pages(path: Path, kind: int, holding: bytes = b"") -> list[int]:
    """The numbers, from 0, of a file's pages of a kind that hold some bytes."""
    whole = path.read_bytes()
    return [
        at
        for at in range(1, len(whole) // PAGE)
        if whole[at * PAGE] == kind and holding in whole[at * PAGE : (at + 1) * PAGE]
    ]


def leaves(file: File, table: str) -> list[int]:
    """The numbers, from 0, of a table's leaf pages in the order of its rows."""
    whole = file.path.read_bytes()

    def below(page: int) -> list[int]:
        at = page * PAGE
        if whole[at] == LEAF:
            return [page]
        cells = int.from_bytes(whole[at + 3 : at + 5], "big")
        starts = [int.from_bytes(whole[at + 12 + 2 * n : at + 14 + 2 * n], "big") for n in range(cells)]
        places = [*(at + start for start in starts), at + 8]
        return [
            leaf for place in places for leaf in below(int.from_bytes(whole[place : place + 4], "big") - 1)
        ]

    return below(file.run("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))[0][0] - 1)


def ruin(path: Path, *numbers: int, content: bytes = b"\xff" * PAGE) -> None:
    with path.open("rb+") as file:
        for number in numbers:
            file.seek(number * PAGE)
            file.write(content)


def rows_one_by_one(path: Path, table: str, among: range) -> set[int]:
    """The rowids that sqlite3 gives with all their columns when each is asked for alone."""
    found = set()
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = bytes
        for rowid in among:
            try:
                row = connection.execute(
                    f"SELECT * FROM {table} NOT INDEXED WHERE rowid = ?", (rowid,)
                ).fetchone()
            except sqlite3.DatabaseError:
                continue
            if row is not None:
                found.add(rowid)
    return found


def covered(gaps: tuple[Gap, ...], among: range) -> set[int]:
    """The rowids that gaps hold."""
    return {
        rowid
        for gap in gaps
        for rowid in among
        if (gap.first is None or rowid >= gap.first) and (gap.last is None or rowid <= gap.last)
    }


def of(found: list[TableDamage], table: str) -> TableDamage:
    (one,) = [each for each in found if each.table == table]
    return one


def ids(file: File) -> range:
    return range(1, file.run("SELECT max(rowid) FROM ohlcv_data")[0][0] + 1)


@pytest.mark.parametrize("which", [[0], [1], [7, 8, 9], [3, 20], [-1], [0, -1]], ids=str)
def test_every_row_is_read_or_in_a_gap(sample: File, which: list[int]) -> None:
    among, held = ids(sample), rows_one_by_one(sample.path, "ohlcv_data", ids(sample))
    found = leaves(sample, "ohlcv_data")
    ruin(sample.path, *(found[at] for at in which))
    readable = rows_one_by_one(sample.path, "ohlcv_data", among)
    assert readable < held
    told = of(by_table(sample.source), "ohlcv_data")
    assert told.readable == len(readable)
    lost = covered(told.gaps, among)
    assert lost & held == held - readable
    assert not lost & readable
    assert sum(gap.rows or 0 for gap in told.gaps) == len(held - readable)


def test_whatever_is_behind_a_ruined_inner_page_is_told(sample: File) -> None:
    among, held = ids(sample), rows_one_by_one(sample.path, "ohlcv_data", ids(sample))
    for at in pages(sample.path, INTERIOR):
        whole = sample.path.read_bytes()
        ruin(sample.path, at)
        readable = rows_one_by_one(sample.path, "ohlcv_data", among)
        for told in by_table(sample.source):
            if told.table == "ohlcv_data":
                assert told.readable == len(readable)
                assert covered(told.gaps, among) & held == held - readable
        sample.path.write_bytes(whole)


def test_a_long_value_that_is_cut_takes_its_row_alone(file: File) -> None:
    row = {"strategy_name": "s", "symbol": "x", "timeframe": "1h", "start_date": "2024-01-01 00:00:00.000000",
           "end_date": "2024-01-02 00:00:00.000000", "initial_capital": 1.0, "config_json": "{}",
           "performance_metrics": "{}", "trade_history": "[]", "status": "completed"}  # fmt: skip
    file.insert("backtest_results", *(row | {"equity_curve": f'["{mark * 20_000}"]'} for mark in "abc"))
    whole = file.path.read_bytes()
    (inside, *_) = [
        at for at in range(len(whole) // PAGE) if b"b" * 4000 in whole[at * PAGE : (at + 1) * PAGE]
    ]
    with file.path.open("rb+") as pages_:  # where it goes on after this page: nowhere
        pages_.seek(inside * PAGE)
        pages_.write((1 << 30).to_bytes(4, "big"))
    told = of(by_table(file.source), "backtest_results")
    assert (told.readable, told.gaps) == (2, (Gap(2, 2, 1),))
    assert str(told) == ("backtest_results: 2 rows can be read; cannot be read: row 2 (1 by its index)")


def test_a_table_without_rowids_is_read_as_far_as_that_goes(file: File) -> None:
    file.run("CREATE TABLE w (k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID")
    with closing(sqlite3.connect(file.path)) as connection, connection:
        connection.executemany("INSERT INTO w VALUES (?, 'w')", [(f"{at:09}" * 20,) for at in range(500)])
    assert of(by_table(file.source), "w") == TableDamage("w", 500, ())
    ruin(file.path, pages_of_index(file, b"000000400")[-1])
    told = of(by_table(file.source), "w")
    assert 0 < told.readable < 500
    assert told.gaps == (Gap(None, None),)


def pages_of_index(file: File, holding: bytes) -> list[int]:
    return pages(file.path, 10, holding)


def test_a_column_called_rowid_is_not_taken_for_it(file: File) -> None:
    file.run("CREATE TABLE odd (rowid TEXT, oid TEXT)")
    file.run("INSERT INTO odd VALUES ('a', 'b'), ('c', 'd')")
    assert of(by_table(file.source), "odd") == TableDamage("odd", 2, ())


def test_a_damaged_index_loses_no_row(sample: File) -> None:
    ruin(sample.path, pages(sample.path, 10)[0])
    found = by_table(sample.source)
    assert all(not told.gaps for told in found)
    assert "none is lost" in str(found[0])


def test_a_sound_file_is_told_as_whole_and_stays_as_it_was(sample: File) -> None:
    before, heard = sample.state(), list[tuple[str, int]]()
    found = by_table(sample.source, tell=lambda table, rows: heard.append((table, rows)))
    assert {told.table: told.readable for told in found} == {
        told.table: sample.run(f"SELECT count(*) FROM {told.table}")[0][0] for told in found
    }
    assert dict(heard) == {told.table: told.readable for told in found}
    assert not any(told.gaps for told in found)
    assert sample.state() == before


def test_an_error_inside_is_told_by_table(sample: File) -> None:
    root = sample.run("SELECT rootpage FROM sqlite_master WHERE name = 'ohlcv_data'")[0][0]
    ruin(sample.path, root - 1)
    with pytest.raises(SourceDamaged) as told, telling(sample.source), sample.source.connect() as connection:
        connection.execute("SELECT * FROM ohlcv_data").fetchall()
    assert "is damaged: database disk image is malformed.\n" in told.value.message
    assert "\n  ohlcv_data: 0 rows can be read; cannot be read: all of it" in told.value.message
    assert "\n  ga_experiments: 12 rows can be read, none is lost" in told.value.message
    assert ".recover" in (told.value.hint or "")


def test_a_file_without_its_list_of_tables_says_so(sample: File) -> None:
    header = sample.path.read_bytes()[:HEADER]
    ruin(sample.path, 0, content=header + b"\xff" * (PAGE - HEADER))
    assert by_table(Source(sample.path)) == []
    with pytest.raises(SourceDamaged, match="Not even the list of its tables"), telling(sample.source):
        survey(sample.source)
