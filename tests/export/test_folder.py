"""Tables as files for other programs: every cell, by readers of others; whole or not there; of one moment."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet
import pytest

from export.hearing import At
from move.moving import Heard
from schema import legacy_application
from trdinger.engine.connect import Database
from trdinger.errors import SourceError, TargetError, UsageError
from trdinger.export import folder
from trdinger.export.folder import Written
from trdinger.export.formats import Format
from trdinger.export.snapshot import snapshot
from trdinger.schema.shape import shape, shapes

FORMATS = [Format.PARQUET, Format.CSV, Format.JSONL]
TABLES = tuple(legacy_application.Base.metadata.tables)


def written(
    database: Database, path: Path, form: Format, *tables: str, heard: Heard | None = None
) -> Written:
    """Export into a folder."""
    wanted = [shape(name) for name in tables] or shapes()
    with snapshot(database) as moment:
        return folder.export(folder.plan(moment, path, form, wanted), heard or Heard())


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """A file's rows, read without the program: JSON as text, times as text or aware datetimes."""
    if path.suffix == ".parquet":
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    elif path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)
    else:
        yield from _csv_rows(path)


def _csv_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Python's reader tells null from an empty text by the quotes alone, from 3.12 on: here by hand."""
    text = path.read_text("utf-8")
    names, at = _csv_row(text, 0)
    while at < len(text):
        cells, at = _csv_row(text, at)
        yield dict(zip(names, cells, strict=True))


def _csv_row(text: str, at: int) -> tuple[list[Any], int]:
    cells: list[Any] = []
    while True:
        if text[at] == '"':
            end = at + 1
            while text[end] != '"' or text[end : end + 2] == '""':
                end += 2 if text[end] == '"' else 1
            cells.append(text[at + 1 : end].replace('""', '"'))
            at = end + 1
        else:
            end = min(place for mark in ",\n" if (place := text.find(mark, at)) >= 0)
            cells.append(text[at:end] or None)
            at = end
        if text[at] == "\n":
            return cells, at + 1
        at += 1


def same(kind: str, ours: Any, theirs: Any) -> bool:
    """Whether a cell of a file is that of the database, as psycopg gives it."""
    if ours is None or theirs is None:
        return ours is None and theirs is None
    return bool(_SAME.get(kind, lambda ours, theirs: ours == theirs)(ours, theirs))


def _same_json(ours: str, theirs: str) -> bool:
    one, two = (json.loads(text, parse_float=Decimal, parse_int=Decimal) for text in (ours, theirs))
    return bool(one == two)


def _same_time(ours: Any, theirs: datetime) -> bool:
    return bool((datetime.fromisoformat(ours) if isinstance(ours, str) else ours) == theirs)


def _same_float(ours: Any, theirs: float) -> bool:
    number = ours["real"] if isinstance(ours, dict) else ours
    return struct.pack("<d", float(number)) == struct.pack("<d", theirs)


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "jsonb": _same_json,
    "timestamp with time zone": _same_time,
    "double precision": _same_float,
    "boolean": lambda ours, theirs: str(ours).lower() == str(theirs).lower(),
    "integer": lambda ours, theirs: int(ours) == theirs,
    "bigint": lambda ours, theirs: int(ours) == theirs,
}


def count_equal_cells(path: Path, database: Database) -> int:
    """The cells of every file that were compared with the database; fails at the first that differs."""
    compared = 0
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        for file in sorted(path.glob(f"*{_suffix(path)}")):
            table = file.stem
            kinds = dict(
                connection.execute(
                    "SELECT column_name, data_type FROM information_schema.columns"
                    " WHERE table_name = %s AND table_schema = current_schema ORDER BY ordinal_position",
                    (table,),
                ).fetchall()
            )
            columns = ", ".join(
                f'"{name}"' + ("::text" if kind == "jsonb" else "") for name, kind in kinds.items()
            )
            stored = {row[0]: row for row in connection.execute(f"SELECT {columns} FROM {table}")}  # type: ignore[call-overload]
            read = {int(row["id"]): row for row in rows(file)}
            assert read.keys() == stored.keys(), table
            for number, row in read.items():
                assert list(row) == list(kinds), table
                for (name, kind), theirs in zip(kinds.items(), stored[number], strict=True):
                    assert same(kind, row[name], theirs), (table, number, name, row[name], theirs)
                    compared += 1
    return compared


