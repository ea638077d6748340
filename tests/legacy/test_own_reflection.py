"""A user's own tables: what the catalog tells, and what of it translates."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from trdinger.legacy.own.choices import NOTHING, Choices
from trdinger.legacy.own.table import Own
from trdinger.legacy.source import Source
from trdinger.legacy.survey import Survey, survey
from trdinger.schema.own.description import Default, IndexColumn, OwnIndex


def test_tables_come_with_every_column_and_housekeeping_is_told(tmp_path: Path) -> None:
    held = surveyed(
        tmp_path,
        "CREATE TABLE alembic_version (version_num)",
        'CREATE TABLE "it""s (odd)"'
        ' (a INTEGER PRIMARY KEY AUTOINCREMENT, "b c", d AS (a + 1) STORED, e AS (2))',
        'INSERT INTO "it""s (odd)" ("b c") VALUES (1)',
        "CREATE VIRTUAL TABLE f USING fts5 (t)",
        "ANALYZE",
    )
    (own,) = owns(held)
    assert own.stored == 'it"s (odd)'
    assert own.columns == ("a", "b c", "d", "e")
    assert own.left == [
        "the expression of the generated column d, whose values are",
        "the expression of the generated column e, whose values are",
    ]
    told = " ".join(held.others)
    for name in ("alembic_version", "sqlite_sequence", "sqlite_stat1", "virtual table f", "f_content"):
        assert name in told


def test_a_key_that_is_the_rowid_is_numbered_from_the_highest_ever_given(tmp_path: Path) -> None:
    held = surveyed(
        tmp_path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "INSERT INTO a VALUES (7), (41)",
        "DELETE FROM a WHERE id = 41",
        "CREATE TABLE b (id INTEGER PRIMARY KEY)",
        "INSERT INTO b VALUES (7)",
        "CREATE TABLE c (id INT PRIMARY KEY)",
        "CREATE TABLE d (id INTEGER PRIMARY KEY)",
        "INSERT INTO d VALUES (-5)",
    )
    assert {own.stored: (own.table.identity, own.table.last_id) for own in owns(held)} == {
        "a": ("id", 41),
        "b": ("id", 7),
        "c": (None, 0),
        "d": ("id", 0),
    }
    assert all(own.table.primary == ("id",) for own in owns(held))


def test_a_primary_key_with_nulls_becomes_a_unique_index(tmp_path: Path) -> None:
    (own,) = owns(
        surveyed(tmp_path, "CREATE TABLE t (a, b, PRIMARY KEY (b, a))", "INSERT INTO t VALUES (NULL, 1)")
    )
    assert own.table.primary == ()
    assert own.table.indexes == (OwnIndex("t_b_a_key", (IndexColumn("b"), IndexColumn("a")), unique=True),)
    assert own.said == ["its primary key holds nulls, as SQLite allows: it becomes a unique index"]


def test_indexes_translate_or_are_told(tmp_path: Path) -> None:
    (own,) = owns(
        surveyed(
            tmp_path,
            "CREATE TABLE t (a TEXT UNIQUE, b TEXT COLLATE NOCASE, c INTEGER, UNIQUE (b, c))",
            "CREATE INDEX plain ON t (a, c DESC)",
            "CREATE INDEX expression ON t (lower(a))",
            "CREATE INDEX some ON t (a) WHERE c > 1",
            "CREATE UNIQUE INDEX trimmed ON t (a COLLATE RTRIM)",
        )
    )
    assert set(own.table.indexes) == {
        OwnIndex("t_a_key", (IndexColumn("a"),), unique=True),
        OwnIndex("t_b_c_key", (IndexColumn("b", folded=True), IndexColumn("c")), unique=True),
        OwnIndex("plain", (IndexColumn("a"), IndexColumn("c", descending=True)), unique=False),
        OwnIndex("trimmed", (IndexColumn("a"),), unique=True),
    }
    assert set(own.left) == {"index expression, which is of an expression", "index some, which is partial"}
    assert "index trimmed compared a by RTRIM: now exactly" in own.said
    assert "compared some columns by NOCASE: comparisons are exact now" in own.said


def test_defaults_translate_or_are_told(tmp_path: Path) -> None:
    (own,) = owns(
        surveyed(
            tmp_path,
            """CREATE TABLE t (
            a INTEGER DEFAULT -1, b TEXT DEFAULT 'it''s', c REAL DEFAULT '1.5', d BOOLEAN DEFAULT TRUE,
            e DATETIME DEFAULT CURRENT_TIMESTAMP, f TEXT DEFAULT (upper('x')), g BLOB DEFAULT x'00ff',
            h INTEGER DEFAULT NULL, i DATETIME DEFAULT '2024-01-01 00:00:00',
            j TEXT DEFAULT CURRENT_TIMESTAMP, k INTEGER DEFAULT 'many', l DATE DEFAULT CURRENT_DATE)""",
        )
    )
    assert own.table.defaults == (
        Default("a", -1),
        Default("b", "it's"),
        Default("c", 1.5),
        Default("d", True),
        Default("e", moment=True),
        Default("g", b"\x00\xff"),
        Default("i", 1_704_067_200_000_000),
        Default("j", moment=True),
    )
    assert own.left == [
        "the default of f, upper('x')",
        "the default of k, 'many'",
        "the default of l, CURRENT_DATE",
    ]


def test_checks_are_told_and_words_in_texts_are_not(tmp_path: Path) -> None:
    (own,) = owns(
        surveyed(
            tmp_path,
            "CREATE TABLE t (a CHECK (a > (1 + 2)), b DEFAULT 'CHECK (no)', \"CHECK (x)\","
            " /* CHECK (no) */ c, -- CHECK (no)\n CONSTRAINT d CHECK(b <> ')'))",
        )
    )
    assert own.left == ["CHECK (a > (1 + 2))", "CHECK (b <> ')')"]


def test_references_translate_where_the_rows_have_their_parents(tmp_path: Path) -> None:
    held = surveyed(
        tmp_path,
        "CREATE TABLE child (a INTEGER REFERENCES Parent ON DELETE CASCADE ON UPDATE SET NULL,"
        " b TEXT REFERENCES parent (name), c INTEGER REFERENCES parent (rank), d TEXT REFERENCES parent,"
        " e INTEGER REFERENCES nowhere, up INTEGER REFERENCES child (id), id INTEGER PRIMARY KEY)",
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT UNIQUE, rank INTEGER)",
        "CREATE TABLE orphans (a INTEGER REFERENCES parent)",
        "INSERT INTO parent VALUES (1, 'one', 1)",
        "INSERT INTO child (a, b, up, id) VALUES (1, 'one', 5, 5), (NULL, NULL, NULL, 6)",
        "INSERT INTO orphans VALUES (1), (2), (3)",
    )
    child, _, lonely = owns(held)
    assert [(key.columns, key.table, key.referred) for key in child.table.foreign] == [
        (("up",), "child", ("id",)),
        (("b",), "parent", ("name",)),
        (("a",), "parent", ("id",)),
    ]
    assert (child.table.foreign[2].on_delete, child.table.foreign[2].on_update) == ("CASCADE", "SET NULL")
    assert child.left == [
        "the reference (e) to nowhere: nowhere does not move",
        "the reference (d) to parent: its columns and those of parent have different types",
        "the reference (c) to parent: (rank) of parent is no key",
    ]
    assert lonely.table.foreign == ()
    assert lonely.left == ["the reference (a) to parent: some rows refer to a row that is not there: 2"]


def test_the_keys_of_a_hypertable_are_widened_by_its_time(tmp_path: Path) -> None:
    held = surveyed(
        tmp_path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER, name TEXT UNIQUE)",
        "CREATE TABLE child (t INTEGER REFERENCES t)",
        "INSERT INTO t VALUES (1, 1700000000, 'a'), (2, 1700000000 + 400 * 86400, 'b')",
        choices=NOTHING.hypertables(["t:AT:name"]),
    )
    own, child = owns(held)
    assert own.table.series is not None
    assert (own.table.series.time, own.table.series.segment_by) == ("at", ("name",))
    assert own.table.series.chunk == timedelta(days=30)
    assert own.table.primary == ("id", "at")
    assert own.table.indexes[0].columns == (IndexColumn("name"), IndexColumn("at"))
    assert own.said == [
        "its primary key is widened by at, as those of a hypertable must be",
        "its UNIQUE key is widened by at, as those of a hypertable must be",
    ]
    assert child.left == ["the reference (t) to t: t is a hypertable"]


def test_names_that_cannot_be_had_are_told(tmp_path: Path) -> None:
    long = "l" * 70
    (own,) = owns(surveyed(tmp_path, f'CREATE TABLE "{long}" ("", xmin, "{long}")'))
    assert own.table.name != long
    assert len(own.table.name) == 63
    assert own.said == [
        f"is called {own.table.name} in the target",
        "column (without a name) is called column in the target",
        f"column xmin is called {own.table.shape.column_names[1]} in the target",
        f"column {long} is called {own.table.shape.column_names[2]} in the target",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (rowid, _rowid_, oid)",
        "CREATE TABLE t (" + ", ".join(f"c{n}" for n in range(1601)) + ")",
    ],
)
def test_a_table_that_cannot_be_moved_is_told(tmp_path: Path, statement: str) -> None:
    held = surveyed(tmp_path, statement, "CREATE TABLE u (a)")
    assert [table.stored for table in held.own] == ["u"]
    assert held.others[-1].startswith("table t: ")


def test_a_table_that_is_left_behind_is_told_and_decided_so_again(tmp_path: Path) -> None:
    held = surveyed(
        tmp_path, "CREATE TABLE t (a)", "CREATE TABLE u (a)", choices=NOTHING.leaving(["T", "elsewhere"])
    )
    assert [table.stored for table in held.own] == ["u"]
    assert held.others == ("table t",)
    again = survey(held.source, held.choices)
    assert [table.stored for table in again.own] == ["u"]


def test_the_same_file_gives_the_same_tables_by_its_own_choices(tmp_path: Path) -> None:
    held = surveyed(
        tmp_path,
        "CREATE TABLE t (a NOT NULL, b DATETIME, c, PRIMARY KEY (b))",
        "INSERT INTO t VALUES (1, NULL, 'x'), ('y', '2024-01-01', 5)",
    )
    again = survey(held.source, held.choices)
    assert [own.table for own in owns(again)] == [own.table for own in owns(held)]


def surveyed(folder: Path, *statements: str, choices: Choices = NOTHING) -> Survey:
    path = folder / "file.db"
    with closing(sqlite3.connect(path)) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()
    return survey(Source(path), choices)


def owns(held: Survey) -> list[Own]:
    return [table.own for table in held.own if table.own is not None]
