"""What a server can do, as the user that connected sees it; what is missing is said in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import get_args

import pytest
from packaging.version import Version

from engines import EngineUnderTest, Native
from trdinger.engine.capabilities import Capabilities, Feature, probe
from trdinger.engine.connect import Database
from trdinger.errors import MissingCapability

FEATURES: tuple[Feature, ...] = get_args(Feature)
COMMUNITY = Capabilities(
    postgresql="17.5",
    postgresql_number=170005,
    timescaledb=Version("2.29.2"),
    installable=Version("2.29.2"),
    edition="community",
    may_create=True,
    may_alter=True,
    read_only=False,
    sessions=100,
    workers=True,
    time_zone="UTC",
    database="trdinger",
    encoding="UTF8",
)
APACHE = replace(COMMUNITY, timescaledb=Version("2.19.3"), edition="apache")
PLAIN = replace(COMMUNITY, timescaledb=None, edition="none")


class TestOnEachEngine:
    def test_what_it_says_of_itself_is_what_the_server_says(self, database: Database) -> None:
        seen = database.capabilities
        with database.connect(autocommit=True) as connection:
            (number, version, name) = connection.execute(
                "SELECT current_setting('server_version_num')::int, "
                "(SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), current_database()"
            ).fetchone() or (0, None, "")
        assert (seen.postgresql_number, seen.database) == (number, name)
        assert (seen.timescaledb is None) == (version is None)
        assert seen.postgresql.startswith(str(number // 10000))
        assert seen.encoding == "UTF8"

    def test_every_ability_it_claims_is_there(self, database: Database) -> None:
        """The server itself is asked: each feature works where it is claimed."""
        seen = database.capabilities
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE ticks (at timestamptz NOT NULL, price float8)")
            if seen.has("hypertables"):
                connection.execute("SELECT create_hypertable('ticks', 'at')")
            if seen.has("compression"):
                connection.execute("ALTER TABLE ticks SET (timescaledb.compress)")
            if seen.has("continuous_aggregates"):
                connection.execute(
                    "CREATE MATERIALIZED VIEW days WITH (timescaledb.continuous) AS "
                    "SELECT time_bucket('1 day', at) AS day, max(price) FROM ticks GROUP BY 1"
                )
            if seen.has("many_sessions"):
                with database.connect() as other:
                    assert other.execute("SELECT 1").fetchone() == (1,)

    def test_what_it_lacks_it_says_in_a_sentence_and_refuses(self, database: Database) -> None:
        seen = database.capabilities
        for feature in FEATURES:
            if seen.has(feature):
                seen.require(feature)
                assert seen.reason(feature) == ""
            else:
                with pytest.raises(MissingCapability) as missing:
                    seen.require(feature)
                assert missing.value.message == seen.reason(feature)
                assert seen.reason(feature).endswith(".")

    def test_the_owner_may_create_and_alter(self, database: Database) -> None:
        assert database.capabilities.may_create
        assert database.capabilities.may_alter
        assert not database.capabilities.read_only

    def test_it_tells_the_zone_that_a_new_session_of_others_gets(self, database: Database) -> None:
        with database.connect(autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {database.url.database} SET timezone TO 'America/New_York'")
        assert database.fresh().capabilities.time_zone == "America/New_York"

    def test_a_database_set_to_read_only_is_seen(self, database: Database) -> None:
        name = database.url.database
        with database.connect(autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        try:
            seen = database.fresh().capabilities
            assert seen.read_only
            assert "read-only" in seen.reason("write")
        finally:
            with database.connect(autocommit=True) as connection:
                connection.execute("SET default_transaction_read_only = off")
                connection.execute(f"ALTER DATABASE {name} RESET ALL")

    def test_a_database_without_the_extension_says_which_one_it_could_have(
        self, plain_database: Database
    ) -> None:
        seen = plain_database.capabilities
        assert seen.timescaledb is None
        assert seen.edition == "none"
        assert "TimescaleDB" in seen.reason("hypertables")
        if seen.installable is None:
            return
        with plain_database.connect(autocommit=True) as connection:
            connection.execute("CREATE EXTENSION timescaledb")
        assert plain_database.capabilities is seen, "read once"
        assert plain_database.fresh().capabilities.timescaledb == seen.installable


def test_the_embedded_engine_is_community_and_alone(engine: EngineUnderTest) -> None:
    if engine.name != "embedded":
        pytest.skip("a promise of the embedded engine alone")
    with engine.empty() as database:
        seen = database.capabilities
    assert (seen.edition, seen.sessions, seen.workers) == ("community", 1, False)
    assert "one connection at a time" in seen.reason("many_sessions")
    assert "background workers" in seen.reason("jobs")


class TestOnTheNativeServer:
    def test_it_is_the_apache_edition_in_tokyo(self, native: Native) -> None:
        with native.empty() as database:
            seen = database.capabilities
        assert seen.time_zone == "Asia/Tokyo"
        assert seen.edition == "apache"
        reason = seen.reason("compression")
        assert "Community edition" in reason
        assert str(seen.timescaledb) in reason
        assert "apache" in reason

    def test_a_guest_may_neither_create_nor_alter(self, native: Native) -> None:
        with native.empty() as database, guest(native, database) as as_guest:
            assert not as_guest.capabilities.may_create
            assert not as_guest.capabilities.may_alter
            assert as_guest.capabilities.has("hypertables")

    def test_a_member_of_the_owner_may_both(self, native: Native) -> None:
        with native.empty() as database, guest(native, database) as member:
            native.statement("GRANT trdinger TO guest")
            assert member.capabilities.may_create
            assert member.capabilities.may_alter

    def test_the_licence_can_be_read_by_anyone(self, native: Native) -> None:
        with (
            native.empty() as database,
            guest(native, database) as as_guest,
            as_guest.connect() as connection,
        ):
            assert probe(connection).edition == "apache"


class TestByVersion:
    @pytest.mark.parametrize(
        ("version", "compression", "direct"),
        [("2.10.3", False, False), ("2.11", True, False), ("2.28.2", True, False), ("2.28.3", True, True)],
    )
    def test_what_lost_rows_once_is_not_used(self, version: str, compression: bool, direct: bool) -> None:
        server = replace(COMMUNITY, timescaledb=Version(version))
        assert (server.has("compression"), server.has("direct_compress")) == (compression, direct)
        if not direct:
            assert "2.28.3 or later" in server.reason("direct_compress")
            assert version in server.reason("direct_compress")

    def test_community_with_workers_has_everything(self) -> None:
        assert all(COMMUNITY.has(feature) for feature in FEATURES)

    def test_apache_has_hypertables_alone(self) -> None:
        assert {feature for feature in FEATURES if not APACHE.has(feature)} == {
            "compression",
            "direct_compress",
            "continuous_aggregates",
            "jobs",
        }

    def test_without_the_extension_it_is_postgresql(self) -> None:
        assert str(PLAIN) == "PostgreSQL 17.5 without TimescaleDB"
        assert {feature for feature in FEATURES if PLAIN.has(feature)} == {"many_sessions", "write"}

    def test_its_name_tells_version_and_edition(self) -> None:
        assert str(APACHE) == "PostgreSQL 17.5 with TimescaleDB 2.19.3 (apache edition)"


@contextmanager
def guest(native: Native, database: Database) -> Iterator[Database]:
    """The database as a user who may only connect."""
    native.statement("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    try:
        yield replace(database, url=database.url.set(username="guest", password="guest"))
    finally:
        native.statement("DROP ROLE guest")
