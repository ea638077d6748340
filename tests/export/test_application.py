"""The database as a file of the application: equal, in its form, at one moment, whole or not there."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from export.hearing import At
from export.oracle import count_equal_cells, forms_of_times, schema
from faults.proxy import Proxy
from move.moving import Heard, move
from schema import legacy_application
from schema.conftest import upgrade
from trdinger.engine.connect import Database
from trdinger.errors import SourceError, TargetError, Transient, UsageError
from trdinger.export.application import export, plan


def test_a_round_trip_gives_equal_cells(moved: Database, source: Path, tmp_path: Path) -> None:
    back = tmp_path / "back.db"
    done = export(moved, back, Heard())
    assert done.equal
    assert not done.unheld
    with closing(sqlite3.connect(source)) as file:
        cells = sum(
            file.execute(f"SELECT count(*) * {len(table.columns)} FROM {name}").fetchone()[0]
            for name, table in legacy_application.Base.metadata.tables.items()
        )
    assert count_equal_cells(source, back) == cells > 50_000
    assert done.bytes == back.stat().st_size


def test_so_it_does_for_the_real_file(database: Database, legacy_file: Path, tmp_path: Path) -> None:
    assert move(legacy_file, database).equal
    back = tmp_path / "back.db"
    assert export(database.fresh(), back, Heard()).equal
    assert count_equal_cells(legacy_file, back) > 100_000
    assert forms_of_times(legacy_file) == {True, False}
    assert forms_of_times(back) == {True}


def test_the_file_is_the_applications_own_in_schema_and_settings(few: Database, tmp_path: Path) -> None:
    own, back = tmp_path / "own.db", tmp_path / "back.db"
    engine = sa.create_engine(f"sqlite:///{own}")
    legacy_application.Base.metadata.create_all(engine)
    engine.dispose()
    export(few, back, Heard())
    assert schema(back) == schema(own)


def test_the_application_reads_it_and_goes_on_with_the_next_id(few: Database, tmp_path: Path) -> None:
    with psycopg.connect(few.conninfo) as connection:
        connection.execute("DELETE FROM ohlcv_data WHERE id = (SELECT max(id) FROM ohlcv_data)")
    back = tmp_path / "back.db"
    export(few, back, Heard())
    engine = sa.create_engine(f"sqlite:///{back}")
    with Session(engine) as session:
        first = session.scalars(sa.select(legacy_application.OHLCVData).order_by("id")).first()
        assert first is not None
        assert (first.symbol, first.open, first.close) == ("BTC/USDT", 1.0, 1.1)
        assert first.timestamp == datetime(2024, 1, 1, 1)  # noqa: DTZ001 (as the application has it)
        one, two = session.scalars(sa.select(legacy_application.GAExperiment).order_by("id"))
        assert one.config == {"a": [1, 2.5, 1e-9, "é😀"], "b": None}
        assert two.config == 7
        candle = legacy_application.OHLCVData(
            symbol="NEW",
            timeframe="1m",
            timestamp=datetime(2025, 6, 1),  # noqa: DTZ001
            **dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0),
        )
        session.add(candle)
        session.commit()
        assert candle.id == 6  # the highest + 1: the deleted one's is given out again
    engine.dispose()


def test_json_is_written_as_the_application_writes_it(few: Database, tmp_path: Path) -> None:
    back = tmp_path / "back.db"
    export(few, back, Heard())
    with closing(sqlite3.connect(back)) as file:
        rows = file.execute("SELECT typeof(config), config FROM ga_experiments ORDER BY id").fetchall()
    assert rows == [
        ("text", r'{"a": [1, 2.50, 0.000000001, "\u00e9\ud83d\ude00"], "b": null}'),
        ("integer", 7),
    ]


def test_null_and_json_null_are_two_things(few: Database, tmp_path: Path) -> None:
    with psycopg.connect(few.conninfo) as connection:
        connection.execute(
            "INSERT INTO generated_strategies (experiment_id, gene_data, generation, parent_ids)"
            " VALUES (1, 'null', 1, 'null'), (1, '[]', 1, NULL)"
        )
    back = tmp_path / "back.db"
    assert export(few, back, Heard()).equal
    with closing(sqlite3.connect(back)) as file:
        rows = file.execute("SELECT gene_data, parent_ids FROM generated_strategies ORDER BY id").fetchall()
    assert rows == [("null", "null"), ("[]", None)]


UNHELD = """
UPDATE ohlcv_data SET close = 'NaN' WHERE open = 2;
UPDATE ohlcv_data SET created_at = 'infinity', high = 'NaN' WHERE open = 3;
UPDATE ohlcv_data SET volume = '-0.0', high = 'Infinity' WHERE open = 4;
UPDATE funding_rate_data SET mark_price = 'NaN';
UPDATE ga_experiments SET config = '0.12345678901234567890' WHERE name = 'two';
UPDATE ga_experiments SET config = '1e400' WHERE name = 'one';
INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)
VALUES ('BTC/USDT', '1h', 'infinity', 1, 1, 1, 1, 1), ('OLD', '1h', '0044-03-15 BC', 1, 1, 1, 1, 1),
       ('OLD', '1h', '20000-01-01', 1, 1, 1, 1, 1), ('EDGE', '1h', '0001-01-01', 1, 1, 1, 1, 1),
       ('EDGE', '1h', '9999-12-31 23:59:59.999999', 1, 1, 1, 1, 1);
