"""What differs between a user's own table in the target and its description, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from trdinger.schema import timescale
from trdinger.schema.own.description import OwnTable, type_of

_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
 WHERE attrelid = %s::text::regclass AND attnum > 0 AND NOT attisdropped
"""
_INVALID = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = %(table)s::text::regclass AND NOT (i.indisvalid AND i.indisready)
 UNION ALL
SELECT conname FROM pg_constraint WHERE conrelid = %(table)s::text::regclass AND NOT convalidated
"""
_NAMES = """
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
 WHERE indrelid = %(table)s::text::regclass
 UNION SELECT conname FROM pg_constraint WHERE conrelid = %(table)s::text::regclass
"""
_SPELLED = {"varchar": "character varying", "timestamptz": "timestamp with time zone"}


def differences(connection: psycopg.Connection[Any], table: OwnTable) -> Iterator[str]:
    """What is wrong about the columns, keys, references, next id and hypertable of a table that is there."""
    name = timescale.quoted(table.name)
    found = {row[0]: (row[1], row[2]) for row in connection.execute(_COLUMNS, (name,))}
    for column in table.shape.columns:
        wanted = type_of(column)
        head, mark, rest = wanted.partition("(")
        if column.name not in found:
            yield f"{table.name}.{column.name} is missing."
        elif found[column.name][0] != _SPELLED.get(head, head) + mark + rest:
            yield f"{table.name}.{column.name} is {found[column.name][0]} and should be {wanted}."
        elif found[column.name][1] is column.nullable:
            may = "should be allowed" if column.nullable else "should not be allowed"
            yield f"{table.name}.{column.name} {may} to be null."
    present = {row[0] for row in connection.execute(_NAMES, {"table": name})}
    keys = [table.primary_name] if table.primary else []
    for key in (*keys, *(index.name for index in table.indexes), *(key.name for key in table.foreign)):
        if key not in present:
            yield f"{table.name}: {key} is missing."
    for (invalid,) in connection.execute(_INVALID, {"table": name}).fetchall():
        yield f"{table.name}: {invalid} is not valid."
    yield from _series(connection, table)
    yield from _next_id(connection, table)


def _series(connection: psycopg.Connection[Any], table: OwnTable) -> Iterator[str]:
    if table.series is None or not timescale.can(
        connection, "hypertables", otherwise=f"{table.name} is a plain table."
    ):
        return
    state = timescale.hypertable(connection, table.name)
    if state is None:
        yield f"{table.name} is no hypertable."
    elif state.by != table.series.time:
        yield f"{table.name} is partitioned by {state.by} and should be by {table.series.time}."


def _next_id(connection: psycopg.Connection[Any], table: OwnTable) -> Iterator[str]:
    if table.identity is None:
        return
    row = connection.execute(
        sql.SQL("SELECT max({}), pg_get_serial_sequence({}, {}) FROM {}").format(
            sql.Identifier(table.identity),
            sql.Literal(timescale.quoted(table.name)),
            sql.Literal(table.identity),
            sql.Identifier(table.name),
        )
    ).fetchone()
    assert row is not None
    if row[1] is None:
        yield f"{table.name}.{table.identity} is not numbered by the server."
        return
    last = connection.execute(
        f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {row[1]}"
    ).fetchone()
    highest = max(row[0] or 0, table.last_id)
    if last is not None and last[0] < highest:
        yield f"{table.name}: the next id would be {last[0] + 1}, {highest} was given already."
