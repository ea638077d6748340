"""A sample is a file as the existing application would have written it, and looks like a market."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from schema import legacy_application
from trdinger.errors import SourceError, UsageError
from trdinger.sample import SampleOptions, SampleSummary, write_sample

ROWS = 30_000
SMALL = SampleOptions(rows=500)
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return write_sample(tmp_path_factory.mktemp("sample") / "sample.db", SampleOptions(rows=ROWS, seed=7))


@pytest.fixture
def sample(written: SampleSummary) -> Iterator[sqlite3.Connection]:
    """The sample, for reading only."""
    with closing(sqlite3.connect(f"file:{written.path}?mode=ro", uri=True)) as connection:
        yield connection


def minute(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


def dump(path: Path) -> list[str]:
    """The whole file as SQL: schema and rows."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_all_nine_tables_hold_what_the_summary_says(
    written: SampleSummary, sample: sqlite3.Connection
) -> None:
    names = {name for (name,) in sample.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names == set(legacy_application.Base.metadata.tables)
    assert written.rows["ohlcv_data"] == ROWS
    for name in names:
        (count,) = sample.execute(f"SELECT count(*) FROM {name}").fetchone()
        assert written.rows[name] == count > 0
    assert written.size == written.path.stat().st_size
    assert sample.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert sample.execute("PRAGMA foreign_key_check").fetchall() == []
    first, last = sample.execute("SELECT min(timestamp), max(timestamp) FROM ohlcv_data").fetchone()
    start, end = (int(moment.timestamp()) // 60 for moment in (written.start, written.end))
    assert start <= minute(first) < start + 5
    assert end - 5 <= minute(last) < end


def test_the_file_is_like_the_applications_own(tmp_path: Path, written: SampleSummary) -> None:
    """Schema and settings, by the application's models and by what SQLite says of both files."""
    own = tmp_path / "own.db"
    engine = sa.create_engine(f"sqlite:///{own}")
    legacy_application.Base.metadata.create_all(engine)
    engine.dispose()

    def schema(path: Path) -> tuple[dict[tuple[str, str], str], list[Any]]:
        with closing(sqlite3.connect(path)) as connection:
            objects = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
            pragmas = ("page_size", "journal_mode", "user_version", "encoding", "auto_vacuum")
            return (
                {(kind, name): re.sub(r"\s+", " ", sql).strip() for kind, name, sql in objects},
                [connection.execute(f"PRAGMA {name}").fetchone() for name in pragmas],
            )

    assert schema(written.path) == schema(own)


def test_the_application_reads_every_row_and_goes_on_writing(written: SampleSummary, tmp_path: Path) -> None:
    copy = tmp_path / "trdinger.db"
    copy.write_bytes(written.path.read_bytes())
    engine = sa.create_engine(f"sqlite:///{copy}")
    with Session(engine) as session:
        for mapper in legacy_application.Base.registry.mappers:
            model = mapper.class_
            count = 0
            for row in session.scalars(sa.select(model).limit(2_000)):
                values = {column.name: getattr(row, column.name) for column in model.__table__.columns}
                for column in model.__table__.columns:
                    value = values[column.name]
                    assert value is not None or column.nullable, (model, column.name)
                    if isinstance(column.type, sa.String) and column.type.length and value is not None:
                        assert len(value) <= column.type.length
                count += 1
            assert count == min(written.rows[model.__tablename__], 2_000)
        candle = legacy_application.OHLCVData(
            symbol="NEW",
            timeframe="1m",
            timestamp=datetime(2025, 6, 1),  # noqa: DTZ001 (as the application has it)
            **dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0),
        )
        (highest,) = session.execute(sa.text("SELECT max(id) FROM ohlcv_data")).one()
        session.add(candle)
        session.commit()
        assert candle.id == highest + 1
    engine.dispose()


def test_every_column_has_the_storage_class_and_form_that_the_application_writes(
    sample: sqlite3.Connection,
) -> None:
    allowed = {
        "DATETIME": "text",
        "FLOAT": "real",
        "JSON": "text",
        "BOOLEAN": "integer",
        "INTEGER": "integer",
    }
    application = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
    server_default = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
    tables = [name for (name,) in sample.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for _, column, declared, not_null, *_ in sample.execute(f"PRAGMA table_info({table})").fetchall():
            expected = allowed.get(declared, "text")
            classes = {kind for (kind,) in sample.execute(f'SELECT DISTINCT typeof("{column}") FROM {table}')}
            assert classes <= ({expected} if not_null else {expected, "null"}), (table, column)
            if declared == "DATETIME":
                forms = [application]
                if column in ("created_at", "updated_at"):
                    forms = [server_default, application] if column == "updated_at" else [server_default]
                for (text,) in sample.execute(
                    f'SELECT DISTINCT "{column}" FROM {table} WHERE "{column}" NOT NULL'
                ):
                    assert any(form.fullmatch(text) for form in forms), (table, column, text)
            if declared == "JSON":
                for (text,) in sample.execute(f'SELECT "{column}" FROM {table} WHERE "{column}" NOT NULL'):
                    assert json.dumps(json.loads(text)) == text, (table, column)


def test_its_columns_are_stored_as_in_the_real_legacy_file(
    sample: sqlite3.Connection, legacy_file: Path
) -> None:
    with closing(sqlite3.connect(legacy_file)) as real:
        for (table,) in real.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, declared, *_ in real.execute(f"PRAGMA table_info({table})").fetchall():
                form = f'typeof("{column}")' + (
                    f', CASE typeof("{column}") WHEN \'text\' THEN length("{column}") END'
                    if declared == "DATETIME" and column not in ("created_at", "updated_at")
                    else ""
                )
                query = f'SELECT DISTINCT {form} FROM {table} WHERE "{column}" NOT NULL'
                theirs, ours = set(real.execute(query)), set(sample.execute(query))
                assert theirs <= ours, (table, column)
                assert not theirs or ours == theirs, (table, column)


def test_candles_are_possible_aligned_and_unique(sample: sqlite3.Connection) -> None:
    assert sample.execute(
        "SELECT count(*) FROM ohlcv_data WHERE high < max(open, close) OR low > min(open, close)"
        " OR low <= 0 OR volume < 0"
    ).fetchone() == (0,)
    (total, distinct) = sample.execute(
        "SELECT count(*), count(DISTINCT symbol || timeframe || timestamp) FROM ohlcv_data"
    ).fetchone()
    assert total == distinct == ROWS
    for timeframe, text in sample.execute("SELECT DISTINCT timeframe, timestamp FROM ohlcv_data"):
        assert minute(text) % MINUTES[timeframe] == 0
        assert text.endswith(":00.000000")
    moving = sample.execute("SELECT count(*) FROM ohlcv_data WHERE high > low AND volume > 0").fetchone()[0]
    assert moving > 0.95 * ROWS
    for (price,) in sample.execute("SELECT DISTINCT close FROM ohlcv_data WHERE symbol LIKE 'BTC%'"):
        assert Decimal(repr(price)).as_tuple().exponent >= -1
        assert 30_000 < price < 400_000


def test_coarse_candles_are_made_of_the_fine_ones(sample: sqlite3.Connection) -> None:
    fine: dict[int, tuple[Any, ...]] = {
        minute(time): bar
        for time, *bar in sample.execute(
            "SELECT timestamp, open, high, low, close, volume FROM ohlcv_data"
            " WHERE symbol LIKE 'ETH%' AND timeframe = '1m'"
        )
    }  # type: ignore[misc]
    compared = 0
    for time, timeframe, *bar in sample.execute(
        "SELECT timestamp, timeframe, open, high, low, close, volume FROM ohlcv_data"
        " WHERE symbol LIKE 'ETH%' AND timeframe <> '1m'"
    ):
        begin = minute(time)
        if begin < min(fine):
            continue
        parts = [fine[at] for at in range(begin, begin + MINUTES[timeframe]) if at in fine]
        opens, highs, lows, closes, volumes = zip(*parts, strict=True)
        assert bar[:4] == [opens[0], max(highs), min(lows), closes[-1]]
        assert Decimal(repr(bar[4])) == sum(Decimal(repr(volume)) for volume in volumes)
        compared += 1
    assert compared > 500


def test_a_series_is_gapless_but_for_a_few_outages(sample: sqlite3.Connection) -> None:
    for (symbol,) in sample.execute("SELECT DISTINCT symbol FROM ohlcv_data").fetchall():
        minutes = [
            minute(text)
            for (text,) in sample.execute(
                "SELECT timestamp FROM ohlcv_data WHERE symbol = ? AND timeframe = '1m' ORDER BY 1", (symbol,)
            )
        ]
        gaps = [after - before for before, after in pairwise(minutes) if after - before > 1]
        assert 1 <= len(gaps) <= 8
        assert max(gaps) <= 1_201


def test_funding_comes_every_eight_hours_with_its_milliseconds(sample: sqlite3.Connection) -> None:
    rows = sample.execute("SELECT symbol, funding_timestamp, funding_rate FROM funding_rate_data").fetchall()
    assert len({row[:2] for row in rows}) == len(rows)
    assert any(not text.endswith("000000") for _, text, _ in rows)
    for _, text, rate in rows:
        assert minute(text) % 480 == 0
        assert -0.003 <= rate <= 0.003
    hourly = sample.execute("SELECT DISTINCT data_timestamp FROM open_interest_data").fetchall()
    assert all(minute(text) % 60 == 0 for (text,) in hourly)


def test_ids_are_dense_but_for_what_was_deleted(sample: sqlite3.Connection) -> None:
    count, highest, lowest = sample.execute("SELECT count(*), max(id), min(id) FROM ohlcv_data").fetchone()
    assert lowest == 1
    assert highest == count + 2 * (count // 100)
    falling = sample.execute(
        "SELECT count(*) FROM ohlcv_data a JOIN ohlcv_data b ON b.id = a.id + 1"
        " WHERE b.timestamp < a.timestamp"
    ).fetchone()[0]
    assert falling > 10  # collected newest page first


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(tmp_path: Path) -> None:
    options = SampleOptions(rows=3_000, seed=11)
    first, second, other = (tmp_path / name for name in ("first.db", "second.db", "other.db"))
    write_sample(first, options)
    write_sample(second, options)
    write_sample(other, SampleOptions(rows=3_000, seed=12))
    assert dump(first) == dump(second)
    assert first.read_bytes() == second.read_bytes()
    assert dump(first) != dump(other)


@pytest.mark.parametrize("rows", [1, 9, 28, 999])
def test_any_number_of_candles_is_reached_exactly(tmp_path: Path, rows: int) -> None:
    summary = write_sample(tmp_path / "sample.db", SampleOptions(rows=rows))
    with closing(sqlite3.connect(summary.path)) as connection:
        assert connection.execute("SELECT count(*) FROM ohlcv_data").fetchone() == (rows,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert len(summary.rows) == 9
    assert min(summary.rows.values()) > 0


def test_symbols_and_timeframes_are_those_that_were_asked_for(tmp_path: Path) -> None:
    symbols, timeframes = ("DOGE/USDT:USDT", "it's; --", "取引"), ("3m", "12h")
    options = SampleOptions(rows=2_000, symbols=symbols, timeframes=timeframes)
    summary = write_sample(tmp_path / "sample.db", options)
    with closing(sqlite3.connect(summary.path)) as connection:
        held = set(connection.execute("SELECT DISTINCT symbol, timeframe FROM ohlcv_data"))
        assert held == {(symbol, timeframe) for symbol in symbols for timeframe in timeframes}


def test_progress_ends_where_it_said_it_would(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write_sample(tmp_path / "sample.db", SMALL, progress=lambda *each: told.append(each))
    last = {stage: (done, total) for stage, done, total in told}
    assert last == {"candles": (500, 500), "other tables": (8, 8), "indexes": (last["indexes"][1],) * 2}
    for stage in last:
        done = [each for name, each, _ in told if name == stage]
        assert done == sorted(done)


def test_a_file_that_is_there_stays_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "sample.db"
    path.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"is there already; nothing was written\..*--force"):
        write_sample(path, SMALL)
    assert path.read_bytes() == b"mine"
    write_sample(path, SMALL, overwrite=True)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM ohlcv_data").fetchone() == (500,)
    assert [each.name for each in tmp_path.iterdir()] == ["sample.db"]


def test_a_file_that_appears_meanwhile_stays_too(tmp_path: Path) -> None:
    path = tmp_path / "sample.db"
    with pytest.raises(UsageError, match="is there already"):
        write_sample(path, SMALL, progress=lambda *_: path.write_bytes(b"mine") and None)
    assert path.read_bytes() == b"mine"
    assert [each.name for each in tmp_path.iterdir()] == ["sample.db"]


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_database_in_use_is_not_overwritten_even_when_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "sample.db"
    path.write_bytes(b"mine")
    path.with_name(path.name + suffix).write_bytes(b"its journal")
    with pytest.raises(UsageError, match="belongs to a database that is in use or was cut off"):
        write_sample(path, SMALL, overwrite=True)
    assert path.read_bytes() == b"mine"


def test_folders_pipes_and_places_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a folder\. Name a file in it"):
        write_sample(tmp_path, SMALL, overwrite=True)
    with pytest.raises(UsageError) as refused:
        write_sample(tmp_path / "it's not" / "sample.db", SMALL)
    assert "There is no folder" in refused.value.message
    assert str(refused.value.hint).endswith("it'\"'\"'s not'")
    os.mkfifo(tmp_path / "pipe.db")
    with pytest.raises(UsageError, match="is no ordinary file"):
        write_sample(tmp_path / "pipe.db", SMALL, overwrite=True)
    assert (tmp_path / "pipe.db").is_fifo()


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be written: File name too long"):
        write_sample(tmp_path / ("x" * 300), SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(full_disk: Callable[..., Path]) -> None:
    disk = full_disk(256 << 10)
    with pytest.raises(SourceError, match=r"The disk is full: .* was not written\. Free some space"):
        write_sample(disk / "sample.db", SampleOptions(rows=20_000))
    assert list(disk.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    asked = threading.Event()

    def interrupt(*_: object) -> None:
        asked.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "sample.db", SMALL, progress=interrupt)
    assert asked.is_set()
    assert list(tmp_path.iterdir()) == []
