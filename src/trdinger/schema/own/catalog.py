"""A user's own table as the target's catalog has it: its shape, its order after its parents, its next id."""

from __future__ import annotations

from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from typing import Any

import psycopg
from psycopg import sql

from trdinger.schema import timescale
from trdinger.schema.own.description import KINDS
from trdinger.schema.shape import Column, TableShape

# As PostgreSQL writes out types that we name shortly.
_SHORT = {"timestamp with time zone": "timestamptz", "character varying": "text"}
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull, a.atthasdef OR a.attidentity <> '',
       CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod > 4 THEN a.atttypmod - 4 END
FROM pg_attribute a WHERE a.attrelid = %s::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_KEYS = """
SELECT array(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY place)
FROM pg_index i
WHERE i.indrelid = %s::text::regclass AND i.indisunique AND i.indexprs IS NULL ORDER BY NOT i.indisprimary
"""
_PARENTS = """
SELECT c.relname, p.relname FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
WHERE k.contype = 'f' AND c.relname = ANY(%s) AND p.relname = ANY(%s) AND c.oid <> p.oid
"""
_IDENTITY = "SELECT attname FROM pg_attribute WHERE attrelid = %s::text::regclass AND attidentity <> ''"


def shape(connection: psycopg.Connection[Any], name: str) -> TableShape:
    """The shape of a table that a move made. A text takes numbers, each as its literal, as it did then."""
    table = timescale.quoted(name)
    columns = []
    for column, type_name, filled, default, length in connection.execute(_COLUMNS, (table,)):
        kind = KINDS[_SHORT.get(type_name, type_name)]
        columns.append(
            Column(
                column,
                kind,
                nullable=not filled,
                length=length,
                default=bool(default),
                numbers=kind == "text",
            )
        )
    keys = tuple(tuple(row[0]) for row in connection.execute(_KEYS, (table,)))
    return TableShape(name, tuple(columns), keys, (), None)


def parents_first(connection: psycopg.Connection[Any], names: Collection[str]) -> list[str]:
    """The tables in an order in which each comes after those that it refers to, as far as there is one."""
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(sorted(names), ()))
    for child, parent in connection.execute(_PARENTS, (list(names), list(names))):
        order.add(child, parent)
    try:
        return list(order.static_order())
    except CycleError:
        return sorted(names)


def restart_identity(connection: psycopg.Connection[Any], name: str) -> None:
    """Hand out ids after the highest present, never before the next one."""
    table = timescale.quoted(name)
    for (column,) in connection.execute(_IDENTITY, (table,)).fetchall():
        row = connection.execute("SELECT pg_get_serial_sequence(%s, %s)", (table, column)).fetchone()
        assert row is not None
        connection.execute(
            sql.SQL(
                "SELECT setval({sequence}, highest) FROM (SELECT max({column}) AS highest FROM {table}) AS m"
                f" WHERE highest > (SELECT last_value FROM {row[0]})"
            ).format(sequence=sql.Literal(row[0]), column=sql.Identifier(column), table=sql.Identifier(name))
        )
