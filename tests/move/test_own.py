"""A user's own tables: moved with everything that has a counterpart, proven, resumed, replaced, refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from move.moving import Heard, move, planned
from move.own_oracle import rows_that_are_equal, types
from trdinger.engine.connect import Database
from trdinger.errors import EngineBusy, TargetRefused
from trdinger.legacy.own.choices import NOTHING, Choices, TableChoice
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.checking import accounted
from trdinger.move.copying import Copier
from trdinger.move.plan import Existing
from trdinger.move.run import migrate
from trdinger.verify.differences import Proof
from trdinger.verify.run import verify

SCHEMA = """
CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, title VARCHAR(20) UNIQUE COLLATE NOCASE,
    price DECIMAL(10, 2) DEFAULT 1.5, at DATETIME DEFAULT CURRENT_TIMESTAMP, raw BLOB, doc JSON,
    flag BOOLEAN DEFAULT 0, day DATE, mixed, far INTEGER, twice REAL GENERATED ALWAYS AS (price * 2),
    CHECK (price > 0));
CREATE TABLE "order" ("select" TEXT, "Sélect" INTEGER, v, PRIMARY KEY ("select", "Sélect")) WITHOUT ROWID;
CREATE TABLE lines (note INTEGER REFERENCES notes ON DELETE CASCADE, rowid TEXT, text TEXT);
CREATE INDEX lines_by_text ON lines (text DESC, note);
CREATE TABLE ticks (at INTEGER, symbol TEXT, price REAL, PRIMARY KEY (symbol, at));
CREATE VIEW latest AS SELECT max(at) FROM ticks;
"""
TABLES = {"notes": 39, "order": 30, "lines": 50, "ticks": 600}
HYPER = NOTHING.hypertables(["ticks:at:symbol"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of four tables, none of them Trdinger's."""
    path = tmp_path / "own.db"
    with closing(sqlite3.connect(path)) as file:
        file.executescript(SCHEMA)
        for number in range(1, 41):
            file.execute(
                "INSERT INTO notes (title, price, at, raw, doc, flag, day, mixed, far)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    f"note {number}",
                    number / 4,
                    f"2024-01-{number % 28 + 1:02} 03:04:05",
                    bytes([number, 0, 255]),
                    f'{{"n": {number}, "m": [1.50, null], "a": "ü"}}',
                    number % 2,
                    f"2023-02-{number % 28 + 1:02}",
                    number if number % 2 else f"t{number}",
                    2**53 + number if number % 3 else number + 0.5,
                ),
            )
        file.execute("DELETE FROM notes WHERE id = 40")
        orders = [(f"k{n % 5}", n, None if n % 3 else n) for n in range(30)]
        file.executemany('INSERT INTO "order" VALUES (?, ?, ?)', orders)
        lines = [(n % 39 + 1, f"r{n}", "x" * n) for n in range(50)]
        file.executemany("INSERT INTO lines VALUES (?, ?, ?)", lines)
        ticks = [(1_700_000_000 + n * 60, f"s{n % 2}", -0.0 if n == 1 else float(n)) for n in range(600)]
        file.executemany("INSERT INTO ticks VALUES (?, ?, ?)", ticks)
        file.commit()
    return path


def test_every_row_arrives_with_its_types_keys_and_next_id(database: Database, source: Path) -> None:
    report = move(source, database, choices=HYPER)
    assert report.equal, report.as_json()
    assert {name: rows_that_are_equal(source, database, name) for name in TABLES} == TABLES
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        assert types(connection, "notes") == {
            "id": "bigint",
            "title": "character varying(20)",
            "price": "double precision",
            "at": "timestamp with time zone",
            "raw": "bytea",
            "doc": "jsonb",
            "flag": "boolean",
            "day": "date",
            "mixed": "text",
            "far": "text",
            "twice": "double precision",
        }
        (given,) = connection.execute("INSERT INTO notes (title) VALUES ('new') RETURNING id, price, flag")
        assert given == (41, 1.5, False), "the highest id was 40 once"
        refused: list[tuple[type[psycopg.Error], str]] = [
            (psycopg.errors.UniqueViolation, "INSERT INTO notes (title) VALUES ('NOTE 7')"),
            (psycopg.errors.UniqueViolation, """INSERT INTO "order" VALUES ('k1', 1, 2)"""),
            (psycopg.errors.ForeignKeyViolation, "INSERT INTO lines (note) VALUES (99)"),
            (psycopg.errors.UniqueViolation, "INSERT INTO ticks SELECT * FROM ticks LIMIT 1"),
        ]
        for error, statement in refused:
            with pytest.raises(error):
                connection.execute(statement)
        connection.execute("DELETE FROM notes WHERE id = 1")
        assert connection.execute("SELECT count(*) FROM lines").fetchone() == (48,)
    assert report.as_json()["left_out"] == [
        "view latest",
        "table sqlite_sequence, which is SQLite's or a migration tool's own",
        "notes: CHECK (price > 0)",
        "notes: the expression of the generated column twice, whose values are",
    ]
    assert (
        "notes: column mixed holds numbers (20) beside texts (19): text, with each number's literal"
        in (report.as_json()["otherwise"])
    )


