"""A ledger says of which version it is: an older one is brought up to date, a newer one is left alone."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from move.moving import Heard, move, planned
from trdinger.engine.connect import Database
from trdinger.errors import TargetRefused
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move import ledger, ledger_version
from trdinger.move.checking import accounted
from trdinger.move.history import known
from trdinger.move.ledger import SCHEMA
from trdinger.verify.run import verify


def statement(database: Database, text: str) -> None:
    with psycopg.connect(database.conninfo) as connection:
        connection.execute(text.encode())


def version(database: Database) -> int:
    with database.connect() as connection:
        return ledger_version.of(connection, SCHEMA)


def test_a_move_says_of_which_version_its_ledger_is(database: Database, source: Path) -> None:
    move(source, database)
    assert version(database) == ledger_version.VERSION
    move(source, database)
    with psycopg.connect(database.conninfo) as connection:
        assert connection.execute(f"SELECT count(*) FROM {SCHEMA}.about").fetchone() == (1,)


def test_a_ledger_that_does_not_say_it_is_the_first_and_is_brought_up_to_date(
    database: Database, source: Path
) -> None:
    move(source, database)
    statement(database, f"DROP TABLE {SCHEMA}.about")
    assert version(database) == 1
    with database.connect(autocommit=True) as connection, ledger.hold(connection):
        pass
    assert version(database) == ledger_version.VERSION
    statement(database, f"UPDATE {SCHEMA}.about SET version = 1")
    assert move(source, database).equal
    assert version(database) == ledger_version.VERSION


def test_a_target_with_a_ledger_of_the_first_version_is_verified_and_listed(
    database: Database, source: Path
) -> None:
    move(source, database)
    statement(database, f"DROP TABLE {SCHEMA}.about, {SCHEMA}.reject, {SCHEMA}.replayed")
    held, told = accounted(survey(Source(source)), database)
    assert verify(held, database, Heard()).equal
    assert told["rejects"] == []
    (entry,) = known(database)
    assert (entry.state, entry.rows) == ("finished", held.rows)
    assert move(source, database).equal, "proven again by the same command"


def test_a_newer_ledger_is_refused_and_left_alone(database: Database, source: Path) -> None:
    move(source, database)
    newer = ledger_version.VERSION + 1
    statement(database, f"UPDATE {SCHEMA}.about SET version = {newer}")
    with pytest.raises(TargetRefused, match=f"is of version {newer}; this trdinger knows") as refused:
        planned(source, database)
    assert "newer one" in (refused.value.hint or "")
    with database.connect(autocommit=True) as connection, pytest.raises(TargetRefused):
        ledger.create(connection)
    assert version(database) == newer
