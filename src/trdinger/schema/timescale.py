"""TimescaleDB's side of a table: read what it is, and change it.

Plain functions on a psycopg connection, in the caller's transaction; the Alembic
operations and `apply` are made of them. What a server cannot do is skipped, and a
sentence in the log "trdinger.schema" says so: the functions that change something
answer whether they did. Compressing chunks and scheduling jobs is not done here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from trdinger.declaration import Series
from trdinger.engine.capabilities import Feature, probe

log = logging.getLogger("trdinger.schema")

EXTENSION = "timescaledb"
TIME_ZONE = "UTC"  # what a time without an offset means to the existing application


@dataclass(frozen=True)
class Compression:
    """How chunks of a hypertable are compressed: one segment per `segment_by`, ordered by `order_by`."""

    segment_by: tuple[str, ...]
    order_by: str

    def __str__(self) -> str:
        return f"by {', '.join(self.segment_by) or 'nothing'}, ordered by {self.order_by}"


@dataclass(frozen=True)
class Hypertable:
    """A hypertable as the catalog has it. `compression` is None where it is not switched on."""

    by: str
    chunk_interval: timedelta
    compression: Compression | None


def declared_compression(series: Series) -> Compression:
    """The compression settings that the declaration asks for."""
    return Compression(series.segment_by, _order(series.order_by))


def can(connection: psycopg.Connection[Any], feature: Feature, *, otherwise: str) -> bool:
    """Whether the server has the feature; logs the reason and `otherwise` where it has not."""
    if reason := probe(connection).reason(feature):
        log.warning("%s %s", reason, otherwise)
        return False
    return True


def hypertable(connection: psycopg.Connection[Any], table: str) -> Hypertable | None:
    """What TimescaleDB knows about `table`; None for a plain or missing table, or without TimescaleDB."""
    capabilities = probe(connection)
    if not capabilities.has("hypertables"):
        return None
    dimension = connection.execute(_DIMENSION, (table,)).fetchone()
    if dimension is None:
        return None
    by, interval, compressed = dimension
    compression = None
    if compressed and capabilities.has("compression"):
        settings = connection.execute(_COMPRESSION, (table,)).fetchone() or ("", "")
        compression = Compression(_names(settings[0] or ""), _order(settings[1] or ""))
    return Hypertable(by, interval, compression)


def is_empty(connection: psycopg.Connection[Any], table: str) -> bool:
    """Whether the table has no row."""
    query = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
    return bool((connection.execute(query).fetchone() or (True,))[0])


def ensure_extension(connection: psycopg.Connection[Any]) -> bool:
    """Create the TimescaleDB extension where it is absent, installed on the server, and permitted.

    Answers whether the database has it afterwards. Never updates or drops it.
    """
    capabilities = probe(connection)
    if capabilities.timescaledb is not None:
        return True
    consequence = "The series stay plain tables; create the extension later and apply the declaration again."
    if capabilities.installable is None:
        log.warning("%s has no TimescaleDB to install. %s", capabilities, consequence)
        return False
    if not capabilities.may_create:
        log.warning("This user may not create extensions in %s. %s", capabilities.database, consequence)
        return False
    # CREATE EXTENSION without the preloaded library ends the session, not just the statement.
    if connection.execute("SELECT current_setting('timescaledb.disable_load', true)").fetchone() == (None,):
        log.warning("TimescaleDB is not in this server's shared_preload_libraries. %s", consequence)
        return False
    try:
        with connection.transaction():
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(EXTENSION)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
        log.warning("TimescaleDB was not created: %s. %s", error.diag.message_primary, consequence)
        return False
    return True


def create_hypertable(
    connection: psycopg.Connection[Any],
    table: str,
    *,
    by: str,
    chunk_interval: timedelta,
    create_default_indexes: bool = False,
) -> bool:
    """Make an empty table a hypertable, partitioned by the time column `by`.

    A table that holds rows is left alone, and said so: moving them locks it for long and can deadlock.
    """
    if not can(connection, "hypertables", otherwise=f"{table} stays a plain table."):
        return False
    if not is_empty(connection, table):
        log.warning(
            "%s holds rows and is no hypertable. It stays a plain table: copy its rows into an empty one.",
            table,
        )
        return False
    connection.execute(
        "SELECT create_hypertable(%s::text::regclass, by_range(%s::name, %s::interval),"
        " create_default_indexes => %s, if_not_exists => true)",
        (quoted(table), by, chunk_interval, create_default_indexes),
    )
    return True


def drop_hypertable(connection: psycopg.Connection[Any], table: str) -> bool:
    """Make a hypertable a plain table again: same rows, keys, indexes and next id.

    Copies every row, which costs the table's uncompressed size in disk space; grants on the table are
    not kept. A plain table is left alone.
    """
    if hypertable(connection, table) is None:
        return False
    plain = f"{table}_plain"
    names = {"old": sql.Identifier(table), "new": sql.Identifier(plain)}
    rebuild = [row[0] for row in connection.execute(_KEYS_AND_INDEXES, (quoted(table),) * 2).fetchall()]
    options = " ".join(f"INCLUDING {what}" for what in ("DEFAULTS", "IDENTITY", "STORAGE", "COMMENTS"))
    for statement in (
        "CREATE TABLE {new} (LIKE {old} " + options + ")",
        "INSERT INTO {new} SELECT * FROM {old}",
        "DROP TABLE {old}",
        "ALTER TABLE {new} RENAME TO {old}",
    ):
        connection.execute(sql.SQL(statement).format(**names))
    for statement in rebuild:
        connection.execute(statement)
    restart_identity(connection, table)
    return True


def set_chunk_interval(connection: psycopg.Connection[Any], table: str, interval: timedelta) -> bool:
    """Set the span of time of chunks that are made from now on."""
    if not can(connection, "hypertables", otherwise=f"{table} has no chunks."):
        return False
    if hypertable(connection, table) is None:
        log.warning("%s is no hypertable: its chunk interval was not set.", table)
        return False
    connection.execute(
        "SELECT set_chunk_time_interval(%s::text::regclass, %s::interval)", (quoted(table), interval)
    )
    return True


def set_compression(
    connection: psycopg.Connection[Any], table: str, *, segment_by: Sequence[str], order_by: str
) -> bool:
    """Switch compression on for a hypertable, with these settings, for chunks compressed from now on."""
    if not can(connection, "compression", otherwise=f"{table} stays uncompressed."):
        return False
    if hypertable(connection, table) is None:
        log.warning("%s is no hypertable: its compression was not set.", table)
        return False
    column, *direction = _order(order_by).split()
    order = sql.SQL(" ").join([sql.Identifier(column), *(sql.SQL("DESC") for _ in direction)])
    connection.execute(
        sql.SQL(
            "ALTER TABLE {} SET (timescaledb.compress,"
            " timescaledb.compress_segmentby = {}, timescaledb.compress_orderby = {})"
        ).format(
            sql.Identifier(table),
            sql.Literal(sql.SQL(", ").join(map(sql.Identifier, segment_by)).as_string(connection)),
            sql.Literal(order.as_string(connection)),
        )
    )
    return True


def drop_compression(connection: psycopg.Connection[Any], table: str) -> bool:
    """Switch compression off; chunks that are compressed are decompressed first, which takes their size."""
    state = hypertable(connection, table)
    if state is None or state.compression is None:
        return False
    connection.execute(
        "SELECT decompress_chunk(chunk, true) FROM show_chunks(%s::text::regclass) AS chunk", (quoted(table),)
    )
    connection.execute(
        sql.SQL("ALTER TABLE {} SET (timescaledb.compress = false)").format(sql.Identifier(table))
    )
    return True


def database_time_zone(connection: psycopg.Connection[Any]) -> str | None:
    """The time zone that this database gives its sessions by its own setting; None without one."""
    row = connection.execute(_DATABASE_TIME_ZONE).fetchone()
    return None if row is None else str(row[0])


def set_database_time_zone(connection: psycopg.Connection[Any], zone: str | None) -> bool:
    """Give new sessions of this database the time zone `zone`; None takes the setting away."""
    capabilities = probe(connection)
    if not capabilities.may_alter:
        log.warning(
            "This user does not own %s: its time zone stays %s. Programs that send times without an offset"
            " must set their session's to UTC.",
            capabilities.database,
            capabilities.time_zone,
        )
        return False
    action = sql.SQL("RESET timezone") if zone is None else sql.SQL("SET timezone TO {}").format(zone)
    connection.execute(sql.SQL("ALTER DATABASE {} {}").format(sql.Identifier(capabilities.database), action))
    return True


def restart_identity(connection: psycopg.Connection[Any], table: str) -> None:
    """Hand out ids after the highest present, from 1 at least; after the last bigint there is none."""
    connection.execute(
        sql.SQL(
            "SELECT setval(pg_get_serial_sequence({name}, 'id'), greatest(max(id), 1),"
            " coalesce(max(id) > 0, false)) FROM {table}"
        ).format(name=sql.Literal(quoted(table)), table=sql.Identifier(table))
    )


def quoted(table: str) -> str:
    """The table's name as SQL reads it, for `regclass` and its like."""
    return '"' + table.replace('"', '""') + '"'


