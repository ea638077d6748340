"""Rows that do not fit are set aside whole, all others are moved and proven; mended, each comes once."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from move.mover import command
from move.moving import Heard, move, planned
from move.oracle import count_equal_cells
from trdinger.engine.connect import Database
from trdinger.errors import UsageError, ValuesDoNotFit
from trdinger.legacy import rejects
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.legacy.values import STRICT, Rules
from trdinger.move.checking import CHANGES, accounted
from trdinger.move.plan import Existing
from trdinger.move.replay import Replay, replay
from trdinger.move.report import Report
from trdinger.move.run import migrate
from trdinger.verify.run import verify

NAMES = "symbol, timeframe, timestamp, open, high, low, close, volume"


@pytest.fixture
def spoiled(source: Path) -> Path:
    """A file with one row of every kind that is set aside, and one value that is changed."""
    with closing(sqlite3.connect(source, isolation_level=None)) as file:
        file.execute("DROP INDEX uq_symbol_timeframe_timestamp")
        file.execute("UPDATE ohlcv_data SET open = 'x' WHERE id = 10")
        file.execute("UPDATE ohlcv_data SET timestamp = 'never' WHERE id = 20")
        file.execute("UPDATE ohlcv_data SET symbol = CAST(x'42ff' AS TEXT), volume = x'00' WHERE id = 30")
        file.execute(
            f"INSERT INTO ohlcv_data (id, {NAMES}) SELECT 900000, {NAMES} FROM ohlcv_data WHERE id = 40"
        )
        file.execute("UPDATE funding_rate_data SET symbol = 'FEW', mark_price = 'y' WHERE id = 3")
        file.execute("UPDATE backtest_results SET equity_curve = '[' WHERE id = 1")
        file.executemany(
            "INSERT INTO generated_strategies (id, gene_data, generation, experiment_id, backtest_result_id)"
            " VALUES (?, '{}', 1, ?, ?)",
            [(70_002, 1, 1), (70_003, 4711, None)],
        )
        file.execute("""UPDATE backtest_results SET performance_metrics = '{"a": NaN}' WHERE id = 2""")
    return source


EXPECTED = {
    ("ohlcv_data", 10),
    ("ohlcv_data", 20),
    ("ohlcv_data", 30),
    ("ohlcv_data", 900000),
    ("funding_rate_data", 3),
    ("backtest_results", 1),
    ("generated_strategies", 70_002),
    ("generated_strategies", 70_003),
}


def test_all_but_the_rows_that_do_not_fit_are_moved_and_proven(
    database: Database, spoiled: Path, tmp_path: Path
) -> None:
    heard = Heard()
    report = move(spoiled, database, heard=heard)
    assert (report.equal, report.result) == (True, "rejected")
    told = report.as_json()
    path = Path(told["rejects_file"])
    held = list(rejects.read(path))
    assert {(one.table, one.row) for one in held} >= EXPECTED
    assert {one.table for one in held} == {"ohlcv_data", "funding_rate_data", "backtest_results"} | {
        one.table for one in held if one.table in {"generated_strategies", "strategy_showcase"}
    }
    assert sum(table["rejected"] for table in told["tables"]) == len(held)
    for table in told["tables"]:
        assert table["rows"] == _count(database, table["table"]) + table["rejected"], table
    assert any(f"set aside in {path}" in sentence for sentence in heard.sentences)
    (change,) = [json.loads(line) for line in Path(told["changes_file"]).read_text().splitlines()[1:]]
    assert (change["table"], change["row"], change["path"], change["was"]) == (
        *("backtest_results", 2, "$.a", "NaN"),
    )
    assert _asked(database, "SELECT performance_metrics->'a' FROM backtest_results WHERE id = 2") == [(None,)]
    # What is left of the file without these rows is equal by an oracle of its own.
    rest = Path(shutil.copy(spoiled, tmp_path / "rest.db"))
    with closing(sqlite3.connect(rest, isolation_level=None)) as file:
        for one in held:
            file.execute(f"DELETE FROM {one.table} WHERE rowid = ?", (one.row,))
        file.execute("""UPDATE backtest_results SET performance_metrics = '{"a": null}' WHERE id = 2""")
    assert count_equal_cells(rest, database)


def test_verify_knows_the_rejects_of_the_ledger_and_finds_what_is_lost_besides(
    database: Database, spoiled: Path
) -> None:
    move(spoiled, database)
    held, told = accounted(survey(Source(spoiled)), database.fresh())
    assert told["rejected"]["ohlcv_data"] == 4
    assert verify(held, database.fresh(), Heard()).equal
    with psycopg.connect(database.conninfo) as connection:
        connection.execute("DELETE FROM ohlcv_data WHERE id = 11")
    proof = verify(held, database.fresh(), Heard())
    assert proof.differing == 1
    assert not verify(survey(Source(spoiled)), database.fresh(), Heard()).equal, "as if nothing were known"


def test_killed_in_the_copy_it_goes_on_without_the_rejected_rows(database: Database, spoiled: Path) -> None:
    killed = subprocess.run(
        command(spoiled, database, at=["Copy", 1_500]), check=False, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout
    path = spoiled.with_name("trdinger-move") / rejects.NAME
    before = path.read_bytes()
    path.unlink()
    report = move(spoiled, database)
    assert (report.result, report.resumed) == ("rejected", True)
    assert path.read_bytes() == before, "written again, for it was gone"
    again = move(spoiled, database, stays="last", rules=Rules(text_numbers=True))
    assert again.result == "rejected", "it goes by the rules that it began with"


def test_strict_and_too_many_leave_the_target_untouched(database: Database, spoiled: Path) -> None:
    for options in ({"strict": True}, {"max_rejects": 3}):
        with pytest.raises(ValuesDoNotFit):
            migrate(planned(spoiled, database, **options), Heard())
        assert _asked(database, "SELECT to_regclass('ohlcv_data')") == [(None,)]
    assert move(spoiled, database, max_rejects=100).result == "rejected"


def test_mended_rows_come_in_once_and_the_rest_is_told(database: Database, spoiled: Path) -> None:
    report = move(spoiled, database)
    path = Path(report.as_json()["rejects_file"])
    unchanged = _replay(path, database)
    assert unchanged.replayed.total() == 0
    assert {(bad.table, bad.rowid) for bad in unchanged.left} >= EXPECTED - {("generated_strategies", 70_002)}
    _mend(path, ("ohlcv_data", 10), open=1.5)
    _mend(path, ("ohlcv_data", 20), timestamp="1999-01-01 00:00:00.000000")
    _mend(path, ("ohlcv_data", 30), symbol="NEW/USDT", volume=1)
    _mend(path, ("ohlcv_data", 900000), timestamp="1999-01-02T00:00:00Z", id=900000)
    _mend(path, ("funding_rate_data", 3), mark_price=None)
    _mend(path, ("backtest_results", 1), equity_curve="[NaN]")
    _mend(path, ("generated_strategies", 70_003), experiment_id=1)
    tried = _replay(path, database, writes=False)
    assert tried.replayed.total() == len(list(rejects.read(path)))
    assert _asked(database, "SELECT count(*) FROM ohlcv_data WHERE id = 10") == [(0,)]
    done = _replay(path, database)
    assert done.left == []
    assert done.replayed == tried.replayed
    again = _replay(path, database)
    assert (again.replayed.total(), again.known, again.left) == (0, done.replayed, [])
    assert _asked(database, "SELECT open FROM ohlcv_data WHERE id = 10") == [(1.5,)]
    assert _asked(database, "SELECT equity_curve::text FROM backtest_results WHERE id = 1") == [("[null]",)]
    # What came later is no difference; the next id is after the highest.
    held, _ = accounted(survey(Source(spoiled)), database.fresh())
    proof = verify(held, database.fresh(), Heard())
    assert proof.equal, [str(one) for table in proof.tables for one in table.shown] + proof.structure
    assert move(spoiled, database).result == "rejected"


def test_a_row_whose_place_is_taken_stays_out(database: Database, spoiled: Path) -> None:
    path = Path(move(spoiled, database).as_json()["rejects_file"])
    left = {(bad.table, bad.rowid): bad for bad in _replay(path, database).left}
    assert left["ohlcv_data", 900000].reason == "a row of this key is there already"
    assert left["generated_strategies", 70_003].reason != ""
    _mend(path, ("ohlcv_data", 10), open=2.0, extra=1)
    left = {(bad.table, bad.rowid): bad for bad in _replay(path, database).left}
    assert left["ohlcv_data", 10].reason == "no such column: extra"


def test_numbers_as_text_come_where_that_is_allowed(database: Database, source: Path) -> None:
    with closing(sqlite3.connect(source, isolation_level=None)) as file:
        columns = [row[1] for row in file.execute("PRAGMA table_info(open_interest_data)")]
        listed = ", ".join(columns)
        file.execute("ALTER TABLE open_interest_data RENAME TO old")
        declared = ", ".join(f"{name} INTEGER PRIMARY KEY" if name == "id" else name for name in columns)
        file.execute(f"CREATE TABLE open_interest_data ({declared})")
        file.execute(f"INSERT INTO open_interest_data ({listed}) SELECT {listed} FROM old")
        file.execute("DROP TABLE old")
        file.execute("UPDATE open_interest_data SET open_interest_value = ' 12.5 ' WHERE id = 1")
    report = move(source, database, rules=Rules(text_numbers=True))
    assert report.result == "equal"
    assert report.checked["converted"] == [
        {
            "table": "open_interest_data",
            "column": "open_interest_value",
            "form": "text in a number column",
            "values": 1,
        }
    ]
    assert _asked(database, "SELECT open_interest_value FROM open_interest_data WHERE id = 1") == [(12.5,)]
    assert verify(accounted(survey(Source(source)), database.fresh())[0], database.fresh(), Heard()).equal


def test_a_file_of_another_table_or_target_is_refused(
    database: Database, spoiled: Path, tmp_path: Path
) -> None:
    path = tmp_path / "r.jsonl"
    move(spoiled, database)
    with rejects.writing(path, "00000000-0000-0000-0000-000000000000", "x") as writer:
        writer.reject(rejects.Reject("strangers", 1, {}, ()))
    with pytest.raises(UsageError, match="strangers, which no table"):
        _replay(path, database)


def test_changes_and_rejects_of_an_earlier_move_do_not_stay(
    database: Database, spoiled: Path, small_file: Path
) -> None:
    folder = Path(move(spoiled, database).as_json()["workdir"])
    assert (folder / rejects.NAME).exists()
    assert (folder / CHANGES).exists()
    spoiled.write_bytes(small_file.read_bytes())
    report: Report = move(spoiled, database, existing=Existing.REPLACE)
    assert report.result == "equal"
    assert not (folder / rejects.NAME).exists()
    assert not (folder / CHANGES).exists()
    assert _asked(database, "SELECT count(*) FROM trdinger_ledger.reject") == [(0,)]


def _replay(path: Path, database: Database, *, writes: bool = True) -> Replay:
    return replay(path, database.fresh(), STRICT, Heard(), writes=writes)


def _mend(path: Path, place: tuple[str, int], **values: Any) -> None:
    """Change values of one line, as a person would in an editor."""

    def lines() -> Iterator[str]:
        for line in path.read_text().splitlines():
            told = json.loads(line)
            if (told.get("table"), told.get("row")) == place:
                told["values"] |= values
            yield json.dumps(told)

    path.write_text("\n".join(list(lines())) + "\n")


def _asked(database: Database, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.conninfo) as connection:
        return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]


def _count(database: Database, table: str) -> int:
    ((rows,),) = _asked(database, f"SELECT count(*) FROM {table}")
    return int(rows)
