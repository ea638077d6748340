"""What a person decides: arguments, a plan in TOML, and what is wrong with either."""

from __future__ import annotations

import sqlite3
import tomllib
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from trdinger.errors import UsageError
from trdinger.legacy.own.choices import NOTHING, Choices, SeriesChoice, TableChoice, from_json, read
from trdinger.legacy.own.plan_file import written
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey

PLAN = """
[tables.prices]
hypertable = { time = "at", segment = ["symbol", "venue"], chunk = "12 hours" }
[tables.prices.types]
price = "double precision"
[tables."my notes"]
move = false
"""


def test_a_plan_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    choices = read(path)
    assert choices.of("PRICES") == TableChoice(
        series=SeriesChoice("at", ("symbol", "venue"), timedelta(hours=12)),
        types={"price": "double precision"},
    )
    assert not choices.of("my notes").move
    assert choices.of("another") == TableChoice()
    assert from_json(choices.as_json()).tables == choices.tables


def test_arguments_are_added_to_a_plan() -> None:
    choices = NOTHING.hypertables(["t:at", "u:at:a,b"]).leaving(["v"])
    assert choices.of("t").series == SeriesChoice("at")
    assert choices.of("u").series == SeriesChoice("at", ("a", "b"))
    assert [choices.of(name).move for name in "tuv"] == [True, True, False]


@pytest.mark.parametrize("argument", ["", "t", "t:", ":at", "::"])
def test_an_argument_without_table_or_time_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match="names no table and time column"):
        NOTHING.hypertables([argument])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tables = 1", "tables means nothing"),
        ("[table.t]", "table means nothing"),
        ("[tables.t", "is no TOML"),
        ("[tables.t]\nmoves = true", "moves means nothing"),
        ("[tables]\nt = 1", "1 means nothing"),
        ("[tables.t]\nmove = 'yes'", "move is true or false"),
        ("[tables.t.types]\na = 1", "types are columns with texts"),
        ("[tables.t]\nhypertable = 'at'", "hypertable must have a time"),
        ("[tables.t]\nhypertable = { time = 'at', chunks = 1 }", "hypertable must have a time"),
        ("[tables.t]\nhypertable = { time = 'at', chunk = 'often' }", "'often' is no span"),
        ("[tables.t]\nhypertable = { time = 'at', chunk = '0 days' }", "'0 days' is no span"),
    ],
)
def test_what_is_wrong_in_a_plan_is_said(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        read(path)
    assert sentence in refused.value.message


def test_a_plan_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read(tmp_path / "plan.toml")


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (NOTHING.hypertables(["nowhere:at"]), "The file has no table nowhere"),
        (NOTHING.hypertables(["t:nothing"]), "t has no column nothing to be a time"),
        (NOTHING.hypertables(["t:at:nothing"]), "t has no column nothing to be a segment"),
        (NOTHING.hypertables(["t:at:at"]), "a column is named twice"),
        (NOTHING.hypertables(["t:at:a,a"]), "a column is named twice"),
    ],
)
def test_names_that_the_file_does_not_have_are_said(tmp_path: Path, choices: Choices, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        survey(Source(file(tmp_path)), choices)
    assert sentence in refused.value.message


def test_a_first_plan_decides_what_the_file_decides(tmp_path: Path) -> None:
    """The plan that is written is read again, and gives the tables that were found."""
    path = file(tmp_path)
    found = survey(Source(path), NOTHING.hypertables(["t:at:a"]))
    plan = tmp_path / "plan.toml"
    plan.write_text(text := written(found), encoding="utf-8")
    again = survey(Source(path), read(plan))
    assert [table.own and table.own.table for table in again.own] == [
        table.own and table.own.table for table in found.own
    ]
    assert tomllib.loads(text)["tables"]["t"]["hypertable"] == {
        "time": "at",
        "segment": ["a"],
        "chunk": "1 day",
    }


def test_a_first_plan_names_what_could_be_a_time(tmp_path: Path) -> None:
    text = written(survey(Source(file(tmp_path))))
    assert '# hypertable = { time = "at", segment = ["a"], chunk = "1 day" }' in text
    assert '[tables."odd \\"name\\" ü"]' in text


def file(folder: Path) -> Path:
    path = folder / "file.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (at INTEGER, a TEXT, b, PRIMARY KEY (a, at))")
        connection.executemany(
            "INSERT INTO t VALUES (?, 'x', ?)", [(1_700_000_000 + 40_000 * n, n) for n in range(100)]
        )
        connection.execute('CREATE TABLE "odd ""name"" ü" ("a ""b""" VARCHAR(4), "=" DATE)')
        connection.commit()
    return path
