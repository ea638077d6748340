"""Files come back into a database: every cell, each row once, and what does not fit is kept and told."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.parquet
import pytest

from export.test_folder import FORMATS, awkward, written
from move.moving import Heard
from move.oracle import count_equal_cells
from schema.conftest import upgrade
from trdinger.declaration import TABLES
from trdinger.engine.connect import Database
from trdinger.errors import SourceError, TargetError, UsageError
from trdinger.export.formats import Format
from trdinger.export.importing import Imported, given, import_
from trdinger.legacy import rejects
from trdinger.legacy.values import STRICT, Rules
from trdinger.schema.shape import shape, shapes

__all__ = ["awkward"]  # a fixture


def imported(
    path: Path,
    database: Database,
    *tables: str,
    table: str | None = None,
    writes: bool = True,
    rules: Rules = STRICT,
    heard: Heard | None = None,
) -> Imported:
    """Import a folder or a file; its rejects go beside it."""
    hears = heard or Heard()
    files = given(path, [shape(name) for name in tables] or shapes(), table, hears)
    rejected = path.with_name("rejects.jsonl")
    return import_(files, path, database, rules, hears, rejected=rejected, writes=writes)


def ask(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def everything(database: Database) -> list[list[tuple[Any, ...]]]:
    """Every row of every table, as text."""
    return [sorted(ask(database, f"SELECT t::text FROM {table} AS t")) for table in TABLES]


def candles(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of candles: what is given, else something plain."""
    return [
        {
            "symbol": "BTC/USDT",
            "timeframe": "1h",
            "timestamp": f"2030-01-01 {hour:02}:00:00",
            **dict.fromkeys(("open", "high", "low", "close", "volume"), 1.5),
        }
        | row
        for hour, row in enumerate(rows)
    ]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_exported_comes_back_cell_by_cell(
    moved: Database, source: Path, tmp_path: Path, form: Format
) -> None:
    written(moved, tmp_path / "out", form)
    ask(moved, f"TRUNCATE {', '.join(TABLES)}")
    done = imported(tmp_path / "out", moved)
    assert sum(count_equal_cells(source, moved).values()) > 50_000
    assert {name: (one.rows, one.new) for name, one in done.counts.items()} == {
        name: (one.rows, one.rows) for name, one in done.counts.items()
    }
    assert done.rejects is None
    assert not (tmp_path / "rejects.jsonl").exists()
    for table in TABLES:
        ((highest, following),) = ask(
            moved,
            f"SELECT max(id), nextval(pg_get_serial_sequence('{table}', 'id')) FROM {table}",
        )
        assert following == (highest or 0) + 1


@pytest.mark.parametrize("form", FORMATS)
def test_awkward_values_come_back_and_again_nothing_changes(
    awkward: Database, tmp_path: Path, form: Format
) -> None:
    written(awkward, tmp_path / "out", form)
    before = everything(awkward)
    again = imported(tmp_path / "out", awkward)
    assert sum(one.new for one in again.counts.values()) == 0
    assert sum(one.known for one in again.counts.values()) == sum(map(len, before))
    assert sum(one.differing for one in again.counts.values()) == 0
    assert everything(awkward) == before
    ask(awkward, f"TRUNCATE {', '.join(TABLES)}")
    assert imported(tmp_path / "out", awkward).rejected == 0
    assert everything(awkward) == before


def test_rows_that_are_there_stay_and_are_told_where_they_differ(few: Database, tmp_path: Path) -> None:
    written(few, tmp_path / "out", Format.PARQUET)
    ask(few, "UPDATE ohlcv_data SET close = 17 WHERE open IN (1, 2)")
    ask(few, "UPDATE ga_experiments SET config = '{}' WHERE name = 'one'")
    ask(few, "DELETE FROM ohlcv_data WHERE open = 3")
    done = imported(tmp_path / "out", few)
    counts = done.counts["ohlcv_data"]
    assert (counts.rows, counts.new, counts.known, counts.differing) == (6, 1, 5, 2)
    assert done.counts["ga_experiments"].differing == 1
    closes = ask(few, "SELECT open, close FROM ohlcv_data ORDER BY open")
    assert [close for _, close in closes] == [17.0, 17.0, 3.1, 4.1, 5.1, 6.1]
    assert ask(few, "SELECT id FROM ohlcv_data WHERE open = 3") == [(3,)]


