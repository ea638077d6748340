"""Damage is where it is said to be, is nowhere else, and leaves a file that SQLite finds sound."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trdinger.errors import SourceError, UsageError
from trdinger.sample import KINDS, Damage, SampleOptions, spoil, write_sample

Cells = dict[tuple[str, int, str], tuple[str, Any]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of 2,000 candles. Not to be written to."""
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    write_sample(path, SampleOptions(rows=2_000))
    return path


@pytest.fixture
def sample(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(whole, tmp_path / "sample.db"))


def cells(path: Path) -> Cells:
    """Every cell by table, rowid and column, with its storage class; texts as bytes."""
    found: Cells = {}
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            table = name.decode()
            columns = [row[1].decode() for row in connection.execute(f"PRAGMA table_info({table})")]
            chosen = ", ".join(f'typeof("{column}"), "{column}"' for column in columns)
            for rowid, *values in connection.execute(f"SELECT rowid, {chosen} FROM {table}"):
                for at, column in enumerate(columns):
                    found[table, rowid, column] = (values[2 * at], values[2 * at + 1])
    return found


def changed(before: Cells, after: Cells) -> set[tuple[str, int, str]]:
    return {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_changes_the_cells_that_it_names_and_no_other(whole: Path, sample: Path, kind: str) -> None:
    damages = spoil(sample, [kind], seed=3, each=2)
    assert len(damages) == 2 * len(KINDS[kind].places)
    assert {damage.kind for damage in damages} == {kind}
    places = {(damage.table, damage.rowid, damage.column) for damage in damages}
    assert len(places) == len(damages)
    before, after = cells(whole), cells(sample)
    different = changed(before, after)
    if KINDS[kind].copied:
        rows = {(table, rowid) for table, rowid, _ in places}
        assert {(table, rowid) for table, rowid, _ in different} == rows
        assert not rows & {(table, rowid) for table, rowid, _ in before}
    else:
        assert different == places
    with closing(sqlite3.connect(sample)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_all_kinds_go_into_one_file_each_row_hit_once(whole: Path, sample: Path) -> None:
    damages = spoil(sample)
    assert {damage.kind for damage in damages} == set(KINDS)
    rows = [(damage.table, damage.rowid) for damage in damages]
    assert len(set(rows)) == len(rows)
    with closing(sqlite3.connect(sample)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_same_seed_does_the_same_damage(whole: Path, tmp_path: Path) -> None:
    one, two, three = (Path(shutil.copyfile(whole, tmp_path / name)) for name in ("1.db", "2.db", "3.db"))
    assert spoil(one, seed=4) == spoil(two, seed=4)
    assert cells(one) == cells(two)
    assert spoil(three, seed=5) != spoil(one, ["orphan"], seed=4)


def test_a_kind_may_be_put_in_a_second_time(sample: Path) -> None:
    first = spoil(sample, ["time-unparseable", "null", "duplicate-key"])
    second = spoil(sample, ["time-unparseable", "null", "duplicate-key"], seed=8)
    assert len(first) == len(second)


def test_an_unknown_kind_changes_nothing(whole: Path, sample: Path) -> None:
    with pytest.raises(UsageError, match=r"rust, mould: no kind of damage\. Kinds are: time-unparseable"):
        spoil(sample, ["null", "rust", "mould"])
    assert sample.read_bytes() == whole.read_bytes()


def test_too_few_rows_are_told_and_change_nothing(whole: Path, sample: Path) -> None:
    with pytest.raises(UsageError, match=r"strategy_templates has too few rows for that many damages\. Ask"):
        spoil(sample, ["null", "boolean-two"], each=3)
    assert cells(sample) == cells(whole)
    with closing(sqlite3.connect(sample)) as connection, closing(sqlite3.connect(whole)) as other:
        schema = "SELECT sql FROM sqlite_master"
        assert connection.execute(schema).fetchall() == other.execute(schema).fetchall()


def test_what_is_no_sample_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file"):
        spoil(tmp_path / "none.db")
    (tmp_path / "other.db").write_bytes(b"other" * 100)
    with pytest.raises(SourceError, match="is not a SQLite database"):
        spoil(tmp_path / "other.db")
    with closing(sqlite3.connect(tmp_path / "bare.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(SourceError, match="no such table: ohlcv_data"):
        spoil(tmp_path / "bare.db", ["time-with-t"])


def test_damage_is_plain_data() -> None:
    assert Damage("ohlcv_data", 7, "high", "null") == Damage("ohlcv_data", 7, "high", "null")
    assert all(kind.what and kind.places for kind in KINDS.values())
