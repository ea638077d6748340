"""What the ledger knows of a user's own tables: which ones a move made, and which keys it could not."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

_TABLE = "trdinger_ledger.own"

DDL = f"""
CREATE TABLE IF NOT EXISTS {_TABLE} (
    move        uuid NOT NULL REFERENCES trdinger_ledger.move ON DELETE CASCADE,
    table_name  text NOT NULL,
    oid         oid NOT NULL,
    failed      jsonb NOT NULL DEFAULT '{{}}',
    PRIMARY KEY (move, table_name)
);
"""


@dataclass(frozen=True)
class Made:
    """A table that a move made. failed: what could not be made of it, by name, with the reason."""

    oid: int
    failed: dict[str, str]


def made(connection: psycopg.Connection[Any]) -> dict[str, Made]:
    """The tables that moves into this target made, by name; none where there is no ledger."""
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (_TABLE,)).fetchone()
    if not (found and found[0]):
        return {}
    rows = connection.execute(f"SELECT table_name, oid, failed FROM {_TABLE}").fetchall()
    return {name: Made(int(oid), failed) for name, oid, failed in rows}


def enter(connection: psycopg.Connection[Any], move: uuid.UUID, table: str, oid: int) -> None:
    """Enter a table as made by this move, in the running transaction."""
    connection.execute(
        f"INSERT INTO {_TABLE} (move, table_name, oid) VALUES (%s, %s, %s)", (move, table, oid)
    )


def fail(connection: psycopg.Connection[Any], move: uuid.UUID, table: str, failed: Mapping[str, str]) -> None:
    """Enter what could not be made of a table, in the running transaction."""
    connection.execute(
        f"UPDATE {_TABLE} SET failed = failed || %s WHERE move = %s AND table_name = %s",
        (Jsonb(dict(failed)), move, table),
    )