def test_a_series_row_keeps_its_id_unless_another_has_it(few: Database, tmp_path: Path) -> None:
    path = lines(
        tmp_path / "ohlcv_data.jsonl",
        candles({"id": 3}, {"id": 100}, {"id": 100}, {"id": None}, {}, {"id": 7}),
    )
    done = imported(path, few)
    assert done.counts["ohlcv_data"].new == 6
    select = "SELECT id FROM ohlcv_data WHERE open = 1.5 ORDER BY timestamp"
    ids = [row[0] for row in ask(few, select)]
    assert ids == [101, 100, 102, 103, 104, 7]
    assert ask(few, "SELECT count(*), count(DISTINCT id) FROM ohlcv_data") == [(12, 12)]
    assert imported(path, few).counts["ohlcv_data"].known == 6


def test_a_key_that_repeats_in_a_file_comes_in_once(few: Database, tmp_path: Path) -> None:
    rows = candles({"close": 1}, {"timestamp": "2030-01-01 00:00:00", "close": 2}, {})
    done = imported(lines(tmp_path / "ohlcv_data.jsonl", rows), few)
    counts = done.counts["ohlcv_data"]
    assert (counts.rows, counts.new, counts.known) == (3, 2, 1)
    assert ask(few, "SELECT close FROM ohlcv_data WHERE timestamp = '2030-01-01'") == [(1.0,)]


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"timestamp": "2024-13-01 00:00:00"}, "not a time"),
    ({"timestamp": 5}, "a number that is no unambiguous time"),
    ({"timestamp": None}, "null where none may be"),
    ({"close": "17,5"}, "text in a number"),
    ({"close": None}, "null where none may be"),
    ({"symbol": "x" * 51}, "longer than 50 characters"),
    ({"symbol": "a\x00b"}, "a NUL character"),
    ({"id": 1 << 63}, "outside a 64-bit integer"),
    ({"id": 1.5}, "not a whole number"),
    ({"close": True}, "a blob in a number"),
    ({"symbol": {"a": 1}}, "a blob in a text"),
]


def test_rows_that_do_not_fit_are_kept_with_their_reasons_and_all_others_come_in(
    few: Database, tmp_path: Path
) -> None:
    rows = candles(*(change for change, _ in MISFITS), {}, {"timestamp": 1_700_000_000})
    done = imported(lines(tmp_path / "ohlcv_data.jsonl", rows), few)
    counts = done.counts["ohlcv_data"]
    assert (counts.rows, counts.new, counts.rejected) == (len(rows), 2, len(MISFITS))
    assert done.rejects == tmp_path / "rejects.jsonl"
    kept = list(rejects.read(done.rejects))
    assert [(one.table, one.row) for one in kept] == [("ohlcv_data", n) for n in range(1, len(MISFITS) + 1)]
    for one, (change, reason) in zip(kept, MISFITS, strict=True):
        ((column, value),) = change.items()
        assert [bad.column for bad in one.reasons] == [column]
        assert one.reasons[0].reason.startswith(reason)
        assert set(one.values) == {*rows[-1], "id"}
        if isinstance(value, str):
            assert one.values[column] == value.encode()
    assert ask(few, "SELECT count(*) FROM ohlcv_data WHERE timestamp = '2023-11-14 22:13:20'") == [(1,)]


def test_csv_knows_null_from_empty_and_tells_lines_that_are_none(few: Database, tmp_path: Path) -> None:
    path = tmp_path / "strategy_templates.csv"
    path.write_bytes(
        b"id,name,description,category,config_json,is_public,created_at\n"
        b'1,one,"",,"{}",true,2024-01-01 00:00:00.000000Z\n'
        b'2,two,,"","[1, 2.50]",,\n'
        b"3,three,too few\n"
        b'4,"f\xff",,,"{}",,\n'
        b'5,"a ""five"", of\ntwo lines",,,"null",false,1700000000\n'
        b"x,six,,,{},,\n"
        b"7,seven,,,{broken,,\n"
        b"8,eight,,,NULL,,\n"
    )
    done = imported(path, few)
    select = "SELECT id, name, description, category, config_json::text, is_public FROM strategy_templates"
    assert ask(few, f"{select} ORDER BY id") == [
        (1, "one", "", None, "{}", True),
        (2, "two", None, "", "[1, 2.50]", None),
        (5, 'a "five", of\ntwo lines', None, None, "null", False),
    ]
    kept = {one.row: one.reasons[0].reason for one in rejects.read(tmp_path / "rejects.jsonl")}
    assert done.counts["strategy_templates"].rejected == len(kept) == 5
    assert kept[3] == "a line of 3 cells where 7 belong"
    assert kept[4].startswith("invalid UTF-8")
    assert kept[6].startswith("text that is no number")
    assert kept[7].startswith("broken JSON")
    assert kept[8].startswith("broken JSON")