def _order(text: str) -> str:
    # One spelling for what people write and what the catalog answers. Times are NOT NULL, so that
    # NULLS FIRST and LAST say nothing.
    words = text.replace('"', "").split()
    if not words:
        return ""
    descending = any(word.upper() == "DESC" for word in words[1:])
    return f"{words[0]} DESC" if descending else words[0]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().strip('"') for name in text.split(",") if name.strip())


_DIMENSION = """
SELECT d.column_name, d.time_interval, h.compression_enabled
  FROM timescaledb_information.dimensions AS d
  JOIN timescaledb_information.hypertables AS h USING (hypertable_schema, hypertable_name)
 WHERE d.dimension_number = 1
   AND to_regclass(format('%%I.%%I', d.hypertable_schema, d.hypertable_name)) = to_regclass(quote_ident(%s))
"""

_COMPRESSION = """
SELECT segmentby, orderby
  FROM timescaledb_information.hypertable_compression_settings
 WHERE hypertable = to_regclass(quote_ident(%s))
"""

_KEYS_AND_INDEXES = """
SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname,
              pg_get_constraintdef(oid))
  FROM pg_constraint WHERE conrelid = %s::text::regclass AND contype <> 'n'
 UNION ALL
SELECT pg_get_indexdef(indexrelid) FROM pg_index
 WHERE indrelid = %s::text::regclass
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""

_DATABASE_TIME_ZONE = """
SELECT substr(setting, length('TimeZone=') + 1)
  FROM pg_db_role_setting, unnest(setconfig) AS setting
 WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND setrole = 0 AND setting ILIKE 'timezone=%'
"""