"""


def test_what_sqlite_cannot_hold_is_listed_and_all_else_is_there(few: Database, tmp_path: Path) -> None:
    with psycopg.connect(few.conninfo) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        for statement in UNHELD.split(";"):
            connection.execute(statement.encode())
    back = tmp_path / "back.db"
    done = export(few, back, Heard())
    assert done.equal, done.as_json()
    told = {(one.table, one.column, one.value): one.became for one in done.unheld}
    assert told == {
        ("ohlcv_data", "close", "nan"): None,
        ("ohlcv_data", "high", "nan"): None,
        ("ohlcv_data", "created_at", "infinity"): None,
        ("ohlcv_data", "timestamp", "infinity"): None,
        ("ohlcv_data", "timestamp", "-63517824000000000 microseconds since 1970"): None,
        ("ohlcv_data", "timestamp", "568971820800000000 microseconds since 1970"): None,
        ("ohlcv_data", "volume", "-0.0"): "0.0",
        ("funding_rate_data", "mark_price", "NaN"): "null",
        ("ga_experiments", "config", "0.12345678901234567890"): "0.12345678901234568",
        ("ga_experiments", "config", "1" + "0" * 400): None,
    }
    with closing(sqlite3.connect(back)) as file:
        opens = [row[0] for row in file.execute("SELECT open FROM ohlcv_data WHERE symbol = 'BTC/USDT'")]
        assert sorted(opens) == [1.0, 4.0, 5.0, 6.0]
        edges = file.execute("SELECT timestamp FROM ohlcv_data WHERE symbol = 'EDGE' ORDER BY id").fetchall()
        assert edges == [("0001-01-01 00:00:00.000000",), ("9999-12-31 23:59:59.999999",)]
        assert file.execute("SELECT high FROM ohlcv_data WHERE open = 4").fetchone() == (float("inf"),)


def meddle(database: Database) -> None:
    """Write as the application might while an export goes on."""
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("UPDATE ohlcv_data SET close = close + 1 WHERE open = 1")
        connection.execute(
            "INSERT INTO ga_experiments (name, status, progress, current_generation, config)"
            " VALUES ('later', 'done', 1, 3, '{}')"
        )


@pytest.mark.many
@pytest.mark.parametrize("stage", ["Write", "Index", "Verify"])
def test_all_of_it_is_of_one_moment_and_so_is_its_proof(few: Database, tmp_path: Path, stage: str) -> None:
    back = tmp_path / "back.db"
    done = export(few, back, At(stage, lambda: meddle(few)))
    assert done.same_moment
    assert done.equal, done.as_json()
    with closing(sqlite3.connect(back)) as file:
        assert file.execute("SELECT close FROM ohlcv_data WHERE open = 1").fetchone() == (1.1,)
        assert file.execute("SELECT name FROM ga_experiments").fetchall() == [("one",), ("two",)]


def test_a_plan_tells_and_writes_nothing(few: Database, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    planned = plan(few, tmp_path / "back.db").as_json()
    rows = {one["table"]: one["rows"] for one in planned["tables"]}
    assert (rows["ohlcv_data"], rows["ga_experiments"], rows["strategy_templates"]) == (6, 2, 0)
    assert planned["bytes"] > 0
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_that_is_there_stays(few: Database, tmp_path: Path) -> None:
    back = tmp_path / "back.db"
    back.write_bytes(b"mine")
    for attempt in (plan, lambda database, path: export(database, path, Heard())):
        with pytest.raises(UsageError, match="is there already; nothing was written"):
            attempt(few, back)  # type: ignore[operator]
    with pytest.raises(UsageError, match="There is no folder"):
        plan(few, tmp_path / "nowhere" / "back.db")
    assert back.read_bytes() == b"mine"
    assert [one.name for one in tmp_path.iterdir()] == ["back.db"]


def test_a_file_that_appears_meanwhile_stays_too(few: Database, tmp_path: Path) -> None:
    back = tmp_path / "back.db"

    with pytest.raises(UsageError, match="is there already"):
        export(few, back, At("Verify", lambda: back.write_bytes(b"mine")))
    assert back.read_bytes() == b"mine"
    assert [one.name for one in tmp_path.iterdir()] == ["back.db"]


def test_a_disk_without_room_is_told_before_and_one_that_fills_leaves_nothing(
    few: Database, tmp_path: Path, full_disk: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = full_disk(96 << 10)
    with pytest.raises(SourceError, match=r"needs about .* bytes.* Nothing was written"):
        export(few, disk / "back.db", Heard())
    monkeypatch.setattr("trdinger.export.application._room", lambda _planned: None)
    with pytest.raises(SourceError, match=r"The disk is full: .* was not written\. Free some space"):
        export(few, disk / "back.db", Heard())
    assert list(disk.iterdir()) == []


def test_a_disk_that_fills_with_rows_leaves_nothing(
    moved: Database, full_disk: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = full_disk(512 << 10)
    monkeypatch.setattr("trdinger.export.application._room", lambda _planned: None)
    with pytest.raises(SourceError, match=r"The disk is full: .* was not written\. Free some space"):
        export(moved, disk / "back.db", Heard())
    assert list(disk.iterdir()) == []


def test_a_database_without_our_tables_or_of_another_version_is_told(
    database: Database, tmp_path: Path
) -> None:
    with pytest.raises(TargetError, match="holds none of Trdinger's tables"):
        export(database, tmp_path / "back.db", Heard())
    upgrade(database)
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("ALTER TABLE ga_experiments DROP COLUMN best_fitness")
    with pytest.raises(TargetError, match=r"ga_experiments lacks best_fitness.*trdinger db upgrade"):
        export(database, tmp_path / "back.db", Heard())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.many
def test_a_line_that_is_lost_leaves_nothing(
    few: Database, tmp_path: Path, proxy: Callable[[Database], Proxy]
) -> None:
    line = proxy(few)

    with pytest.raises(Transient):
        export(line.database, tmp_path / "back.db", At("Write", line.cut))
    assert list(tmp_path.iterdir()) == []


_KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[4:]
from pathlib import Path
from sqlalchemy.engine import make_url
from export.hearing import At
from trdinger.engine.connect import Database
from trdinger.export.application import export
die = At(sys.argv[3], lambda: os.kill(os.getpid(), signal.SIGKILL))
export(Database(make_url(sys.argv[1])), Path(sys.argv[2]), die)
"""