def test_lines_of_json_that_are_no_rows_are_told(few: Database, tmp_path: Path) -> None:
    path = tmp_path / "ohlcv_data.jsonl"
    (good,) = candles({})
    path.write_bytes(
        json.dumps(good).encode()
        + b'\n\n{"broken": \n[1]\n\xff\n'
        + json.dumps(good | {"vwap": 1}).encode()
        + b"\n"
        + b"[" * 100_000
    )
    done = imported(path, few)
    counts = done.counts["ohlcv_data"]
    assert (counts.rows, counts.new, counts.rejected) == (6, 1, 5)
    reasons = [one.reasons[0].reason for one in rejects.read(tmp_path / "rejects.jsonl")]
    assert [reason.partition(":")[0] for reason in reasons] == [
        "no line of JSON",
        "a line of JSON that is no object",
        "no line of JSON",
        "no such column",
        "no line of JSON",
    ]


def test_a_row_without_its_parent_or_with_anothers_name_is_kept_and_told(
    few: Database, tmp_path: Path
) -> None:
    strategy = {"gene_data": "{}", "generation": 1}
    path = lines(
        tmp_path / "generated_strategies.jsonl",
        [
            strategy | {"id": 1, "experiment_id": 1},
            strategy | {"id": 2, "experiment_id": 99},
            strategy | {"id": 3, "experiment_id": 1, "backtest_result_id": 5},
        ],
    )
    done = imported(path, few)
    assert done.counts["generated_strategies"].new == 1
    assert [(one.row, one.reasons[0].reason) for one in rejects.read(tmp_path / "rejects.jsonl")] == [
        (2, "no such row in ga_experiments: id 99"),
        (3, "no such row in backtest_results: id 5"),
    ]
    template = {"config_json": "{}"}
    path = lines(
        tmp_path / "strategy_templates.jsonl",
        [
            template | {"id": number, "name": name}
            for number, name in ((1, "a"), (2, "a"), (3, "b"), (3, "c"))
        ],
    )
    done = imported(path, few)
    counts = done.counts["strategy_templates"]
    assert (counts.new, counts.known, counts.rejected) == (2, 1, 1)
    (one,) = rejects.read(tmp_path / "rejects.jsonl")
    assert (one.row, one.reasons[0].reason) == (2, "the key (name) repeats: row 1 has it")
    assert one.values["name"] == b"a"
    lines(path, [template | {"id": 9, "name": "b"}])
    assert imported(path, few).counts["strategy_templates"].rejected == 1


def test_a_frame_of_pandas_comes_in(few: Database, tmp_path: Path) -> None:
    frame = pd.DataFrame(candles({}, {}, {"close": math.nan}))  # which pandas writes as null
    frame["timestamp"] = pd.to_datetime(frame["timestamp"])  # without a zone, to the nanosecond
    path = tmp_path / "mine.parquet"
    frame.to_parquet(path, index=False)
    done = imported(path, few, table="ohlcv_data")
    assert (done.counts["ohlcv_data"].new, done.rejected) == (2, 1)
    assert ask(few, "SELECT timestamp FROM ohlcv_data WHERE open = 1.5 ORDER BY 1 LIMIT 1") == [
        (datetime(2030, 1, 1, tzinfo=UTC),)
    ]


