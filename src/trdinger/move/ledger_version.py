"""Which version a target's ledger is of. An older one is brought up to date, a newer one is refused.

1: move, unit and step; it does not say so itself. 2: reject, replayed and own, and `about`, which says it.
Every version so far only added tables, so the ledger's own DDL is what brings an older one up to date.
"""

from __future__ import annotations

from typing import Any

import psycopg

from trdinger.errors import TargetRefused

WITH_REJECTS = 2
VERSION = WITH_REJECTS

DDL = """
CREATE TABLE IF NOT EXISTS {schema}.about (
    version     integer NOT NULL
);
"""


def of(connection: psycopg.Connection[Any], schema: str) -> int:
    """The version of the ledger that is there."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{schema}.about",)).fetchone()
    if not (row and row[0]):
        return 1
    said = connection.execute(f"SELECT max(version) FROM {schema}.about").fetchone()
    return int(said[0]) if said and said[0] is not None else 1


def enter(connection: psycopg.Connection[Any], schema: str) -> None:
    """Say that the ledger is of this version, after its tables were made."""
    connection.execute(f"DELETE FROM {schema}.about WHERE version < %s", (VERSION,))
    connection.execute(
        f"INSERT INTO {schema}.about SELECT %s WHERE NOT EXISTS (SELECT FROM {schema}.about)", (VERSION,)
    )


def require_known(connection: psycopg.Connection[Any], schema: str) -> None:
    """Raise TargetRefused for a ledger that a newer trdinger made: what it means is not known here."""
    found = of(connection, schema)
    if found > VERSION:
        raise TargetRefused(
            f"The ledger in {connection.info.dbname} is of version {found}; this trdinger knows {VERSION}."
            " Nothing was written.",
            hint="Use the trdinger that made it, or a newer one.",
        )