@pytest.mark.many
@pytest.mark.parametrize("stage", ["Write", "Index", "Verify"])
def test_killed_it_leaves_no_file_and_the_same_command_writes_it(
    few: Database, tmp_path: Path, stage: str
) -> None:
    back = tmp_path / "back.db"
    url = few.url.render_as_string(hide_password=False)
    ended = subprocess.run([sys.executable, "-c", _KILLED, url, str(back), stage, *sys.path], check=False)
    assert ended.returncode == -9
    assert not back.exists()
    assert export(few, back, Heard()).equal
    assert [one.name for one in tmp_path.iterdir()] == ["back.db"]


def test_a_left_part_that_is_a_finished_file_by_another_name_is_not_written_to(
    few: Database, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.db"
    kept.write_bytes(b"finished")
    (tmp_path / "back.db.part").hardlink_to(kept)
    export(few, tmp_path / "back.db", Heard())
    assert kept.read_bytes() == b"finished"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["back.db", "kept.db"]


@pytest.mark.many
def test_two_exports_into_one_file_do_not_mix(few: Database, tmp_path: Path) -> None:
    back = tmp_path / "back.db"
    refused: list[str] = []

    def again() -> None:
        with pytest.raises(UsageError, match="is being written by another process") as error:
            export(few, back, Heard())
        refused.append(error.value.message)

    assert export(few, back, At("Index", again)).equal
    assert len(refused) == 1


def test_tables_that_no_export_has_are_named(few: Database, tmp_path: Path) -> None:
    assert export(few, tmp_path / "back.db", Heard()).as_json()["others"] == []
    with few.connect() as connection:
        connection.execute("CREATE TABLE notes (id int)")
    try:
        assert export(few, tmp_path / "again.db", Heard()).as_json()["others"] == ["notes"]
    finally:
        with few.connect() as connection:
            connection.execute("DROP TABLE notes")