def test_types_of_parquet_are_judged_as_values_are(few: Database, tmp_path: Path) -> None:
    rows = candles({}, {}, {})
    moments = pa.array([1_900_000_000_000_000_000 + n for n in range(3)], pa.int64()).cast(
        pa.timestamp("ns", "UTC")
    )
    table = pa.Table.from_pylist(rows)
    table = table.set_column(table.column_names.index("timestamp"), "timestamp", moments)
    table = table.set_column(table.column_names.index("open"), "open", pa.array([1, 2, 3], pa.int32()))
    table = table.set_column(
        table.column_names.index("symbol"), "symbol", pa.array(["a", "b", "c"]).dictionary_encode()
    )
    pyarrow.parquet.write_table(table, tmp_path / "ohlcv_data.parquet")
    done = imported(tmp_path / "ohlcv_data.parquet", few)
    assert done.counts["ohlcv_data"].new == 1
    assert {one.reasons[0].reason.partition(":")[0] for one in rejects.read(tmp_path / "rejects.jsonl")} == {
        "finer than a microsecond"
    }
    assert ask(few, "SELECT symbol, open FROM ohlcv_data WHERE timestamp > '2030-03-01'") == [("a", 1.0)]
    texts = table.set_column(table.column_names.index("close"), "close", pa.array(["1.5", "2", "x"]))
    texts = texts.set_column(
        texts.column_names.index("timestamp"),
        "timestamp",
        pa.array([1_900_000_001, 1_900_000_002, 1_900_000_003]),
    )
    pyarrow.parquet.write_table(texts, tmp_path / "ohlcv_data.parquet")
    assert imported(tmp_path / "ohlcv_data.parquet", few).counts["ohlcv_data"].rejected == 3
    loose = imported(tmp_path / "ohlcv_data.parquet", few, rules=Rules(text_numbers=True))
    assert (loose.counts["ohlcv_data"].new, loose.counts["ohlcv_data"].rejected) == (2, 1)


def test_a_plan_tells_what_would_be_and_changes_nothing(few: Database, tmp_path: Path) -> None:
    written(few, tmp_path / "out", Format.CSV)
    ask(few, "DELETE FROM ohlcv_data WHERE open > 4")
    ask(few, "DELETE FROM ga_experiments")
    before = everything(few)
    path = lines(tmp_path / "ohlcv_data.jsonl", candles({"close": "x"}, {}))
    planned = imported(tmp_path / "out", few, writes=False)
    assert (planned.counts["ohlcv_data"].new, planned.counts["ga_experiments"].new) == (2, 2)
    rejecting = imported(path, few, writes=False)
    assert (rejecting.counts["ohlcv_data"].new, rejecting.rejected) == (1, 1)
    assert everything(few) == before
    assert not (tmp_path / "rejects.jsonl").exists()


def test_what_was_changed_since_the_export_is_refused(few: Database, tmp_path: Path) -> None:
    written(few, tmp_path / "out", Format.CSV)
    before = everything(few)

    def refused(kind: type[Exception], match: str) -> None:
        with pytest.raises(kind, match=match):
            imported(tmp_path / "out", few)
        assert everything(few) == before

    file, manifest = tmp_path / "out" / "ohlcv_data.csv", tmp_path / "out" / "manifest.json"
    kept, told = file.read_bytes(), json.loads(manifest.read_text("utf-8"))
    file.write_bytes(kept.replace(b"3.1", b"3.2"))
    refused(SourceError, "ohlcv_data.csv was changed since it was exported")
    file.unlink()
    refused(SourceError, "ohlcv_data.csv is gone")
    file.write_bytes(kept)
    told["tables"][0]["rows"] = 7
    manifest.write_text(json.dumps(told), "utf-8")
    ask(few, "DELETE FROM ohlcv_data")
    before = everything(few)
    refused(SourceError, r"gave 6 rows where manifest\.json tells of 7")
    told["tables"][0] |= {"file": "../ohlcv_data.csv", "rows": 6}
    manifest.write_text(json.dumps(told), "utf-8")
    refused(SourceError, r"manifest\.json is damaged")
    told["tables"][0] |= {"file": "ohlcv_data.csv", "table": "candles"}
    manifest.write_text(json.dumps(told), "utf-8")
    refused(UsageError, "holds candles, which no table of Trdinger's is")
    manifest.write_text('{"trdinger": "other", "version": 1}', "utf-8")
    refused(SourceError, "is of another program or version")
    manifest.write_text("{", "utf-8")
    refused(SourceError, r"manifest\.json cannot be read")
    manifest.unlink()
    refused(UsageError, r"holds no manifest\.json.*--table")


