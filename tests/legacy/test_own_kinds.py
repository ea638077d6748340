"""The type of a column: the one that loses nothing of what it is declared as and what it holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trdinger.errors import UsageError
from trdinger.legacy.own.catalog import DeclaredColumn
from trdinger.legacy.own.choices import Choices, TableChoice
from trdinger.legacy.own.kinds import affinity, forced, told
from trdinger.legacy.own.table import Own
from trdinger.legacy.source import Source
from trdinger.legacy.survey import TableSurvey, survey
from trdinger.schema.own.description import type_of

FAR = 2**53 + 1  # an integer that no float holds

CASES: list[tuple[str, list[Any], str]] = [
    ("INTEGER", [1, -(2**63), 2**63 - 1], "bigint"),
    ("INTEGER", [1, 1.5], "double precision"),
    ("INTEGER", [FAR, 1.5], "text"),
    ("INTEGER", [1, "one"], "text"),
    ("REAL", [1, 2.5, float("inf"), -0.0], "double precision"),
    ("DECIMAL(10, 2)", [10, 20], "double precision"),
    ("DECIMAL(10, 2)", [10, 20.25], "double precision"),
    ("NUMERIC", [FAR], "bigint"),
    ("TEXT", ["a", "b"], "text"),
    ("VARCHAR(3)", ["abc", "äöü"], "varchar(3)"),
    ("NVARCHAR(3)", ["abcd"], "text"),
    ("", [1, 2], "bigint"),
    ("", ["a"], "text"),
    ("", [b"\x00"], "bytea"),
    ("BLOB", [b"\x00", b""], "bytea"),
    ("BLOB", ["text"], "text"),
    ("BLOB", [b"a", b"b", "c"], "bytea"),
    ("BLOB", ["a", "b", b"c"], "text"),
    ("DATETIME", ["2024-01-01 00:00:00", "2024-01-01T00:00:00Z"], "timestamptz"),
    ("DATETIME", [1_700_000_000, 1_700_000_000_000], "timestamptz"),
    ("DATETIME", ["2024-01-01 00:00:00", "soon"], "text"),
    ("DATETIME", ["2024-01-01 24:00:00"], "text"),
    ("TIMESTAMP", [1, 2], "bigint"),
    ("TIMESTAMP", [1_700_000_000.5], "timestamptz"),
    ("TIMESTAMP", [1_700_000_000.123456789e3], "double precision"),
    ("DATE", ["2024-02-29", "0001-01-01"], "date"),
    ("DATE", ["2024-02-29", "2024-02-29 12:00:00"], "timestamptz"),
    ("DATE", ["2023-02-29"], "text"),
    ("BOOLEAN", [0, 1], "boolean"),
    ("BOOLEAN", [0, 1, 2], "bigint"),
    ("BOOLEAN", ["true"], "text"),
    ("JSON", ['{"a": 1}', "[1.50]"], "jsonb"),
    ("JSON", ['{"a": 1}', "{"], "text"),
    ("JSON", ['{"a": NaN}'], "text"),
    ("JSON", ['{"a": 1, "a": 2}'], "text"),
]
EMPTY = [
    ("INTEGER", "bigint"),
    ("DOUBLE", "double precision"),
    ("VARCHAR(7)", "varchar(7)"),
    ("", "text"),
    ("BLOB", "bytea"),
    ("DATETIME", "timestamptz"),
    ("DATE", "date"),
    ("BOOLEAN", "boolean"),
    ("JSON", "jsonb"),
    ("NUMERIC", "double precision"),
]


@pytest.mark.parametrize(("declared", "values", "expected"), CASES)
def test_the_type_loses_nothing(tmp_path: Path, declared: str, values: list[Any], expected: str) -> None:
    own = reflected(tmp_path, declared, [*values, None])
    assert type_of(own.table.shape.column("c")) == expected


@pytest.mark.parametrize(("declared", "expected"), EMPTY)
def test_a_column_without_values_has_the_type_that_is_declared(
    tmp_path: Path, declared: str, expected: str
) -> None:
    for values in ([], [None]):
        assert type_of(reflected(tmp_path, declared, values).table.shape.column("c")) == expected


def test_before_any_look_types_are_as_declared(tmp_path: Path) -> None:
    path = written(tmp_path, "INTEGER", ["text"])
    assert type_of(own_of(survey(Source(path), look=False).own[0]).table.shape.column("c")) == "bigint"


@pytest.mark.parametrize(
    ("declared", "values", "sentence"),
    [
        ("INTEGER", [1, "one"], "holds numbers (1) beside texts (1): text, with each number's literal"),
        ("INTEGER", [FAR, 1.5], "holds fractions beside integers that no float holds exactly"),
        ("VARCHAR(2)", ["abc"], "is declared VARCHAR(2) and holds 3 characters: text"),
        ("BLOB", [b"a", "b"], "holds blobs, mostly; values of other kinds do not fit: 1"),
        ("TEXT", ["a", "b", b"c"], "holds blobs among other values, which do not fit: 1"),
    ],
)
def test_what_a_column_holds_otherwise_is_told(
    tmp_path: Path, declared: str, values: list[Any], sentence: str
) -> None:
    assert any(sentence in said for said in reflected(tmp_path, declared, values).said)


def test_nulls_where_none_should_be_are_allowed_and_told(tmp_path: Path) -> None:
    """SQLite checks NOT NULL when it writes, and a schema can be written to, too."""
    path = written(tmp_path, "TEXT", [None, "a"])
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA writable_schema = on")
        file.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE t (c TEXT NOT NULL)' WHERE name = 't'")
        file.commit()
    own = own_of(survey(Source(path)).own[0])
    assert own.table.shape.column("c").nullable
    assert own.said == ["column c holds nulls although it is NOT NULL, so it may be null: 1"]
    assert own.choice.types == {"c": "text null"}


def test_a_type_that_a_person_asks_for_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path, "TEXT", ["1", "2"])
    choices = Choices({"T": TableChoice(types={"C": "varchar( 5 )"})})
    assert type_of(own_of(survey(Source(path), choices).own[0]).table.shape.column("c")) == "varchar(5)"
    for wrong in ("int", "varchar(0)", "varchar(99999999999)", ""):
        with pytest.raises(UsageError, match="is no type that a column can have"):
            survey(Source(path), Choices({"t": TableChoice(types={"c": wrong})}))


@pytest.mark.parametrize("type_name", ["bigint", "bigint null", "varchar(9) null", "jsonb", "text null"])
def test_a_type_is_told_as_it_is_taken(type_name: str) -> None:
    column = DeclaredColumn("c", "", not_null=True, default=None, key=0, generated=False)
    assert told(column, forced(column, "c", type_name)) == type_name


@pytest.mark.parametrize(
    "declared",
    [
        "INT",
        "BIGINT UNSIGNED",
        "CHARINT",
        "FLOATING POINT",
        "VARCHAR(9)",
        "CLOB",
        "BLOB",
        "",
        "DOUBLE",
        "STRING",
    ],
)
def test_affinities_are_those_of_sqlite(declared: str) -> None:
    """SQLite is asked: what it makes of '12.0' and of 12 tells a column's affinity."""
    with closing(sqlite3.connect(":memory:")) as file:
        file.execute(f"CREATE TABLE t (c {declared})")
        file.execute("INSERT INTO t VALUES ('12.5'), (12), ('12.0')")
        kinds = tuple(row[0] for row in file.execute("SELECT typeof(c) FROM t"))
    expected = {
        ("real", "integer", "integer"): {"integer", "numeric"},
        ("real", "real", "real"): {"real"},
        ("text", "text", "text"): {"text"},
        ("text", "integer", "text"): {"blob"},
    }[kinds]
    assert affinity(declared) in expected


def written(folder: Path, declared: str, values: list[Any]) -> Path:
    """A file with one table of one column, which keeps each value as it is given."""
    path = folder / f"{len(list(folder.iterdir()))}.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE t (c)")
        file.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
        file.execute("PRAGMA writable_schema = on")
        file.execute("UPDATE sqlite_master SET sql = ? WHERE name = 't'", (f"CREATE TABLE t (c {declared})",))
        file.commit()
    return path


def reflected(folder: Path, declared: str, values: list[Any]) -> Own:
    return own_of(survey(Source(written(folder, declared, values))).own[0])


def own_of(table: TableSurvey) -> Own:
    assert table.own is not None
    return table.own
