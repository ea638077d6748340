"""Checks of what the tables and the server are: tables, keys, indexes, clock, connections, version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from trdinger.declaration import SERIES, TABLES
from trdinger.engine.capabilities import DIRECT_COMPRESS_SINCE
from trdinger.schema import keys as schema_keys
from trdinger.schema import timescale
from trdinger.upkeep.finding import Finding, Patient

_SKEW = timedelta(seconds=5)  # a candle is asked for some seconds after it closes
_FULL = 0.8  # of the connections that users may have


def tables(patient: Patient) -> list[Finding]:
    """Tables of Trdinger's that are missing."""
    missing = [table for table in TABLES if not patient.has(table)]
    if not missing:
        return []
    which = "all of Trdinger's tables" if len(missing) == len(TABLES) else ", ".join(missing)
    return [Finding(f"Missing: {which}.", "trdinger db upgrade makes them; a move brings rows, too.")]


def hypertables(patient: Patient) -> list[Finding]:
    """Series that are plain tables on a server that has hypertables."""
    capabilities = patient.database.capabilities
    if not capabilities.has("hypertables"):
        if capabilities.installable is None:
            return []
        return [
            Finding(
                "TimescaleDB is installed on the server and not in this database: nothing is compressed.",
                "CREATE EXTENSION timescaledb; and trdinger db upgrade, while the series are empty.",
                "note",
            )
        ]
    found = []
    for table in SERIES:
        if patient.has(table) and timescale.hypertable(patient.connection, table) is None:
            empty = timescale.is_empty(patient.connection, table)
            found.append(
                Finding(
                    f"{table} is no hypertable: it has no chunks to compress or to archive.",
                    "trdinger db upgrade makes it one."
                    if empty
                    else "Move it into an empty database: trdinger export, then trdinger migrate.",
                )
            )
    return found


def keys(patient: Patient) -> list[Finding]:
    """Series without their natural key: rows may be there twice, and writes fail."""
    found = []
    for table, series in SERIES.items():
        if not patient.has(table):
            continue
        held = patient.rows(_KEYS, timescale.quoted(table))
        if not any(set(columns) == set(series.key) for (columns,) in held):
            found.append(
                Finding(
                    f"{table} has no key on {', '.join(series.key)}: writes that name it fail, and rows may"
                    " be there twice.",
                    f"{schema_keys.key_ddl(table)}; if it tells of duplicates, delete those first.",
                )
            )
    return found


def indexes(patient: Patient) -> list[Finding]:
    """Indexes that were left invalid: they cost writes and serve no question."""
    found = patient.rows(_INVALID, list(TABLES))
    return [
        Finding(
            f"The index {index} of {table} is invalid: making it was broken off.", f"REINDEX INDEX {index};"
        )
        for index, table in found
    ]


def time_zone(patient: Patient) -> list[Finding]:
    """A database whose sessions do not speak UTC."""
    zone = patient.database.capabilities.time_zone
    if zone.upper() in {"UTC", "ETC/UTC", "GMT", "ETC/GMT"}:
        return []
    name = patient.database.capabilities.database
    return [
        Finding(
            f"New sessions of {name} speak {zone}: a time that a program sends without an offset is stored as"
            " if it were of there.",
            "trdinger db upgrade sets it to UTC (as the owner of the database).",
        )
    ]


def clock(patient: Patient) -> list[Finding]:
    """Clocks of the server and of this machine that are apart."""
    before = datetime.now(UTC)
    ((server,),) = patient.rows("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    apart = max(before - server, server - after)
    if apart < _SKEW:
        return []
    which = "behind" if server < before else "ahead of"
    return [
        Finding(
            f"The server's clock is {apart.total_seconds():,.0f} s {which} this machine's: ages and the"
            " newest candles are told wrong.",
            "Let both keep their time by NTP.",
        )
    ]


def connections(patient: Patient) -> list[Finding]:
    """A server that has few connections left, and a pool that it cannot serve."""
    if not patient.database.capabilities.has("many_sessions"):
        return []
    ((used, most),) = patient.rows(
        "SELECT count(*), current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int"
        " FROM pg_stat_activity WHERE backend_type = 'client backend'"
    )
    found = []
    if used >= _FULL * most:
        found.append(
            Finding(
                f"{used} of {most} connections are taken: the next programs are refused.",
                "Close idle ones (SELECT pid, application_name, state FROM pg_stat_activity), raise"
                " max_connections, or lower DB_POOL_SIZE and DB_MAX_OVERFLOW.",
            )
        )
    options = patient.database.options
    if options.pool_size + options.max_overflow > most:
        found.append(
            Finding(
                f"A pool of {options.pool_size} + {options.max_overflow} connections is more than the {most}"
                " that the server serves.",
                "Lower DB_POOL_SIZE and DB_MAX_OVERFLOW, or raise max_connections.",
                "note",
            )
        )
    return found


def version(patient: Patient) -> list[Finding]:
    """A TimescaleDB that is too old to be written to straight into compressed chunks."""
    capabilities = patient.database.capabilities
    if not capabilities.has("compression") or capabilities.has("direct_compress"):
        return []
    return [
        Finding(
            f"TimescaleDB {capabilities.timescaledb} is older than {DIRECT_COMPRESS_SINCE}: before that rows"
            " were lost on the way straight into compressed chunks, so moves compress later.",
            "Upgrade TimescaleDB, then: ALTER EXTENSION timescaledb UPDATE;",
            "note",
        )
    ]


_KEYS = """
SELECT (SELECT array_agg(a.attname::text) FROM pg_attribute a
         WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey))
  FROM pg_index i WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
"""
_INVALID = """
SELECT c.oid::regclass::text, t.relname::text FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
 WHERE t.oid = ANY(SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
   AND NOT (i.indisvalid AND i.indisready)
 ORDER BY 1
"""
