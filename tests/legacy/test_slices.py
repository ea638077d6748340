"""Slices of any table hold every row once, by rowid or by the key of a table without one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from trdinger.legacy import slices
from trdinger.legacy.source import Source, Text
from trdinger.legacy.survey import survey

TABLES = {
    "plain": ("CREATE TABLE t (a)", "INSERT INTO t SELECT value % 7 FROM n"),
    "gaps": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
        "INSERT INTO t SELECT value * value - 50, 1 FROM n",
    ),
    "hidden rowid": ("CREATE TABLE t (rowid, oid)", "INSERT INTO t SELECT 1, 2 FROM n"),
    "text key": (
        "CREATE TABLE t (k TEXT PRIMARY KEY, a) WITHOUT ROWID",
        "INSERT INTO t SELECT 'k' || value, 1 FROM n",
    ),
    "two keys": (
        "CREATE TABLE t (a, k TEXT, l INTEGER, PRIMARY KEY (k DESC, l)) WITHOUT ROWID",
        "INSERT INTO t SELECT 1, 'k' || (value % 5), value FROM n",
    ),
    "no case": (
        "CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID",
        "INSERT INTO t SELECT char(65 + value % 26 + 32 * (value % 2)) || value FROM n",
    ),
    "any kind": (
        "CREATE TABLE t (k PRIMARY KEY) WITHOUT ROWID",
        "INSERT INTO t SELECT CASE value % 5 WHEN 0 THEN value WHEN 1 THEN value + 0.5"
        " WHEN 2 THEN 't' || value WHEN 3 THEN CAST('b' || value AS BLOB)"
        " ELSE CAST(x'ff' || value AS TEXT) END FROM n",
    ),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
def test_slices_hold_every_row_once(tmp_path: Path, table: str, encoding: str) -> None:
    path = tmp_path / "file.db"
    statement, filling = TABLES[table]
    if encoding != "UTF-8" and table == "any kind":
        pytest.skip("text of invalid UTF-8 is in files of UTF-8 alone")
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"PRAGMA encoding = '{encoding}'")
        file.execute(statement)
        numbers = "WITH n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 100) "
        file.execute(numbers + filling)
        file.commit()
    held = survey(Source(path)).own[0]
    with held_open(path) as connection:
        whole = list(slices.rows(connection, held))
        assert len(whole) == 100
        assert len({name for name, _ in whole}) == 100, "each row has a name of its own"
        for size in (1, 7, 99, 100, 1000):
            cut = list(slices.slices(connection, held, size))
            assert sum(rows for _, rows in cut) == 100
            parts = [list(slices.rows(connection, held, within)) for within, _ in cut]
            assert [len(part) for part in parts] == [rows for _, rows in cut]
            assert [row for part in parts for row in part] == whole
        for name, cells in whole[::17]:
            assert slices.row(connection, held, name) == cells


def held_open(path: Path) -> closing[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    connection.text_factory = Text
    return closing(connection)
