"""Sessions: in UTC everywhere, into the same database by three ways, within the limits that were set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from engines import Native
from faults.proxy import Proxy
from trdinger.engine.connect import ConnectionOptions, Database, sqlite_engine
from trdinger.engine.failures import speaking
from trdinger.errors import EngineBusy, TargetError, Transient


def test_every_way_in_reaches_the_same_database_as_the_same_user(database: Database) -> None:
    question = "SELECT current_database()::text, current_user::text"
    with database.connect() as connection:
        expected = connection.execute(question).fetchone()
    with database.arrow() as connection, connection.cursor() as cursor:
        cursor.execute(question)
        assert cursor.fetchone() == expected
    with disposed(database.engine()) as engine, engine.connect() as connection:
        assert tuple(connection.exec_driver_sql(question).one()) == expected


def test_tables_land_in_public(database: Database) -> None:
    with database.connect() as connection:
        assert connection.execute("SELECT current_schema()").fetchone() == ("public",)


class TestTime:
    """A time without an offset means UTC, whatever the server's zone is (the native one: Asia/Tokyo)."""

    MEANT = datetime(2024, 3, 31, 1, 30, tzinfo=UTC)
    QUESTION = "SELECT extract(epoch FROM timestamptz '2024-03-31 01:30')::float8"

    def test_in_psycopg(self, database: Database) -> None:
        for autocommit in (True, False):
            with database.connect(autocommit=autocommit) as connection:
                assert connection.execute(self.QUESTION).fetchone() == (self.MEANT.timestamp(),)
                (answer,) = connection.execute("SELECT timestamptz '2024-03-31 01:30'").fetchone() or ()
                assert answer == self.MEANT
                assert answer.utcoffset() == ZoneInfo("UTC").utcoffset(answer)

    def test_in_arrow(self, database: Database) -> None:
        with database.arrow() as connection, connection.cursor() as cursor:
            cursor.execute(self.QUESTION)
            assert cursor.fetchone() == (self.MEANT.timestamp(),)

    def test_in_sqlalchemy_and_after_a_rollback(self, database: Database) -> None:
        with disposed(database.engine()) as engine:
            for _ in range(2):
                with engine.connect() as connection:
                    assert connection.exec_driver_sql(self.QUESTION).scalar() == self.MEANT.timestamp()
                    connection.rollback()
                    assert connection.exec_driver_sql(self.QUESTION).scalar() == self.MEANT.timestamp()


class TestTransactions:
    def test_a_block_commits_at_its_end(self, database: Database) -> None:
        with database.connect() as connection:
            connection.execute("CREATE TABLE t (a int)")
        with database.connect() as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_a_block_that_raises_leaves_nothing(self, database: Database) -> None:
        with pytest.raises(KeyError), database.connect() as connection:  # noqa: PT012
            connection.execute("CREATE TABLE t (a int)")
            raise KeyError
        with database.connect() as connection:
            assert connection.execute("SELECT to_regclass('t')").fetchone() == (None,)

    def test_autocommit_keeps_each_statement(self, database: Database) -> None:
        with pytest.raises(KeyError), database.connect(autocommit=True) as connection:  # noqa: PT012
            connection.execute("CREATE TABLE t (a int)")
            raise KeyError
        with database.connect() as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


class TestPool:
    @pytest.mark.many
    def test_it_gives_its_size_and_its_overflow_and_then_says_which_settings_to_raise(
        self, database: Database
    ) -> None:
        small = with_options(database, pool_size=2, max_overflow=1, pool_timeout=0.2)
        with disposed(small.engine()) as engine:
            taken = [engine.connect() for _ in range(3)]
            before = time.monotonic()
            with pytest.raises(EngineBusy, match="DB_POOL_SIZE"), speaking(small):
                engine.connect()
            assert 0.2 <= time.monotonic() - before < 5
            for connection in taken:
                connection.close()
            with engine.connect():
                pass
            assert sessions_of(database) == 2, "the overflow is closed, the pool kept"
        assert sessions_of(database) == 0

    def test_it_never_asks_a_server_of_one_session_for_two(self, database: Database) -> None:
        single = replace(with_options(database, pool_timeout=0.2), sessions=1)
        with disposed(single.engine()) as engine, engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            with pytest.raises(EngineBusy), speaking(single):
                engine.connect()

    def test_connections_come_of_age(self, database: Database) -> None:
        with disposed(with_options(database, pool_recycle=1).engine()) as engine:
            opened: list[object] = []
            sa.event.listen(engine, "connect", lambda connection, _record: opened.append(connection))
            for _ in range(2):
                engine.connect().close()
            assert len(opened) == 1
            time.sleep(2.1)
            engine.connect().close()
            assert len(opened) == 2

    @pytest.mark.many
    def test_pre_ping_replaces_connections_that_the_server_ended(self, database: Database) -> None:
        with disposed(with_options(database, pool_size=2).engine()) as engine:
            for _ in range(2):
                with engine.connect() as first, engine.connect() as second:
                    first.exec_driver_sql("SELECT 1")
                    second.exec_driver_sql("SELECT 1")
                end_sessions_of(database)

    @pytest.mark.many
    def test_without_pre_ping_the_first_statement_fails_as_transient(self, database: Database) -> None:
        with disposed(with_options(database, pool_size=1, pre_ping=False).engine()) as engine:
            engine.connect().close()
            end_sessions_of(database)
            with pytest.raises(Transient), speaking(database), engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")

    def test_pre_ping_survives_a_server_that_was_restarted(self, native: Native) -> None:
        with native.empty() as database, disposed(database.engine()) as engine:
            with engine.connect() as connection:
                connection.exec_driver_sql("CREATE TABLE kept (a int)")
                connection.commit()
            native.down()
            try:
                with pytest.raises(Transient, match="cannot be reached"), speaking(database):
                    engine.connect()
            finally:
                native.up()
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT count(*) FROM kept").scalar() == 0


