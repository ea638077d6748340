"""A SQLite file, too, becomes files for other programs: as a move reads it, and what does not fit is kept."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from export.test_folder import rows, written
from move.moving import Heard
from trdinger.engine.connect import Database
from trdinger.errors import SourceError
from trdinger.export import folder
from trdinger.export.file_rows import file_rows
from trdinger.export.folder import Written
from trdinger.export.formats import Format
from trdinger.legacy import rejects
from trdinger.legacy.source import Source
from trdinger.legacy.values import STRICT, Rules
from trdinger.sample import spoil
from trdinger.schema.shape import shape, shapes


def written_from(
    file: Path, path: Path, form: Format = Format.JSONL, *tables: str, rules: Rules = STRICT
) -> Written:
    """Export a SQLite file into a folder."""
    wanted = [shape(name) for name in tables] or shapes()
    with file_rows(Source(file), rules) as giver:
        return folder.export(folder.plan(giver, path, form, wanted), Heard())


def values(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What a folder holds, by table, documents as values."""
    held = {}
    for file in path.glob("*.jsonl"):
        if file.name == rejects.NAME:
            continue
        found = sorted(rows(file), key=lambda row: row["id"])
        for column in ("config", "config_json", "performance_metrics", "equity_curve", "trade_history"):
            _parse(found, column)
        for column in ("gene_data", "parent_ids", "indicators", "parameters"):
            _parse(found, column)
        held[file.stem] = found
    return held


def _parse(found: list[dict[str, Any]], column: str) -> None:
    for row in found:
        if isinstance(row.get(column), str):
            row[column] = json.loads(row[column], parse_float=Decimal, parse_int=Decimal)


def test_a_file_and_the_database_that_it_was_moved_into_give_the_same(
    moved: Database, source: Path, tmp_path: Path
) -> None:
    before = source.read_bytes()
    done = written_from(source, tmp_path / "file")
    written(moved, tmp_path / "database", Format.JSONL)
    assert not done.unheld
    ours, theirs = values(tmp_path / "file"), values(tmp_path / "database")
    assert ours == theirs
    assert sum(map(len, ours.values())) > 6_000
    assert source.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} >= {"file", "database", source.name}
    assert not list(tmp_path.glob(".trdinger-*"))


def test_rows_that_do_not_fit_are_left_out_listed_and_kept(source: Path, tmp_path: Path) -> None:
    damages = spoil(source, ["number-text", "time-unparseable", "json-broken", "duplicate-key", "orphan"])
    with closing(sqlite3.connect(source)) as file:
        file.execute("UPDATE ohlcv_data SET close = '17.5x' WHERE id = (SELECT max(id) FROM ohlcv_data)")
        file.commit()
        (last,) = file.execute("SELECT max(id) FROM ohlcv_data").fetchone()
        counts = {
            one.name: file.execute(f"SELECT count(*) FROM {one.name}").fetchone()[0] for one in shapes()
        }
    done = written_from(source, tmp_path / "out")
    bad = {(damage.table, damage.rowid) for damage in damages} | {("ohlcv_data", last)}
    told = {(one.table, one.row) for one in done.unheld}
    assert bad <= told
    kept = list(rejects.read(tmp_path / "out" / rejects.NAME))
    assert {(one.table, one.row) for one in kept} == told
    (again,) = [one for one in kept if (one.table, one.row) == ("ohlcv_data", last)]
    assert again.values["close"] == b"17.5x"
    for file in done.manifest.files:
        assert file.rows + file.rows_left_out == counts[file.table]
        assert file.rows_left_out == len([one for one in kept if one.table == file.table])


def test_text_numbers_are_numbers_where_that_is_said(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source)) as file:
        file.execute("UPDATE ohlcv_data SET symbol = 'T' WHERE id = 1")
        file.execute("PRAGMA writable_schema = on")
        file.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'close FLOAT', 'close TEXT')"
            " WHERE name = 'ohlcv_data'"
        )
        file.commit()
    with closing(sqlite3.connect(source)) as file:
        file.execute("UPDATE ohlcv_data SET close = '17.50' WHERE id = 1")
        file.commit()
    strict = written_from(source, tmp_path / "strict", Format.JSONL, "ohlcv_data")
    assert {one.row for one in strict.unheld} == {1}
    loose = written_from(
        source, tmp_path / "loose", Format.JSONL, "ohlcv_data", rules=Rules(text_numbers=True)
    )
    assert not loose.unheld
    (row,) = [row for row in rows(tmp_path / "loose" / "ohlcv_data.jsonl") if row["symbol"] == "T"]
    assert row["close"] == 17.5


def test_a_table_that_the_file_lacks_is_empty_and_a_missing_column_null(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source)) as file:
        file.execute("DROP TABLE strategy_templates")
        file.execute("ALTER TABLE funding_rate_data DROP COLUMN mark_price")
        file.commit()
    written_from(source, tmp_path / "out")
    assert list(rows(tmp_path / "out" / "strategy_templates.jsonl")) == []
    assert {row["mark_price"] for row in rows(tmp_path / "out" / "funding_rate_data.jsonl")} == {None}


def test_nan_in_a_document_becomes_null_and_is_listed(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source)) as file:
        file.execute("""UPDATE ga_experiments SET config = '{"a": [NaN]}' WHERE id = 1""")
        file.commit()
    done = written_from(source, tmp_path / "out", Format.JSONL, "ga_experiments")
    assert [(one.column, one.value, one.became) for one in done.unheld] == [("config $.a[0]", "NaN", "null")]
    (first, *_) = rows(tmp_path / "out" / "ga_experiments.jsonl")
    assert json.loads(first["config"]) == {"a": [None]}
    assert done.manifest.files[0].rows_left_out == 0


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"nothing")
    with pytest.raises(SourceError, match="is not a SQLite database"):
        written_from(tmp_path / "a.db", tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["a.db"]