CANDLE = b"symbol,timeframe,timestamp,open,high,low,close,volume"
UNREADABLE: list[tuple[str, bytes, type[Exception], str]] = [
    (
        "ohlcv_data.csv",
        b"symbol,timeframe\na,b\n",
        UsageError,
        "lacks columns .* not be null: timestamp, open",
    ),
    ("ga_experiments.csv", b"name,config,status,progress,current_generation\n", UsageError, "null: id"),
    ("ohlcv_data.csv", CANDLE + b",vwap\n", UsageError, "has columns that ohlcv_data has not: vwap"),
    ("ohlcv_data.csv", b"symbol,symbol\n", UsageError, "more than one column symbol"),
    ("ohlcv_data.csv", b"2024-01-01 00:00:00,1.5\n", UsageError, "does not name columns"),
    ("ohlcv_data.csv", b"", SourceError, "is empty"),
    ("ohlcv_data.parquet", b"PAR1 and nothing more PAR1", SourceError, "cannot be read as Parquet"),
    ("ohlcv_data.txt", b"x", UsageError, "no ending of a format"),
    ("trdinger.db", b"x", UsageError, "trdinger migrate"),
    ("candles.csv", b"symbol\n", UsageError, "is not named for a table.*--table"),
]


@pytest.mark.parametrize("unreadable", UNREADABLE, ids=lambda one: f"{one[0]}: {one[3]}")
def test_a_file_that_cannot_be_read_is_told(
    few: Database, tmp_path: Path, unreadable: tuple[str, bytes, type[Exception], str]
) -> None:
    name, content, kind, match = unreadable
    (tmp_path / name).write_bytes(content)
    before = everything(few)
    with pytest.raises(kind, match=match):
        imported(tmp_path / name, few)
    assert everything(few) == before
    with pytest.raises(UsageError, match="There is no file or folder"):
        imported(tmp_path / "nowhere.csv", few)


def test_a_page_of_parquet_with_flipped_bits_is_refused(few: Database, tmp_path: Path) -> None:
    written(few, tmp_path / "out", Format.PARQUET, "ohlcv_data")
    path = Path(shutil.copy(tmp_path / "out" / "ohlcv_data.parquet", tmp_path / "ohlcv_data.parquet"))
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    ask(few, "DELETE FROM ohlcv_data")
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        imported(path, few)
    assert ask(few, "SELECT count(*) FROM ohlcv_data") == [(0,)]


def test_a_database_without_the_tables_is_told(database: Database, tmp_path: Path) -> None:
    path = lines(tmp_path / "ohlcv_data.jsonl", candles({}))
    with pytest.raises(TargetError, match=r"ohlcv_data: the table is missing\..*trdinger db upgrade"):
        imported(path, database)
    upgrade(database)
    ask(database, "ALTER TABLE ohlcv_data DROP CONSTRAINT ohlcv_data_pkey")
    with pytest.raises(TargetError, match=r"has no key; is a move into it unfinished\?"):
        imported(path, database)


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from sqlalchemy.engine import make_url
from export.test_importing import imported
from move.moving import Heard
from trdinger.engine.connect import Database
class Dying(Heard):
    def advance(self, done, *, detail=None, size=0):
        if detail == "backtest_results":
            os.kill(os.getpid(), signal.SIGKILL)
imported(Path(sys.argv[2]), Database(make_url(sys.argv[1])), heard=Dying())
"""


@pytest.mark.many
def test_killed_it_leaves_whole_tables_and_the_same_command_finishes(
    moved: Database, source: Path, tmp_path: Path
) -> None:
    written(moved, tmp_path / "out", Format.PARQUET)
    ask(moved, f"TRUNCATE {', '.join(TABLES)}")
    url = moved.url.render_as_string(hide_password=False)
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, url, str(tmp_path / "out"), *sys.path], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert ask(moved, "SELECT count(*) > 0 FROM ohlcv_data") == [(True,)]
    assert ask(moved, "SELECT count(*) FROM backtest_results") == [(0,)]
    done = imported(tmp_path / "out", moved)
    assert done.counts["ohlcv_data"].new == 0
    assert done.counts["backtest_results"].known == 0
    assert sum(count_equal_cells(source, moved).values()) > 50_000
