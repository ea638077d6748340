"""After the copy: keys, indexes, compression, ids, statistics, all validated.

Each step is entered in the ledger in its own transaction and can be run again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from trdinger.declaration import SERIES, TABLES
from trdinger.engine.capabilities import Capabilities
from trdinger.errors import TargetError
from trdinger.legacy.survey import Survey
from trdinger.move import ledger, own
from trdinger.progress import Progress
from trdinger.schema import keys


def finish(
    connection: psycopg.Connection[Any],
    move: uuid.UUID,
    capabilities: Capabilities,
    progress: Progress,
    held: Survey,
) -> None:
    """Do what is left of the steps after the copy of a file. Raises TargetError."""
    done = ledger.steps(connection, move)

    def step(name: str, act: Callable[[], object]) -> None:
        if name not in done:
            begun = time.perf_counter()
            with connection.transaction():
                act()
                ledger.step_done(connection, move, name, time.perf_counter() - begun)
        progress.advance(1, detail=name)

    if held.ours:
        for table in SERIES:
            step(f"keys of {table}", partial(keys.restore_after_load, connection, table))
        if capabilities.has("compression"):
            for table in SERIES:
                own.compress(connection, table)
                progress.advance(1, detail=f"compression of {table}")
        for table in TABLES:
            step(f"ids of {table}", partial(keys.restart_identity, connection, table))
        for table in TABLES:
            analyse = sql.SQL("ANALYZE {}").format(sql.Identifier(table))
            step(f"statistics of {table}", partial(connection.execute, analyse))
        validate(connection)
    own.finish(connection, move, held, capabilities, step)


def steps(held: Survey, capabilities: Capabilities) -> int:
    """How many steps `finish` takes."""
    ours = len(SERIES) * (2 if capabilities.has("compression") else 1) + 2 * len(TABLES)
    return (ours if held.ours else 0) + own.steps(held, capabilities)


def validate(connection: psycopg.Connection[Any]) -> None:
    """Raise TargetError if an index of ours is invalid or a constraint was never validated."""
    invalid = connection.execute(
        """
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_class t ON t.oid = i.indrelid
        WHERE t.relname = ANY(%s) AND NOT (i.indisvalid AND i.indisready)
        UNION ALL
        SELECT k.conname FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
        WHERE t.relname = ANY(%s) AND NOT k.convalidated
        """,
        (list(TABLES), list(TABLES)),
    ).fetchall()
    if invalid:
        raise TargetError(
            f"Not valid: {', '.join(row[0] for row in invalid)}.",
            hint="Drop them and run the same command again.",
        )
