"""The same command over a target that was moved into already: what it does, and what it says."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from move.mover import command
from move.moving import Heard, move, planned
from move.oracle import count_equal_cells
from trdinger.engine.connect import Database
from trdinger.errors import EngineBusy, TargetError, TargetRefused
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.plan import Existing
from trdinger.move.run import migrate
from trdinger.move.since import since
from trdinger.schema.upgrade import downgrade

CANDLE = (
    "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
    " VALUES (?, '1h', ?, 1, 1, 1, 1, 1)"
)


def test_a_finished_move_is_verified_again_and_what_came_since_is_told(
    database: Database, source: Path
) -> None:
    first = move(source, database)
    before = _ledger(database)
    heard = Heard()
    again = move(source, database, heard=heard)
    assert again.equal
    assert not again.resumed
    (sentence,) = heard.sentences[:1]
    assert sentence.startswith("Already moved on ")
    assert sentence.endswith(f"; verifying again, by its backup {first.backup}.")
    assert [stage.name for stage in again.stages] == ["Back up", "Verify"]
    assert again.as_json()["stages"][0]["said"] == [sentence]
    assert again.rows == first.rows
    assert _ledger(database) == before, "nothing is entered anew"

    _grow(source)
    heard = Heard()
    grown = move(source, database, heard=heard)
    assert grown.equal, "the target is that of the backup"
    told = heard.sentences[1]
    assert told in grown.as_json()["stages"][0]["said"]
    assert f"{source} changed since it was backed up" in told
    assert "ohlcv_data BTC/USDT:USDT 1h: 2 rows more, the last of 2031-01-01 01:00:00.000000" in told
    assert "ohlcv_data NEW 1h: 1 row more" in told
    assert "strategy_templates: 1 row fewer" in told
    assert "--existing replace" in told

    heard = Heard()
    replaced = move(source, database, heard=heard, existing=Existing.REPLACE)
    assert replaced.equal
    assert not [sentence for sentence in heard.sentences if "changed since" in sentence]
    assert count_equal_cells(source, database)
    assert Path(first.backup).exists(), "an old backup stays"
    assert Path(replaced.backup).exists()
    assert replaced.backup != first.backup
    assert len(_ledger(database)) == 1


def test_a_killed_replacement_goes_on_with_the_same_command(database: Database, source: Path) -> None:
    killed = subprocess.run(
        command(source, database, existing="replace", at=["Copy", 1_500]),
        check=False,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout
    ((begun, *_),) = _ledger(database)
    heard = Heard()
    report = move(source, database, heard=heard, existing=Existing.REPLACE)
    assert report.equal
    assert report.resumed
    assert heard.sentences[0].startswith("Going on with the replacement that began on ")
    assert [row[0] for row in _ledger(database)] == [begun]
    assert count_equal_cells(source, database)
    # Once it has come to its end, the command replaces again.
    assert planned(source, database, existing=Existing.REPLACE).resumed is None


def test_a_finished_move_that_is_found_changed_stays_finished_and_can_be_replaced(
    database: Database, source: Path
) -> None:
    move(source, database, existing=Existing.REPLACE)
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("DELETE FROM strategy_templates")
    assert not move(source, database).equal
    assert _ledger(database)[0][2] is not None
    with psycopg.connect(database.conninfo) as connection:
        kept = connection.execute("SELECT report->>'result' FROM trdinger_ledger.move").fetchone()
        # Had it never been proven: it came to its report, so it is not gone on with but replaced.
        connection.execute("UPDATE trdinger_ledger.move SET finished = NULL")
    assert kept == ("different",)
    assert planned(source, database).resumed is not None
    assert planned(source, database, existing=Existing.REPLACE).resumed is None
    assert move(source, database, existing=Existing.REPLACE).equal


def test_a_finished_move_whose_tables_were_taken_back_is_made_again(database: Database, source: Path) -> None:
    first = move(source, database)
    engine = database.engine()
    downgrade(engine, "base")
    engine.dispose()
    again = move(source, database)
    assert again.equal
    assert again.backup != first.backup
    assert count_equal_cells(source, database)


def test_a_replacement_empties_and_forgets_at_once_or_not_at_all(database: Database, source: Path) -> None:
    """The tables cannot be emptied while another's table refers to them; then the ledger stays as it is."""
    move(source, database)
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("CREATE TABLE note (strategy bigint REFERENCES generated_strategies)")
        connection.execute("INSERT INTO note SELECT id FROM generated_strategies")
    before = _ledger(database)
    with pytest.raises(TargetError, match="cannot truncate"):
        move(source, database, existing=Existing.REPLACE)
    assert _ledger(database) == before
    assert count_equal_cells(source, database)


