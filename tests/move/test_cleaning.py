"""What an abandoned move left is removed on request: all of it, and nothing that anybody else wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from move.moving import Heard, move, planned
from trdinger import schema
from trdinger.declaration import TABLES
from trdinger.engine.connect import Database
from trdinger.errors import EngineBusy, SourceError, TargetRefused
from trdinger.move import ledger
from trdinger.move.cleaning import clean, would_clean
from trdinger.move.history import Entry, abandoned, known
from trdinger.move.run import migrate
from trdinger.sample import spoil


class Stopped(Exception):
    """What ends a move in these tests."""


class Stopping(Heard):
    """Progress that ends the move in a stage, once so much of it is done."""

    def __init__(self, stage: str, done: int) -> None:
        super().__init__()
        self._at, self._after = stage, done

    def advance(self, done: int, *, detail: str | None = None, size: int = 0) -> None:
        super().advance(done)
        if self.stages[-1] == self._at and self.done[self._at] >= self._after:
            raise Stopped


def stopped(source: Path, database: Database, stage: str = "Copy", done: int = 2_000) -> Entry:
    """A move that was left in the middle."""
    with pytest.raises(Stopped):
        migrate(planned(source, database), Stopping(stage, done))
    return only(database)


def only(database: Database) -> Entry:
    (entry,) = known(database)
    return entry


def ask(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def pack(database: Database) -> None:
    """Compress what an update took out of its batch."""
    for (chunk,) in ask(
        database,
        "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks",
    ):
        ask(database, f"SELECT compress_chunk('{chunk}', if_not_compressed => true)")


def check(database: Database) -> None:
    """The schema is as declared: the keys that were off for the copy are there again."""
    with using(database) as engine:
        schema.check(engine)


@contextmanager
def using(database: Database) -> Iterator[sa.Engine]:
    """An engine that keeps no session beyond the block: there may be only one."""
    engine = database.engine()
    try:
        yield engine
    finally:
        engine.dispose()


def held(database: Database) -> dict[str, int]:
    return {table: ask(database, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def test_an_abandoned_copy_leaves_an_empty_schema_and_no_line(database: Database, source: Path) -> None:
    before = source.read_bytes()
    entry = stopped(source, database)
    assert (entry.state, entry.source, entry.report) == ("unfinished", str(source.resolve()), None)
    rows = {table: count for table, count in held(database).items() if count}
    assert entry.rows == sum(rows.values()) >= 2_000
    cleaning = clean(database, entry, Heard())
    assert (cleaning.rows, cleaning.removed, cleaning.backup_removed) == (rows, True, False)
    assert sum(held(database).values()) == 0
    assert known(database) == []
    assert ask(database, "SELECT count(*) FROM trdinger_ledger.unit") == [(0,)]
    check(database)
    assert entry.backup.path.exists()
    assert source.read_bytes() == before
    entry.backup.path.unlink()
    assert move(source, database).equal


@pytest.mark.parametrize("stage", ["Finish", "Verify"])
def test_a_move_that_was_left_after_its_copy_is_removed_too(
    database: Database, source: Path, stage: str
) -> None:
    entry = stopped(source, database, stage, 1 if stage == "Finish" else 5_000)
    assert entry.steps[0][0] == "keys of ohlcv_data"
    clean(database, entry, Heard())
    assert sum(held(database).values()) == 0
    check(database)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO strategy_templates (name, category, config_json) VALUES ('mine', 'x', '{}')",
        "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        " VALUES ('MINE', '1h', '2031-01-01', 1, 1, 1, 1, 1)",
        "UPDATE ohlcv_data SET close = close + 1 WHERE id = (SELECT min(id) FROM ohlcv_data)",
        "DELETE FROM ohlcv_data WHERE id = (SELECT min(id) FROM ohlcv_data)",
    ],
    ids=["a row of theirs", "a candle of theirs", "a changed candle", "a candle taken away"],
)
def test_what_somebody_else_wrote_is_never_removed(database: Database, source: Path, statement: str) -> None:
    # Of several connections that copy, another may be first: candles are all in at the finish.
    entry = stopped(source, database, "Finish", 1) if "ohlcv" in statement else stopped(source, database)
    ask(database, statement)
    before = held(database)
    for act in (would_clean, clean):
        with pytest.raises(TargetRefused, match="Nothing was removed") as refused:
            act(database, entry, Heard())
        assert "--existing replace" in (refused.value.hint or "")
    assert held(database) == before
    assert only(database).id == entry.id


def test_a_plan_of_it_changes_nothing(database: Database, source: Path) -> None:
    entry = stopped(source, database)
    before = held(database)
    planned_cleaning = would_clean(database, entry, Heard())
    assert planned_cleaning.rows == {table: count for table, count in before.items() if count}
    assert not planned_cleaning.removed
    assert held(database) == before
    assert only(database) == entry


def test_a_finished_move_is_not_touched_as_long_as_it_has_a_row(database: Database, source: Path) -> None:
    move(source, database)
    entry = only(database)
    assert (entry.state, abandoned(known(database))) == ("finished", None)
    assert entry.report is not None
    with pytest.raises(TargetRefused, match=r"is finished: its .* rows are your data"):
        clean(database, entry, Heard())
    with using(database) as engine:
        schema.downgrade(engine, "base")
    assert clean(database, entry, Heard()).rows == {}
    assert known(database) == []


def test_a_move_that_was_not_proven_is_told_and_removed(database: Database, source: Path) -> None:
    left = stopped(source, database)
    with database.connect() as connection:
        ledger.finish(connection, left.id, {"result": "different"}, proven=False)
    entry = only(database)
    assert entry.state == "differs"
    assert abandoned([entry]) is entry
    clean(database, entry, Heard())
    assert sum(held(database).values()) == 0


def test_tables_of_others_keep_their_rows_and_what_these_refer_to(database: Database, source: Path) -> None:
    entry = stopped(source, database, "Finish", 1)
    assert held(database)["backtest_results"]
    ask(database, "CREATE TABLE notes (backtest bigint REFERENCES backtest_results)")
    ask(database, "INSERT INTO notes SELECT min(id) FROM backtest_results")
    before = held(database)
    with pytest.raises(TargetRefused, match="referred to by notes"):
        clean(database, entry, Heard())
    assert held(database) == before
    ask(database, "DELETE FROM notes")
    clean(database, entry, Heard())
    assert sum(held(database).values()) == 0
    assert ask(database, "SELECT count(*) FROM notes") == [(0,)]


def test_a_move_with_rows_set_aside_is_removed_too(database: Database, source: Path) -> None:
    spoil(source, ["number-text", "json-broken"])
    entry = stopped(source, database, "Verify", 1)
    rejects = {table.table: table.rejects for table in entry.tables if table.rejects}
    assert {"ohlcv_data", "backtest_results"} <= set(rejects)
    assert entry.rows == sum(held(database).values())
    clean(database, entry, Heard())
    assert sum(held(database).values()) == 0
    assert ask(database, "SELECT count(*) FROM trdinger_ledger.reject") == [(0,)]


@pytest.fixture
def with_own(source: Path) -> Path:
    """The small sample with tables of somebody's own, one of them empty, one with an odd name."""
    with closing(sqlite3.connect(source)) as file, file:
        file.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
        file.executemany("INSERT INTO notes VALUES (?, 'x')", [(at,) for at in range(50)])
        file.execute('CREATE TABLE "odd""ly" (k TEXT)')
        file.execute("""INSERT INTO "odd""ly" VALUES ('a')""")
        file.execute("CREATE TABLE blank (k TEXT)")
    return source


