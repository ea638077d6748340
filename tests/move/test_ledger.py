"""The ledger: a unit is claimed once, a target is held by one, a move proven once stays finished."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from trdinger.engine.connect import Database
from trdinger.errors import EngineBusy, Transient
from trdinger.legacy.backup import Backup
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move import ledger
from trdinger.move.units import Sizes, Unit, units

BACKUP = Backup(Path("/backups/one.db"), "0" * 64, 123)
ROWS = 7


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(autocommit=True) as opened:
        ledger.create(opened)
        yield opened


@pytest.fixture
def unit(source: Path) -> Unit:
    return next(iter(units(survey(Source(source)), Sizes())))


def begin(connection: psycopg.Connection[Any], **given: Any) -> uuid.UUID:
    """A move of a.db that has begun; its id."""
    move = uuid.uuid4()
    told = {"sizes": Sizes(), "checked": {}} | given
    ledger.begin(connection, move, Path("a.db"), BACKUP, **told)
    return move


def test_what_is_entered_is_read_back(connection: psycopg.Connection[Any], unit: Unit) -> None:
    move = begin(
        connection,
        sizes=Sizes(5, 6),
        checked={"converted": []},
        rejected={"ohlcv_data": frozenset({7, -3}), "own": frozenset({'["k"]'})},
        replacing=True,
    )
    (found,) = ledger.moves(connection)
    assert (found.id, found.source) == (move, str(Path("a.db").resolve()))
    assert (found.backup, found.sizes, found.checked) == (BACKUP, Sizes(5, 6), {"converted": []})
    assert (found.replacing, found.ended, found.finished) == (True, False, None)
    assert found.worker == f"process {os.getpid()} on {socket.gethostname()}"
    assert ledger.rejected(connection, move) == {
        "ohlcv_data": frozenset({7, -3}),
        "own": frozenset({'["k"]'}),
    }
    assert ledger.claim(connection, move, unit, ROWS)
    assert ledger.committed(connection, move) == {("ohlcv_data", 0): ROWS}
    ledger.step_done(connection, move, "keys", 0.5)
    assert ledger.steps(connection, move) == {"keys"}
    ledger.create(connection)
    assert len(ledger.moves(connection)) == 1, "made once"


def test_a_move_is_finished_by_its_proof_and_stays_so(connection: psycopg.Connection[Any]) -> None:
    move = begin(connection)
    ledger.finish(connection, move, {"result": "different"}, proven=False)
    (found,) = ledger.moves(connection)
    assert (found.ended, found.finished) == (True, None)
    ledger.finish(connection, move, {"result": "equal"}, proven=True)
    finished = ledger.moves(connection)[0].finished
    assert finished is not None
    ledger.finish(connection, move, {"result": "different"}, proven=False)
    assert ledger.moves(connection)[0].finished == finished


def test_a_move_that_was_replaced_while_it_was_verified_says_so(
    connection: psycopg.Connection[Any], unit: Unit
) -> None:
    move = begin(connection)
    ledger.claim(connection, move, unit, ROWS)
    ledger.forget(connection)
    assert ledger.moves(connection) == []
    assert ledger.committed(connection, move) == {}
    with pytest.raises(EngineBusy, match="another one replaced it"):
        ledger.finish(connection, move, {}, proven=True)


def test_a_claim_that_is_rolled_back_is_none(connection: psycopg.Connection[Any], unit: Unit) -> None:
    move = begin(connection)
    with connection.transaction(force_rollback=True):
        assert ledger.claim(connection, move, unit, ROWS)
    with connection.transaction():
        assert ledger.claim(connection, move, unit, ROWS)
    with connection.transaction():
        assert not ledger.claim(connection, move, unit, ROWS)


@pytest.mark.many
@pytest.mark.parametrize("first_commits", [True, False])
def test_of_two_claims_at_once_the_second_waits_and_one_is_granted(
    connection: psycopg.Connection[Any], database: Database, unit: Unit, first_commits: bool
) -> None:
    move = begin(connection)
    granted: list[bool] = []

    def claim() -> None:
        with database.connect() as other:
            granted.append(ledger.claim(other, move, unit, ROWS))

    second = threading.Thread(target=claim)
    with connection.transaction(force_rollback=not first_commits):
        assert ledger.claim(connection, move, unit, ROWS)
        second.start()
        _until_somebody_waits(database)
        assert granted == []
    second.join(30)
    assert granted == [not first_commits]
    assert ledger.committed(connection, move) == {("ohlcv_data", 0): ROWS}


@pytest.mark.many
def test_who_holds_the_target_is_told_to_the_second(
    connection: psycopg.Connection[Any], database: Database
) -> None:
    with database.connect(autocommit=True) as other:
        with ledger.hold(connection):
            with pytest.raises(EngineBusy, match="under way, by another process"), ledger.hold(other):
                pass
            begin(connection)
            with pytest.raises(EngineBusy) as busy, ledger.hold(other):
                pass
            assert f"by process {os.getpid()} on {socket.gethostname()}" in busy.value.message
            assert busy.value.hint
        with ledger.hold(other):
            pass
        with ledger.hold(connection):
            pass


@pytest.mark.many
def test_a_session_that_is_lost_lets_go(connection: psycopg.Connection[Any], database: Database) -> None:
    def lose() -> None:
        with database.connect(autocommit=True) as lost, ledger.hold(lost):
            connection.execute("SELECT pg_terminate_backend(%s)", (lost.info.backend_pid,))
            lost.execute("SELECT 1")

    with pytest.raises(Transient):
        lose()
    with ledger.hold(connection):
        pass


def _until_somebody_waits(database: Database) -> None:
    with database.connect(autocommit=True) as looking:
        for _ in range(6000):
            row = looking.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
            if row != (0,):
                return
    pytest.fail("the second claim did not wait")
