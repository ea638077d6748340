"""What a server can do, read once and then asked: abilities, not names.

capabilities.has("compression")      True or False
capabilities.require("compression")  raises MissingCapability: what is missing, what the
                                     server runs, what would have it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from packaging.version import InvalidVersion, Version

from trdinger.errors import MissingCapability

Edition = Literal["none", "apache", "community"]
Feature = Literal[
    "hypertables", "compression", "direct_compress", "continuous_aggregates", "jobs", "many_sessions", "write"
]

# Below it direct compress lost rows or ignored NOT NULL and CHECK (TimescaleDB's changelog, #9381, #10056).
DIRECT_COMPRESS_SINCE = Version("2.28.3")
COMPRESSION_SINCE = Version("2.11")  # DML and ON CONFLICT on compressed chunks
POSTGRESQL_SINCE = 140000  # server_version_num; older ones lack what the migrations use


@dataclass(frozen=True)
class Capabilities:
    """One server as seen by the user that connected.

    postgresql: "17.5"; postgresql_number: 170005.
    timescaledb: the extension in this database; installable: the one that CREATE EXTENSION would give.
    edition: "none" without the extension, else by its licence setting.
    may_create: CREATE on the database; may_alter: it owns the database.
    read_only: a standby, or a database set to read only.
    sessions: 1 where a single backend serves clients in turn.
    workers: background workers run jobs.
    time_zone: what a new session of this database gets.
    """

    postgresql: str
    postgresql_number: int
    timescaledb: Version | None
    installable: Version | None
    edition: Edition
    may_create: bool
    may_alter: bool
    read_only: bool
    sessions: int
    workers: bool
    time_zone: str
    database: str
    encoding: str

    def __str__(self) -> str:
        if self.timescaledb is None:
            return f"PostgreSQL {self.postgresql} without TimescaleDB"
        return f"PostgreSQL {self.postgresql} with TimescaleDB {self.timescaledb} ({self.edition} edition)"

    def has(self, feature: Feature) -> bool:
        """Whether the server has the feature."""
        return self._lacks(feature) is None

    def require(self, feature: Feature) -> None:
        """Raise MissingCapability, in words, unless the server has the feature."""
        if (reason := self._lacks(feature)) is not None:
            raise MissingCapability(reason)

    def reason(self, feature: Feature) -> str:
        """Why the feature is missing, in words; empty when it is there."""
        return self._lacks(feature) or ""

    def _lacks(self, feature: Feature) -> str | None:
        if feature == "many_sessions":
            return None if self.sessions > 1 else f"{self} serves one connection at a time."
        if feature == "write":
            return f"{self.database} is read-only on this server." if self.read_only else None
        needed = self._needs(feature)
        return f"{_TITLES[feature]} need {needed}; this server runs {self}." if needed else None

    def _needs(self, feature: Feature) -> str | None:
        if self.timescaledb is None:
            return "TimescaleDB"
        if feature == "hypertables":
            return None
        if self.edition != "community":
            return "TimescaleDB's Community edition"
        since = {"direct_compress": DIRECT_COMPRESS_SINCE, "compression": COMPRESSION_SINCE}.get(feature)
        if since is not None and self.timescaledb < since:
            return f"TimescaleDB {since} or later"
        if feature == "jobs" and not self.workers:
            return "background workers"
        return None


_TITLES: dict[str, str] = {
    "hypertables": "Hypertables",
    "compression": "Compressed chunks",
    "direct_compress": "Writes straight into compressed chunks",
    "continuous_aggregates": "Continuous aggregates",
    "jobs": "Scheduled jobs",
}

_PROBE = """
SELECT current_setting('server_version')                               AS postgresql,
       current_setting('server_version_num')::int                      AS postgresql_number,
       (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb') AS installable,
       current_setting('timescaledb.license', true)                    AS license,
       has_database_privilege(current_database(), 'CREATE')            AS may_create,
       (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database
        WHERE datname = current_database())                            AS may_alter,
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only,
       version()                                                       AS version,
       current_setting('max_connections')::int                         AS sessions,
       current_setting('timescaledb.max_background_workers', true)     AS workers,
       (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone')      AS time_zone,
       (SELECT split_part(pair, '=', 2) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase,
               unnest(s.setconfig) AS pair
         WHERE d.datname = current_database() AND s.setrole = 0
           AND lower(pair) LIKE 'timezone=%')                           AS database_zone,
       current_database()                                              AS database,
       current_setting('server_encoding')                              AS encoding
"""


def probe(connection: psycopg.Connection[Any]) -> Capabilities:
    """Ask the server once. One round trip."""
    cursor = connection.execute(_PROBE)
    assert cursor.description is not None
    row = dict(zip((column.name for column in cursor.description), cursor.fetchone() or (), strict=True))
    # One WebAssembly backend serves its clients in turn and starts no workers.
    single = "emcc" in row["version"] or "emscripten" in row["version"].lower()
    timescaledb = _version(row["timescaledb"])
    edition: Edition = "none"
    if timescaledb is not None:
        edition = "community" if row["license"] == "timescale" else "apache"
    return Capabilities(
        postgresql=row["postgresql"].split(" ")[0],
        postgresql_number=row["postgresql_number"],
        timescaledb=timescaledb,
        installable=_version(row["installable"]),
        edition=edition,
        may_create=row["may_create"],
        may_alter=row["may_alter"],
        read_only=row["read_only"],
        sessions=1 if single else row["sessions"],
        workers=not single and int(row["workers"] or 0) > 0,
        # A single backend never reads its defaults again, so they do not show the database's setting.
        time_zone=(row["database_zone"] if single else None) or row["time_zone"],
        database=row["database"],
        encoding=row["encoding"],
    )


def _version(text: str | None) -> Version | None:
    if text is None:
        return None
    try:
        return Version(text)
    except InvalidVersion:
        return Version(text.split("-")[0])