def test_a_hypertable_is_one_where_the_server_has_them(database: Database, source: Path) -> None:
    assert move(source, database, choices=HYPER).equal
    capabilities = database.fresh().capabilities
    if capabilities.has("hypertables"):
        query = (
            "SELECT count(*), count(*) FILTER (WHERE is_compressed) FROM timescaledb_information.chunks"
            " WHERE hypertable_name = 'ticks'"
        )
        ((chunks, compressed),) = rows(database, query)
        assert chunks == 11, "an hour each"
        assert compressed == (11 if capabilities.has("compression") else 0)
    last = "SELECT extract(epoch FROM at)::bigint FROM ticks WHERE symbol = 's1' ORDER BY at DESC LIMIT 1"
    assert rows(database, last) == [(1_700_000_000 + 599 * 60,)]


def test_it_is_proven_again_by_what_was_decided_then(database: Database, source: Path) -> None:
    assert move(source, database, choices=HYPER).equal
    assert verified(source, database).equal
    with closing(sqlite3.connect(source)) as file:
        file.execute("UPDATE lines SET text = 'else' WHERE _rowid_ = 3")
        file.commit()
    proof = verified(source, database)
    assert [(table.table, dict(table.counts)) for table in proof.tables if table.differing] == [
        ("lines", {"missing": 1, "extra": 1})
    ]
    assert move(source, database).equal, "it is the backup that is proven"