class TestLimits:
    @pytest.mark.many  # the embedded engine has no timers
    @pytest.mark.parametrize("way", ["psycopg", "arrow", "sqlalchemy"])
    def test_a_statement_that_takes_too_long_is_ended_in_words(self, way: str, database: Database) -> None:
        hurried = with_options(database, statement_timeout=100)
        before = time.monotonic()
        with pytest.raises(TargetError, match="DB_STATEMENT_TIMEOUT") as ended:
            run(hurried, way, "SELECT pg_sleep(20)")
        assert time.monotonic() - before < 10
        assert ended.value.sqlstate == "57014"
        assert not isinstance(ended.value, Transient)

    def test_no_limit_means_none_even_where_the_server_has_one(self, database: Database) -> None:
        with database.connect(autocommit=True) as connection:
            name = database.url.database
            connection.execute(f"ALTER DATABASE {name} SET statement_timeout TO '1h'")
        with database.connect() as connection:
            assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)

    def test_a_server_that_does_not_answer_is_given_up(
        self, database: Database, proxy: Callable[[Database], Proxy]
    ) -> None:
        line = proxy(with_options(database, connect_timeout=2))
        line.stall()
        before = time.monotonic()
        with pytest.raises(Transient, match="cannot be reached"), line.database.connect():
            pass
        assert time.monotonic() - before < 8

    @pytest.mark.many
    def test_the_servers_list_of_sessions_names_us(self, database: Database) -> None:
        with database.connect() as connection:
            assert connection.execute("SHOW application_name").fetchone() == ("trdinger",)
        with disposed(database.engine()) as engine, engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW application_name").scalar() == "trdinger"


def test_what_the_address_itself_says_wins() -> None:
    database = Database(
        make_url("postgresql+psycopg://u@h/b?connect_timeout=3&application_name=mine&options=-c%20a.b%3Dc")
    )
    said = conninfo_to_dict(database.conninfo)
    assert (said["connect_timeout"], said["application_name"], said["options"]) == ("3", "mine", "-c a.b=c")


def test_a_socket_and_several_hosts_reach_the_driver() -> None:
    socket = Database(make_url("postgresql+psycopg:///base?host=/run/postgresql"))
    assert conninfo_to_dict(socket.conninfo)["host"] == "/run/postgresql"
    several = Database(make_url("postgresql+psycopg://u@/base?host=one:5432&host=two:5433"))
    said = conninfo_to_dict(several.conninfo)
    assert (said["host"], said["port"]) == ("one,two", "5432,5433")


def test_the_applications_sqlite_database_still_opens(sqlite_url: str) -> None:
    with disposed(sqlite_engine(make_url(sqlite_url))) as engine, engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0


class disposed:  # noqa: N801  used like a function
    """The engine for a `with`; its pool is closed after."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def __enter__(self) -> sa.Engine:
        return self.engine

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()


def with_options(database: Database, **options: object) -> Database:
    return replace(database, options=ConnectionOptions(**options))  # type: ignore[arg-type]


def run(database: Database, way: str, statement: str) -> None:
    if way == "psycopg":
        with database.connect() as connection:
            connection.execute(statement)
    elif way == "arrow":
        with database.arrow() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            cursor.fetchall()
    else:
        with disposed(database.engine()) as engine, speaking(database), engine.connect() as connection:
            connection.exec_driver_sql(statement)


_OTHERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)


def sessions_of(database: Database) -> int:
    """Other client sessions in this database, once those that are ending have ended."""
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        count = -1
        for _ in range(20):
            time.sleep(0.05)
            ((now,),) = connection.execute(f"SELECT count(*) {_OTHERS}").fetchall()
            if now == count:
                break
            count = now
        return count


def end_sessions_of(database: Database) -> None:
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) {_OTHERS}")
