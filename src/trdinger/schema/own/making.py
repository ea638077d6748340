"""Make a user's own table: bare for the load, its keys, indexes and references after it.

Plain functions on a psycopg connection, in the caller's transaction, each of which can be run again:
what is there already is found in the catalog and left as it is. A key that the rows do not have, or
that PostgreSQL cannot index, is not made, and that is answered in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from trdinger.schema import timescale
from trdinger.schema.own.description import Default, ForeignKey, IndexColumn, OwnIndex, OwnTable, type_of
from trdinger.schema.shape import Column

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# As CURRENT_TIMESTAMP does in SQLite.
_TEXT_NOW = "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
_REFERENCES = "SELECT conname FROM pg_constraint WHERE conrelid = %s::text::regclass AND contype = 'f'"


def create(connection: psycopg.Connection[Any], table: OwnTable) -> bool:
    """Make the table without keys, as a hypertable where that is asked for and the server has them.

    Answers whether it was made; one that is there is left alone.
    """
    if oid(connection, table.name) is not None:
        return False
    defaults = {default.column: default for default in table.defaults}
    columns = [
        _column(column, defaults.get(column.name), identity=column.name == table.identity)
        for column in table.shape.columns
    ]
    connection.execute(
        sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(table.name), sql.SQL(", ").join(columns))
    )
    if table.series is not None:
        timescale.create_hypertable(
            connection, table.name, by=table.series.time, chunk_interval=table.series.chunk
        )
    return True


def drop(connection: psycopg.Connection[Any], oids: Iterable[int]) -> list[str]:
    """Drop these tables with the references among them. Answers their names; one that is gone is none."""
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE oid = ANY(%s) AND relnamespace = current_schema::regnamespace",
        (list(oids),),
    ).fetchall()
    names = [str(row[0]) for row in rows]
    for name in names:  # first the references: a hypertable is dropped by itself, or not at all
        for (key,) in connection.execute(_REFERENCES, (timescale.quoted(name),)).fetchall():
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(name), sql.Identifier(key))
            )
    for name in names:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    return names


def oid(connection: psycopg.Connection[Any], name: str) -> int | None:
    """The oid of the table of that name in the default schema; None where there is none."""
    row = connection.execute(
        "SELECT oid FROM pg_class WHERE relname = %s AND relnamespace = current_schema::regnamespace", (name,)
    ).fetchone()
    return None if row is None else int(row[0])


def make_keys(connection: psycopg.Connection[Any], table: OwnTable) -> dict[str, str]:
    """Make the primary key and the indexes. Answers those that were not made, by name, with the reason."""
    failed: dict[str, str] = {}
    if table.primary and (why := _made(connection, table, table.primary_name, _primary(table))):
        failed[table.primary_name] = f"{table.name}: the primary key cannot be made: {why}."
    for index in table.indexes:
        if why := _made(connection, table, index.name, _index(table, index)):
            failed[index.name] = f"{table.name}: the index {index.name} cannot be made: {why}."
    return failed


def make_references(connection: psycopg.Connection[Any], table: OwnTable) -> dict[str, str]:
    """Make the foreign keys, which looks at every row. Answers as `make_keys` does."""
    failed: dict[str, str] = {}
    for key in table.foreign:
        if why := _made(connection, table, key.name, _reference(table, key)):
            columns = ", ".join(key.columns)
            failed[key.name] = (
                f"{table.name}: the reference ({columns}) to {key.table} cannot be made: {why}."
            )
    return failed


def set_compression(connection: psycopg.Connection[Any], table: OwnTable) -> str | None:
    """Switch compression on for a hypertable. Answers why it was not, in words."""
    series = table.series
    if series is None or not timescale.can(
        connection, "compression", otherwise=f"{table.name} stays uncompressed."
    ):
        return None
    segment = sql.SQL(", ").join(map(sql.Identifier, series.segment_by)).as_string(connection)
    statement = sql.SQL(
        "ALTER TABLE {} SET (timescaledb.compress,"
        " timescaledb.compress_segmentby = {}, timescaledb.compress_orderby = {})"
    ).format(
        sql.Identifier(table.name),
        sql.Literal(segment),
        sql.Literal(sql.Identifier(series.time).as_string(connection)),
    )
    try:
        with connection.transaction():
            connection.execute(statement)
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidParameterValue) as error:
        return f"{table.name} stays uncompressed: {error.diag.message_primary}."
    return None


def restart_identity(connection: psycopg.Connection[Any], table: OwnTable) -> None:
    """Hand out ids after the highest that SQLite ever gave, and after the highest present."""
    if table.identity is None:
        return
    last = sql.SQL("greatest(coalesce(max({}), 0), {})").format(
        sql.Identifier(table.identity), sql.Literal(table.last_id)
    )
    connection.execute(
        sql.SQL(
            "SELECT setval(pg_get_serial_sequence({}, {}), greatest({last}, 1), {last} >= 1) FROM {}"
        ).format(
            sql.Literal(timescale.quoted(table.name)),
            sql.Literal(table.identity),
            sql.Identifier(table.name),
            last=last,
        )
    )


def _made(
    connection: psycopg.Connection[Any], table: OwnTable, name: str, statement: sql.Composed
) -> str | None:
    """Make a key where it is not; why it cannot be, in the server's words."""
    if name in _present(connection, table.name):
        return None
    try:
        with connection.transaction():
            connection.execute(statement)
    except (
        psycopg.errors.IntegrityError,
        psycopg.errors.ProgramLimitExceeded,
        psycopg.errors.FeatureNotSupported,
        psycopg.errors.InvalidForeignKey,
        psycopg.errors.DatatypeMismatch,
    ) as error:
        return str(error.diag.message_primary)
    return None