def test_a_target_that_another_moved_into_meanwhile_is_left_alone(
    database: Database, source: Path, tmp_path: Path
) -> None:
    """Planned on an empty target, run on one that is full: nothing is written twice."""
    late = planned(source, database)
    replacing = planned(source, database, existing=Existing.REPLACE)
    other = tmp_path / "other" / "trdinger.db"
    other.parent.mkdir()
    other.write_bytes(source.read_bytes())
    assert move(other, database).equal
    with pytest.raises(TargetRefused, match="already holds rows in"):
        migrate(late, Heard())
    with pytest.raises(EngineBusy, match="this one wrote no row") as busy:
        migrate(replacing, Heard())
    assert busy.value.hint
    assert count_equal_cells(source, database)
    assert len(_ledger(database)) == 1


def test_nothing_is_told_of_a_source_that_did_not_change(source: Path) -> None:
    now = survey(Source(source))
    assert since(now, now) is None


def test_a_series_that_went_and_a_last_row_that_moved_are_told(source: Path) -> None:
    before = survey(Source(source))
    with closing(sqlite3.connect(source)) as file:
        file.execute("DELETE FROM funding_rate_data WHERE symbol LIKE 'ETH%'")
        file.execute(
            "UPDATE ohlcv_data SET timestamp = '2031-01-01 00:00:00.000000' WHERE id ="
            " (SELECT id FROM ohlcv_data WHERE symbol LIKE 'BTC%' AND timeframe = '1d'"
            " ORDER BY timestamp DESC LIMIT 1)"
        )
        file.commit()
    told = since(before, survey(Source(source))) or ""
    assert "funding_rate_data ETH/USDT:USDT: 180 rows fewer" in told
    assert "ohlcv_data BTC/USDT:USDT 1d: the last row is of 2031-01-01 00:00:00.000000, not of" in told


def _grow(source: Path) -> None:
    with closing(sqlite3.connect(source)) as file:
        file.execute(CANDLE, ("BTC/USDT:USDT", "2031-01-01 00:00:00.000000"))
        file.execute(CANDLE, ("BTC/USDT:USDT", "2031-01-01 01:00:00.000000"))
        file.execute(CANDLE, ("NEW", "2031-01-01 00:00:00.000000"))
        file.execute("DELETE FROM strategy_templates WHERE id = 1")
        file.commit()


def _ledger(database: Database) -> list[tuple[object, ...]]:
    with psycopg.connect(database.conninfo) as connection:
        return connection.execute(
            "SELECT id, backup, finished, (SELECT count(*) FROM trdinger_ledger.unit WHERE move = id),"
            " (SELECT count(*) FROM trdinger_ledger.step WHERE move = id) FROM trdinger_ledger.move"
        ).fetchall()


def test_backups_of_moves_that_were_stopped_before_they_copied_are_named(
    database: Database, source: Path
) -> None:
    stopped = subprocess.run(command(source, database, at=["Check", 1]), check=False, capture_output=True)
    assert stopped.returncode == -signal.SIGKILL
    (left,) = source.with_name("trdinger-move").glob("*.db")
    heard = Heard()
    report = move(source, database, heard=heard)
    assert report.equal
    assert Path(report.backup) != left
    assert any("holds 1 older backup" in sentence for sentence in heard.sentences)
