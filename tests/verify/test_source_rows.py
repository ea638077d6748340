"""No row of the source is passed over in silence: what cannot be compared is told, and all are counted."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from move.moving import Heard, verified
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.verify.differences import TableProof
from trdinger.verify.run import verify
from verify.conftest import Target


@pytest.fixture
def source(target: Target, tmp_path: Path) -> Path:
    """A copy of the file that was moved, to be changed after the move."""
    return Path(shutil.copy(target.source, tmp_path / "trdinger.db"))


@contextmanager
def _changing(source: Path) -> Iterator[sqlite3.Connection]:
    """A session that may break NOT NULL and unique indexes: the file is as a careless program left it."""
    with closing(sqlite3.connect(source, isolation_level=None)) as file:
        for (name,) in file.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'uq%'"
        ).fetchall():
            file.execute(f"DROP INDEX {name}")
        file.execute("PRAGMA writable_schema = on")
        file.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name LIKE '%_data'")
        file.execute("PRAGMA writable_schema = reset")
        yield file


def _candles(target: Target, source: Path) -> TableProof:
    proof = verified(source, target.database)
    return proof.tables[0]


def test_rows_without_a_time_in_a_series_of_several_spans_are_told(target: Target, source: Path) -> None:
    with _changing(source) as file:
        file.execute("UPDATE ohlcv_data SET timestamp = NULL WHERE id IN (11, 12)")
    found = _candles(target, source)
    told = {one.key: one for one in found.shown}
    assert found.counts["missing"] == 2
    assert found.counts["extra"] == 2  # the target has them, at their times
    assert (told["row 11"].column, told["row 11"].source) == ("timestamp", "null")
    assert str(told["row 12"]) == "ohlcv_data (row 12) is missing in the target: its timestamp is null"


@pytest.mark.parametrize("segment", ["NULL", "x'00ff'", "CAST(x'42ff54' AS TEXT)", "printf('%.*c', 80, 'X')"])
def test_rows_whose_segment_does_not_fit_are_told(target: Target, source: Path, segment: str) -> None:
    with _changing(source) as file:
        file.execute(f"UPDATE ohlcv_data SET symbol = {segment} WHERE id IN (21, 22, 23)")
    found = _candles(target, source)
    assert found.counts == {"missing": 3, "extra": 3}
    assert {one.key for one in found.shown if one.what == "missing"} == {"row 21", "row 22", "row 23"}
    assert {one.column for one in found.shown if one.what == "missing"} == {"symbol"}


def test_a_value_that_does_not_fit_is_told_once_and_the_other_rows_are_compared(
    target: Target, source: Path
) -> None:
    with _changing(source) as file:
        file.execute("UPDATE ohlcv_data SET high = 'n/a', low = 'n/a' WHERE id = 31")
    found = _candles(target, source)
    assert found.counts == {"missing": 1, "extra": 1}
    assert found.rows == 899
    (told,) = [one for one in found.shown if one.what == "missing"]
    assert (told.key, told.column, told.source) == ("row 31", "high", "'n/a'")


def test_a_second_row_of_one_key_is_told(target: Target, source: Path) -> None:
    with _changing(source) as file:
        names = [row[1] for row in file.execute("PRAGMA table_info(ohlcv_data)") if row[1] != "id"]
        columns = ", ".join(names)
        file.execute(f"INSERT INTO ohlcv_data ({columns}) SELECT {columns} FROM ohlcv_data WHERE id = 41")
    found = _candles(target, source)
    assert found.counts == {"missing": 1}
    assert found.shown[0].key.endswith("another row of that time")
    assert found.rows == 901


@pytest.mark.parametrize(
    "form",
    [
        "replace(timestamp, ' ', 'T') || 'Z'",
        "CAST(strftime('%s', timestamp) AS INTEGER)",
        "substr(timestamp, 1, 19)",
    ],
    ids=["T and Z", "epoch", "no fraction"],
)
def test_other_forms_of_the_same_time_are_equal(target: Target, source: Path, form: str) -> None:
    """Mixed forms sort otherwise than time does: the series is compared in one piece, and whole."""
    with _changing(source) as file:
        file.execute(f"UPDATE ohlcv_data SET timestamp = {form} WHERE id % 3 = 0")
    found = _candles(target, source)
    assert found.counts == {}
    assert found.rows == 900


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("DELETE FROM ohlcv_data WHERE id IN (51, 52)", "the source counts 900 rows"),
        (
            "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
            " VALUES ('BTC/USDT:USDT', '1h', '2030-01-01 00:00:00.000000', 1, 1, 1, 1, 1)",
            "gave 901: it was written to meanwhile",
        ),
    ],
    ids=["fewer", "more"],
)
def test_a_source_that_is_written_to_meanwhile_is_told(
    target: Target, source: Path, written: str, said: str
) -> None:
    """The rows compared and told are held against what the file counted at first."""
    counted = survey(Source(source))
    with closing(sqlite3.connect(source)) as file:
        file.execute(written)
        file.commit()
    found = verify(counted, target.database, Heard()).tables[0]
    (told,) = [one for one in found.shown if one.what == "unread"]
    assert said in str(told)
    assert str(told).startswith("ohlcv_data: the source counts 900 rows")