def test_a_move_that_was_stopped_goes_on_as_it_began(
    database: Database, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Copier._send_slice
    sent = 0

    def stops(self: Copier, *arguments: Any) -> tuple[int, int]:
        nonlocal sent
        sent += 1
        if sent == 9:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(Copier, "_send_slice", stops)
    with pytest.raises(KeyboardInterrupt):
        move(source, database, choices=HYPER)
    monkeypatch.undo()
    heard = Heard()
    report = move(source, database, heard=heard, choices=NOTHING.hypertables(["ticks:at"]))
    assert report.equal
    assert report.resumed
    assert "It goes on by the plan that it began with, not by the one named now." in heard.sentences
    assert {name: rows_that_are_equal(source, database, name) for name in TABLES} == TABLES


def test_tables_by_these_names_that_no_move_made_are_refused_and_stay(
    database: Database, source: Path
) -> None:
    execute(database, "CREATE TABLE notes (mine text)", "INSERT INTO notes VALUES ('kept')")
    for existing in (Existing.KEEP, Existing.REPLACE):
        with pytest.raises(TargetRefused, match="already holds notes, which no move made"):
            planned(source, database, existing=existing)
    report = move(source, database, existing=Existing.KEEP, left_out=("notes",))
    assert report.equal
    assert "lines: the reference (note) to notes: notes does not move" in report.as_json()["left_out"]
    assert rows(database, "SELECT mine FROM notes") == [("kept",)]


def test_a_replacement_drops_what_a_move_made_and_nothing_else(
    database: Database, source: Path, tmp_path: Path
) -> None:
    assert move(source, database, choices=HYPER).equal
    execute(database, "CREATE TABLE ticks_too (mine text)")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as file:
        file.execute("CREATE TABLE ticks (a TEXT)")
        file.execute("INSERT INTO ticks VALUES ('one')")
        file.commit()
    with pytest.raises(TargetRefused, match="already holds rows in lines, notes, order, ticks"):
        planned(other, database)
    assert move(other, database, existing=Existing.REPLACE).equal
    assert rows(database, "SELECT a FROM ticks") == [("one",)]
    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    assert {name for (name,) in rows(database, tables)} == {"ticks", "ticks_too"}


def test_rows_that_fit_no_type_are_set_aside_and_the_others_proven(database: Database, source: Path) -> None:
    with closing(sqlite3.connect(source)) as file:
        file.execute("CREATE TABLE bad (k TEXT, v, PRIMARY KEY (k)) WITHOUT ROWID")
        bad = [("a", "text"), ("b", "more"), ("c", b"blob"), ("d", "nul\x00"), ("é", b"")]
        file.executemany("INSERT INTO bad VALUES (?, ?)", bad)
        file.execute("INSERT INTO bad SELECT 'f', CAST(x'ff' AS TEXT)")
        file.execute("INSERT INTO ticks VALUES (NULL, 's', 1.0), ('noon', 's', 1.0)")
        file.commit()
    report = move(source, database, choices=HYPER)
    assert report.equal
    assert report.rejected == {"bad": 4, "ticks": 2}
    assert rows(database, "SELECT k, v FROM bad ORDER BY k") == [("a", "text"), ("b", "more")]
    assert rows(database, "SELECT count(*) FROM ticks") == [(600,)]
    assert verified(source, database).equal
    assert move(source, database).equal


def test_a_type_that_was_asked_for_is_kept_and_misfits_are_set_aside(
    database: Database, source: Path
) -> None:
    choices = Choices({"notes": TableChoice(types={"mixed": "bigint"})})
    report = move(source, database, choices=choices)
    assert report.equal
    assert report.rejected == {"notes": 19}
    assert rows(database, "SELECT pg_typeof(mixed)::text, count(*) FROM notes GROUP BY 1") == [("bigint", 20)]
    said = "lines: the reference (note) to notes cannot be made"
    assert any(sentence.startswith(said) for sentence in report.as_json()["skipped"]), "parents are missing"
    assert verified(source, database).equal


def test_keys_that_the_rows_do_not_have_are_left_out_and_told(database: Database, tmp_path: Path) -> None:
    """Two texts of one instant are two keys in SQLite; a value may be too long for any index."""
    path = tmp_path / "keys.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE t (at DATETIME UNIQUE, long TEXT, PRIMARY KEY (at))")
        file.execute("CREATE INDEX by_long ON t (long)")
        file.execute("INSERT INTO t VALUES ('2024-01-01 00:00:00', hex(randomblob(40000)))")
        file.execute("INSERT INTO t VALUES ('2024-01-01T00:00:00', 'x')")
        file.commit()
    report = move(path, database)
    assert report.equal
    told = report.as_json()["skipped"]
    assert any("t: the primary key cannot be made: " in sentence for sentence in told)
    assert any("t: the index by_long cannot be made: " in sentence for sentence in told)
    assert rows_that_are_equal(path, database, "t") == 2
    assert verified(path, database).equal
    assert move(path, database).equal


def test_they_come_beside_trdingers_own(database: Database, small_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "trdinger.db"
    path.write_bytes(small_file.read_bytes())
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE favourites (backtest INTEGER REFERENCES backtest_results (id), why TEXT)")
        file.execute("INSERT INTO favourites SELECT id, 'good' FROM backtest_results LIMIT 3")
        file.commit()
    report = move(path, database)
    assert report.equal
    assert rows_that_are_equal(path, database, "favourites") == 3
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        execute(database, "INSERT INTO favourites VALUES (999999, 'none')")
    told = {table["table"]: table["rows"] for table in report.as_json()["tables"]}
    assert told["favourites"] == 3
    assert told["ohlcv_data"] == 3_000
    with pytest.raises(TargetRefused, match="already holds rows in"):
        planned(renamed(path), database)


def test_two_moves_at_once_are_told(database: Database, source: Path) -> None:
    plan = planned(source, database)
    assert move(source, database).equal
    with pytest.raises(EngineBusy, match="Another process began or ended a move"):
        migrate(plan, Heard())


def renamed(path: Path) -> Path:
    other = path.with_name("other.db")
    other.write_bytes(path.read_bytes())
    return other


def verified(source: Path, database: Database) -> Proof:
    held, _ = accounted(survey(Source(source), look=False), database.fresh())
    return verify(held, database.fresh(), Heard())


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.conninfo) as connection:
        return connection.execute(query).fetchall()


def execute(database: Database, *statements: str) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