def _present(connection: psycopg.Connection[Any], table: str) -> set[str]:
    """The names of a table's indexes and constraints."""
    name = timescale.quoted(table)
    rows = connection.execute(
        "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " WHERE indrelid = %s::text::regclass"
        " UNION SELECT conname FROM pg_constraint WHERE conrelid = %s::text::regclass",
        (name, name),
    )
    return {row[0] for row in rows}


def _primary(table: OwnTable) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY ({})").format(
        sql.Identifier(table.name),
        sql.Identifier(table.primary_name),
        sql.SQL(", ").join(map(sql.Identifier, table.primary)),
    )


def _index(table: OwnTable, index: OwnIndex) -> sql.Composed:
    return sql.SQL("CREATE {} {} ON {} ({})").format(
        sql.SQL("UNIQUE INDEX" if index.unique else "INDEX"),
        sql.Identifier(index.name),
        sql.Identifier(table.name),
        sql.SQL(", ").join(map(_indexed, index.columns)),
    )


def _indexed(column: IndexColumn) -> sql.Composed:
    form = '(lower({} COLLATE "C"))' if column.folded else "{}"
    return sql.SQL(form + (" DESC NULLS LAST" if column.descending else " NULLS FIRST")).format(
        sql.Identifier(column.column)
    )


def _reference(table: OwnTable, key: ForeignKey) -> sql.Composed:
    return sql.SQL(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}"
    ).format(
        sql.Identifier(table.name),
        sql.Identifier(key.name),
        sql.SQL(", ").join(map(sql.Identifier, key.columns)),
        sql.Identifier(key.table),
        sql.SQL(", ").join(map(sql.Identifier, key.referred)),
        _action(key.on_delete),
        _action(key.on_update),
    )


def _action(said: str) -> sql.SQL:
    for known in ("CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"):
        if said.upper() == known:
            return sql.SQL(known)
    return sql.SQL("NO ACTION")


def _column(column: Column, default: Default | None, *, identity: bool) -> sql.Composed:
    parts: list[sql.Composable] = [sql.Identifier(column.name), sql.SQL(type_of(column))]
    if identity:
        parts.append(sql.SQL("GENERATED BY DEFAULT AS IDENTITY"))
    elif default is not None:
        parts += [sql.SQL("DEFAULT"), _default(column, default)]
    if not column.nullable:
        parts.append(sql.SQL("NOT NULL"))
    return sql.SQL(" ").join(parts)


def _default(column: Column, default: Default) -> sql.Composable:
    if default.moment:
        return sql.SQL("now()" if column.kind == "time" else _TEXT_NOW)
    value = default.value
    if column.kind == "time" and isinstance(value, int):
        return sql.Literal(_EPOCH + timedelta(microseconds=value))
    return sql.Literal(value)
