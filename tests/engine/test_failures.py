"""What goes wrong between us and a server becomes a sentence: what, where, next; never with a password."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from engines import EngineUnderTest, Native
from faults.proxy import Proxy
from trdinger.engine.connect import ConnectionOptions, Database
from trdinger.engine.failures import speaking, translate
from trdinger.errors import EngineBusy, TargetError, Transient

WAYS = ["psycopg", "arrow", "sqlalchemy"]
SECRET = "hunter2 is wrong"


def ask(database: Database, way: str, statement: str = "SELECT 1") -> None:
    """One statement by one of the three ways in."""
    if way == "psycopg":
        with database.connect() as connection:
            connection.execute(statement)
    elif way == "arrow":
        with database.arrow() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            cursor.fetchall()
    else:
        engine = database.engine()
        try:
            with speaking(database), engine.connect() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()


@pytest.mark.parametrize("way", WAYS)
class TestRefused:
    """A refusal is not worth a retry, whatever language the server speaks: told by its SQLSTATE."""

    def test_a_wrong_password(self, way: str, native: Native) -> None:
        with native.empty() as database:
            wrong = replace(database, url=database.url.set(password=SECRET))
            with pytest.raises(TargetError, match="refused the password") as refused:
                ask(wrong, way)
        assert type(refused.value) is TargetError
        assert refused.value.sqlstate == "28P01"
        assert "DB_PASSWORD" in (refused.value.hint or "")
        assert SECRET not in whole(refused.value)

    def test_no_password_at_all(self, way: str, native: Native) -> None:
        with native.empty() as database:
            without = replace(database, url=database.url._replace(password=None))
            with pytest.raises(TargetError, match="password") as refused:
                ask(without, way)
        assert not isinstance(refused.value, Transient)

    def test_no_such_database(self, way: str, engine: EngineUnderTest) -> None:
        with engine.empty() as database:
            elsewhere = replace(database, url=database.url.set(database="no_such_database"))
            with pytest.raises(TargetError, match="has no such database") as refused:
                ask(elsewhere, way)
        assert refused.value.sqlstate == "3D000"
        assert not isinstance(refused.value, Transient)

    def test_no_such_user(self, way: str, engine: EngineUnderTest) -> None:
        with engine.empty() as database:
            stranger = replace(database, url=database.url.set(username="no_such_user"))
            with pytest.raises(TargetError, match=r"refused the (user|password)") as refused:
                ask(stranger, way)
        assert not isinstance(refused.value, Transient)

    def test_no_connection_left(self, way: str, native: Native) -> None:
        with native.empty() as database:
            name = database.url.database
            native.statement(f"ALTER DATABASE {name} CONNECTION LIMIT 1")
            with (
                database.connect(),
                pytest.raises(EngineBusy, match="has no connection left") as refused,
            ):
                ask(database, way)
        assert refused.value.sqlstate == "53300"


@pytest.mark.parametrize("way", WAYS)
class TestLost:
    """A line that is gone is worth a retry."""

    def test_nobody_listens(self, way: str, database: Database) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        nobody = replace(database, url=database.url.set(host="127.0.0.1", port=port))
        with pytest.raises(Transient, match="cannot be reached") as lost:
            ask(nobody, way)
        assert f"127.0.0.1:{port}" in lost.value.message
        assert "server runs" in (lost.value.hint or "")

    def test_a_host_that_does_not_exist(self, way: str, database: Database) -> None:
        nowhere = replace(database, url=database.url.set(host="no-such-host.invalid"))
        with pytest.raises(Transient, match="cannot be reached"):
            ask(nowhere, way)

    def test_a_line_that_is_refused(
        self, way: str, database: Database, proxy: Callable[[Database], Proxy]
    ) -> None:
        line = proxy(database)
        line.refuse()
        with pytest.raises(Transient):
            ask(line.database, way)

    @pytest.mark.many
    def test_a_line_cut_in_a_statement(
        self, way: str, database: Database, proxy: Callable[[Database], Proxy]
    ) -> None:
        line = proxy(database)
        with pytest.raises(Transient):
            ask(line.database, way, cutting(line, "SELECT pg_sleep(20)"))

    @pytest.mark.many
    def test_a_session_that_the_administrator_ended(self, way: str, database: Database) -> None:
        with pytest.raises(Transient):
            ask(database, way, "SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_copy_that_is_cut_is_transient_and_leaves_nothing(
    database: Database, proxy: Callable[[Database], Proxy]
) -> None:
    line = proxy(database)
    with database.connect() as connection:
        connection.execute("CREATE TABLE letters (a text)")
    line.cut_after(1 << 20)

    def copy_four_megabytes() -> None:
        with (
            line.database.connect() as connection,
            connection.cursor().copy("COPY letters FROM STDIN") as copy,
        ):
            for _ in range(64):
                copy.write(b"a" * 65535 + b"\n")

    with pytest.raises(Transient):
        copy_four_megabytes()
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM letters").fetchone() == (0,)


class TestStatements:
    """What a statement does wrong has its own sentence and is not worth a retry."""

    def test_a_right_that_is_missing(self, native: Native) -> None:
        with native.empty() as database, pytest.raises(TargetError, match="did not permit it") as denied:
            ask(database, "psycopg", "CREATE ROLE another SUPERUSER")
        assert denied.value.sqlstate == "42501"

    def test_a_database_that_is_read_only(self, database: Database) -> None:
        with pytest.raises(TargetError, match="is read-only"):
            ask(database, "psycopg", "SET TRANSACTION READ ONLY; CREATE TABLE t (a int)")

    @pytest.mark.many
    def test_a_lock_that_somebody_holds(self, database: Database) -> None:
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE t (a int)")
        with psycopg.connect(database.conninfo) as holder:
            holder.execute("LOCK TABLE t")
            with pytest.raises(EngineBusy, match="has a table locked"), database.connect() as connection:
                connection.execute("LOCK TABLE t NOWAIT")

    def test_a_disk_that_is_full(self, native: Native, full_disk: Callable[..., Path]) -> None:
        folder = full_disk(4 << 20, under=native.home)
        native.own(folder)
        with native.empty() as database:
            name = database.url.database
            native.statement(f"CREATE TABLESPACE small OWNER trdinger LOCATION '{native.inside(folder)}'")
            try:
                with pytest.raises(TargetError, match="has no disk space left") as full:
                    ask(
                        database,
                        "psycopg",
                        "CREATE TABLE t TABLESPACE small AS "
                        "SELECT repeat('x', 100) FROM generate_series(1, 99999)",
                    )
            finally:
                native.drop(str(name))
                native.statement("DROP TABLESPACE small")
        assert full.value.sqlstate == "53100"
        assert not isinstance(full.value, Transient)

    @pytest.mark.parametrize("way", WAYS)
    def test_a_statement_that_makes_no_sense_carries_its_code(self, way: str, database: Database) -> None:
        with pytest.raises(TargetError, match="answered") as wrong:
            ask(database, way, "SELECT nonsense")
        assert type(wrong.value) is TargetError
        assert wrong.value.sqlstate == "42703"

    @pytest.mark.many
    def test_two_that_change_the_same_row(self, database: Database) -> None:
        first = database.engine()
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        try:
            with (
                pytest.raises(Transient) as failed,
                speaking(database),
                first.connect() as one,
                first.connect() as other,
            ):
                let_both_update(one, other)
        finally:
            first.dispose()
        assert failed.value.sqlstate == "40001"


def test_our_own_faults_pass_through_untouched() -> None:
    with pytest.raises(KeyError), speaking("anywhere"):
        raise KeyError


def test_an_error_without_words_still_has_some() -> None:
    assert translate(psycopg.OperationalError(""), "db").message == "db cannot be reached: OperationalError."


@pytest.mark.parametrize("way", WAYS)
def test_the_password_is_in_no_part_of_any_failure(way: str, native: Native) -> None:
    secret = native.owner.password
    assert secret
    with native.empty() as patient:
        database = replace(patient, options=ConnectionOptions(connect_timeout=2))
        for broken in (
            database.url.set(database="no_such_database"),
            database.url.set(port=1),
            database.url.set(username="nobody"),
        ):
            with pytest.raises(TargetError) as failed:
                ask(replace(database, url=broken), way)
            assert str(secret) not in whole(failed.value)
        with pytest.raises(TargetError) as failed:
            ask(database, way, "SELECT nonsense")
        assert str(secret) not in whole(failed.value)


def let_both_update(*connections: sa.Connection) -> None:
    """Two serializable transactions that read the same row and both change it."""
    for connection in connections:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        connection.exec_driver_sql("SELECT * FROM t")
    for connection in connections:
        connection.exec_driver_sql("UPDATE t SET a = a + 1")
        connection.commit()


def whole(error: TargetError) -> str:
    """An error and all that it came from, as a log would hold it."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))


def cutting(line: Proxy, statement: str) -> str:
    """The statement; the line is cut a moment after it was sent."""
    threading.Timer(1.0, line.cut).start()
    return statement