def test_own_tables_that_the_move_made_go_with_it(database: Database, with_own: Path) -> None:
    entry = stopped(with_own, database, "Verify", 1)
    rows = clean(database, entry, Heard()).rows
    assert (rows["notes"], rows['odd"ly']) == (50, 1)
    left = {
        table for (table,) in ask(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    assert left - {"alembic_version"} == set(TABLES)
    assert move(with_own, database).equal


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("""INSERT INTO "odd""ly" VALUES ('mine')""", 'odd"ly holds 2 rows'),
        ("INSERT INTO blank VALUES ('mine')", "blank holds 1 rows"),
        ("UPDATE notes SET text = 'mine' WHERE id = 7", "notes holds 1 rows that something else"),
        ("ALTER TABLE blank RENAME TO mine; INSERT INTO mine VALUES ('mine')", "mine holds 1 rows"),
        ("CREATE VIEW mine AS SELECT * FROM notes", "view mine depends on table notes"),
    ],
)
def test_own_tables_that_somebody_wrote_to_stay(
    database: Database, with_own: Path, statement: str, said: str
) -> None:
    entry = stopped(with_own, database, "Verify", 1)
    ask(database, statement)
    before = ask(database, "SELECT relname, oid FROM pg_class WHERE relkind IN ('r', 'v') ORDER BY 1, 2")
    with pytest.raises(TargetRefused) as refused:
        clean(database, entry, Heard())
    assert said in refused.value.message
    assert "Nothing was removed" in refused.value.message
    assert (
        ask(database, "SELECT relname, oid FROM pg_class WHERE relkind IN ('r', 'v') ORDER BY 1, 2") == before
    )
    assert ask(database, "SELECT count(*) FROM notes") == [(50,)]