def _suffix(path: Path) -> str:
    return "." + json.loads((path / "manifest.json").read_text("utf-8"))["format"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_cell_of_every_table_is_in_its_file(moved: Database, tmp_path: Path, form: Format) -> None:
    out = tmp_path / "out"
    written(moved, out, form)
    assert {one.name for one in out.iterdir()} == {f"{name}.{form}" for name in TABLES} | {"manifest.json"}
    assert count_equal_cells(out, moved) > 50_000


AWKWARD = r"""
UPDATE ohlcv_data SET high = 'Infinity', low = '-Infinity', volume = 'NaN' WHERE open = 1;
UPDATE ohlcv_data SET volume = '-0.0', close = 5e-324, high = 1.7976931348623157e308 WHERE open = 2;
UPDATE ohlcv_data SET symbol = E'a "quoted", name\nof two lines' WHERE open = 3;
UPDATE ohlcv_data SET symbol = '', timeframe = '取引 😀' WHERE open = 4;
INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)
VALUES ('EDGE', '%s', '0001-01-01', 1, 1, 1, 1, 1),
       ('EDGE', '%s', '9999-12-31 23:59:59.999999', 1, 1, 1, 1, 1);
INSERT INTO generated_strategies (experiment_id, gene_data, generation, parent_ids)
VALUES (1, 'null', 2147483647, 'null'), (1, '"null"', 1, NULL),
       (1, '"é\n\"\\ 取引"', -5, '[0.12345678901234567890]');
INSERT INTO strategy_showcase
    (name, category, indicators, parameters, gene_data, risk_level, is_active, description)
VALUES ('x', 'y', '[]', '{}', '1e400', 'low', NULL, ''), ('y', 'y', '[]', '{}', '-1', 'low', true, NULL),
       ('z', 'y', '[]', '{}', '0', 'low', false, 'NULL')
"""


@pytest.fixture
def awkward(few: Database) -> Database:
    """Values that a format could trip over."""
    with psycopg.connect(few.conninfo) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        for statement in AWKWARD.split(";\n"):
            connection.execute(statement.encode())
    return few


@pytest.mark.parametrize("form", FORMATS)
def test_awkward_values_are_told_apart(awkward: Database, tmp_path: Path, form: Format) -> None:
    out = tmp_path / "out"
    assert not written(awkward, out, form).unheld
    assert count_equal_cells(out, awkward) > 100
    if form is Format.CSV:
        lines = (out / "strategy_showcase.csv").read_text("utf-8").splitlines()
        assert '"y","[]"' in lines[1]
        assert ',"",' in lines[1]
        assert ',"NULL",' in lines[3]
        (header, *_) = csv.reader((out / "ohlcv_data.csv").open(encoding="utf-8"))
        assert header[:4] == ["id", "symbol", "timeframe", "timestamp"]


def test_a_manifest_tells_what_is_there(few: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = written(few, out, Format.PARQUET, "ohlcv_data", "ga_experiments")
    told = json.loads((out / "manifest.json").read_text("utf-8"))
    assert (told["trdinger"], told["version"], told["format"]) == ("export", 1, "parquet")
    assert told["source"] == str(few)
    assert abs(datetime.fromisoformat(told["written"]) - datetime.now(UTC)).total_seconds() < 300
    assert [one["table"] for one in told["tables"]] == ["ohlcv_data", "ga_experiments"]
    for one in told["tables"]:
        file = out / one["file"]
        assert one["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert one["bytes"] == file.stat().st_size
        assert one["rows"] == len(list(rows(file)))
    kinds = {column["name"]: column["kind"] for column in told["tables"][0]["columns"]}
    assert (kinds["timestamp"], kinds["symbol"], kinds["open"]) == ("time", "text", "float")
    assert {one["table"]: one["rows"] for one in done.as_json()["tables"]} == {
        "ohlcv_data": 6,
        "ga_experiments": 2,
    }


def test_parquet_has_the_types_that_other_programs_expect(few: Database, tmp_path: Path) -> None:
    written(few, tmp_path / "out", Format.PARQUET)
    file = pyarrow.parquet.ParquetFile(tmp_path / "out" / "ohlcv_data.parquet")
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types["timestamp"] == "timestamp[us, tz=UTC]"
    assert (types["id"], types["symbol"], types["open"]) == ("int64", "string", "double")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    moments = [row["timestamp"] for row in rows(tmp_path / "out" / "ohlcv_data.parquet")]
    assert moments == sorted(moments)


@pytest.mark.parametrize("form", FORMATS)
def test_what_the_files_cannot_hold_is_left_out_and_listed(
    few: Database, tmp_path: Path, form: Format
) -> None:
    with psycopg.connect(few.conninfo) as connection:
        connection.execute("UPDATE ohlcv_data SET created_at = 'infinity' WHERE open = 2")
        connection.execute("UPDATE ga_experiments SET completed_at = '12000-01-01' WHERE name = 'two'")
    out = tmp_path / "out"
    done = written(few, out, form)
    assert [(one.table, one.column, one.value) for one in done.unheld] == [
        ("ohlcv_data", "created_at", "infinity"),
        ("ga_experiments", "completed_at", "316516204800000000 microseconds since 1970"),
    ]
    told = json.loads((out / "manifest.json").read_text("utf-8"))
    assert [one["value"] for one in told["not_held"]] == [one.value for one in done.unheld]
    left_out = {one["table"]: one["rows_left_out"] for one in told["tables"] if one["rows_left_out"]}
    assert left_out == {"ohlcv_data": 1, "ga_experiments": 1}
    assert [row["open"] for row in rows(out / f"ohlcv_data.{form}")] in (
        [1.0, 3.0, 4.0, 5.0, 6.0],
        ["1", "3", "4", "5", "6"],
    )


@pytest.mark.many
def test_all_files_are_of_one_moment(few: Database, tmp_path: Path) -> None:
    def meddle() -> None:
        with psycopg.connect(few.conninfo) as connection:
            connection.execute("DELETE FROM ga_experiments")

    written(few, tmp_path / "out", Format.JSONL, heard=At("Write", meddle))
    assert len(list(rows(tmp_path / "out" / "ga_experiments.jsonl"))) == 2


def test_a_folder_that_holds_something_stays_and_an_empty_one_is_filled(
    few: Database, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already; nothing was written"):
        written(few, out, Format.CSV)
    (out / "mine").unlink()
    written(few, out, Format.CSV, "ga_experiments")
    assert {one.name for one in out.iterdir()} == {"ga_experiments.csv", "manifest.json"}
    with pytest.raises(UsageError, match="There is no folder"):
        written(few, tmp_path / "nowhere" / "out", Format.CSV)
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_export_left_is_written_anew_and_what_another_writes_is_left(
    few: Database, tmp_path: Path
) -> None:
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "half.csv").write_bytes(b"half")
    refused: list[str] = []

    def again() -> None:
        with (
            pytest.raises(UsageError, match="is being written by another process") as error,
            folder._claimed(tmp_path / "out.part"),
        ):
            pass
        refused.append(error.value.message)

    class AtFirst(Heard):
        def advance(self, done: int, *, detail: str | None = None, size: int = 0) -> None:
            if not refused:
                again()

    written(few, tmp_path / "out", Format.CSV, "ohlcv_data", heard=AtFirst())
    assert len(refused) == 1
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"ohlcv_data.csv", "manifest.json"}
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_leaves_nothing(
    moved: Database,
    full_disk: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    form: Format,
) -> None:
    disk = full_disk(64 << 10)
    with pytest.raises(SourceError, match=r"The files need about .* Nothing was written"):
        written(moved, disk / "out", form)
    monkeypatch.setattr("trdinger.export.folder.ROW_BYTES", dict.fromkeys(FORMATS, 0))
    monkeypatch.setattr("trdinger.export.folder._UNPACKED", 0)
    monkeypatch.setattr("trdinger.export.folder._SPARE", 0)
    with pytest.raises(SourceError, match=r"The disk is full: .*out was not written"):
        written(moved, disk / "out", form)
    assert list(disk.iterdir()) == []


def test_a_database_without_the_table_is_told(database: Database, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="holds none of Trdinger's tables"):
        written(database, tmp_path / "out", Format.CSV)
    assert list(tmp_path.iterdir()) == []


def test_the_reader_of_these_tests_reads_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"a","b"\n1,"x ""y"",\nz"\n,""\n', "utf-8")
    assert list(rows(path)) == [{"a": "1", "b": 'x "y",\nz'}, {"a": None, "b": ""}]
    assert not same("double precision", "0", -0.0)
    assert same("double precision", {"real": "NaN"}, math.nan)
    assert same("boolean", "true", theirs=True)
    assert not same("boolean", "true", theirs=False)
