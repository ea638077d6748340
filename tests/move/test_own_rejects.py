"""Rows of a user's own tables that do not fit are set aside, too, and come in once they are mended."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from move.moving import Heard, move
from trdinger.engine.connect import Database
from trdinger.legacy import rejects
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.legacy.values import STRICT
from trdinger.move.checking import accounted
from trdinger.move.replay import Replay, replay
from trdinger.verify.run import verify

SCHEMA = """
CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL, price REAL, at DATETIME, doc JSON, raw BLOB);
CREATE TABLE lines (note INTEGER REFERENCES notes (id), text TEXT);
CREATE TABLE pairs (a TEXT, b INTEGER, c BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
"""


def written(path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.executescript(SCHEMA)
        for number in range(1, 31):
            row = (number, f"note {number}", number / 8, "2024-01-02 03:04:05.000006", '{"a": 1}', b"\x01")
            file.execute("INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?)", row)
            file.execute("INSERT INTO lines VALUES (?, ?)", (number, f"line {number}"))
            file.execute("INSERT INTO pairs VALUES (?, ?, ?)", (f"k{number}", number, b"x"))
        file.execute("UPDATE notes SET body = x'00ff' WHERE id = 7")
        file.execute("UPDATE pairs SET c = 'a text' WHERE a = 'k3'")
        file.execute("INSERT INTO lines VALUES (4711, 'an orphan')")
    return path


def test_they_are_set_aside_and_replayed_once(database: Database, tmp_path: Path) -> None:
    source = written(tmp_path / "own.db")
    report = move(source, database)
    assert report.result == "rejected", report.as_json()["structure"]
    path = Path(report.as_json()["rejects_file"])
    held = {(one.table, one.row) for one in rejects.read(path)}
    assert held == {("notes", 7), ("pairs", '["k3", 3]')}, "a line without its note stays; its reference goes"
    assert _replay(path, database).replayed.total() == 0
    _mend(path, ("notes", 7), body="mended", id=900)
    _mend(path, ("pairs", '["k3", 3]'), c={"blob_base64": "AP8="})
    done = _replay(path, database)
    assert done.left == []
    assert done.replayed == {"notes": 1, "pairs": 1}
    again = _replay(path, database)
    assert (again.replayed.total(), again.known) == (0, done.replayed)
    asked = _ask(database, "SELECT body, doc->'a', raw FROM notes WHERE id = 900")
    assert asked == [("mended", 1, b"\x01")]
    assert _ask(database, "SELECT c FROM pairs WHERE a = 'k3'") == [(b"\x00\xff",)]
    assert _ask(database, "INSERT INTO notes (body) VALUES ('next') RETURNING id") == [(901,)]
    _ask(database, "DELETE FROM notes WHERE id = 901 RETURNING 1")
    known, _ = accounted(survey(Source(source)), database.fresh())
    proof = verify(known, database.fresh(), Heard())
    assert proof.equal, [str(one) for table in proof.tables for one in table.shown] + proof.structure
    _ask(database, "DELETE FROM pairs WHERE a = 'k4' RETURNING 1")
    assert verify(known, database.fresh(), Heard()).differing == 1


def _replay(path: Path, database: Database) -> Replay:
    return replay(path, database.fresh(), STRICT, Heard())


def _mend(path: Path, place: tuple[str, int | str], **values: Any) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for told in lines:
        if (told.get("table"), told.get("row")) == place:
            told["values"] |= values
    path.write_text("".join(json.dumps(told) + "\n" for told in lines))


def _ask(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]