def test_its_backup_goes_only_when_asked_for_and_unchanged(database: Database, source: Path) -> None:
    entry = stopped(source, database)
    path = entry.backup.path
    whole = path.read_bytes()
    path.write_bytes(whole + b"more")
    with pytest.raises(SourceError, match="was changed since it was made"):
        clean(database, entry, Heard(), backup=True)
    assert only(database).id == entry.id
    path.write_bytes(whole)
    assert clean(database, entry, Heard(), backup=True).backup_removed
    assert not path.exists()
    assert not path.with_name(f"{path.name}.sha256").exists()
    assert source.exists()


@pytest.mark.many
def test_nothing_is_removed_under_a_move_at_work(database: Database, source: Path) -> None:
    entry = stopped(source, database)
    with database.connect(autocommit=True) as connection, ledger.hold(connection):
        assert only(database).state == "under way"
        with pytest.raises(EngineBusy, match="under way, by process"):
            clean(database, entry, Heard())
    assert only(database).state == "unfinished"
    assert only(database).rows == entry.rows


def test_a_ledger_of_the_first_version_is_read_and_cleaned(database: Database, source: Path) -> None:
    stopped(source, database)
    ask(database, "DROP TABLE IF EXISTS trdinger_ledger.reject, trdinger_ledger.replayed")
    ask(database, "DROP TABLE trdinger_ledger.about")
    clean(database, only(database), Heard())
    assert known(database) == []


@pytest.mark.needs("compression")
def test_rows_in_compressed_chunks_are_proven_by_the_backup(database: Database, source: Path) -> None:
    entry = stopped(source, database, "Verify", 1)
    assert ask(database, "SELECT count(*) > 0 FROM timescaledb_information.chunks WHERE is_compressed") == [
        (True,)
    ]
    elsewhere = entry.backup.path.rename(entry.backup.path.with_suffix(".away"))
    with pytest.raises(TargetRefused, match="only its backup can prove"):
        clean(database, entry, Heard())
    elsewhere.rename(entry.backup.path)
    assert sum(held(database).values()) == entry.rows
    assert would_clean(database, entry, Heard()).rows["ohlcv_data"] == held(database)["ohlcv_data"]
    ask(database, "UPDATE ohlcv_data SET close = close + 1 WHERE id = (SELECT min(id) FROM ohlcv_data)")
    pack(database)
    with pytest.raises(TargetRefused, match="are not what the backup"):
        clean(database, entry, Heard())
