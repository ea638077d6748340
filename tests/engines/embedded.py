"""The project's own embedded TimescaleDB: one server for the run, emptied between tests."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest
from sqlalchemy.engine import make_url

from engines.base import EngineUnderTest
from trdinger.engine.connect import Database
from trdinger.engine.embedded import running
from trdinger.engine.embedded.runtime import find_node
from trdinger.errors import MissingCapability


def laid(directory: Path) -> Path:
    """The directory, with a new database in it: one that is made once in a run, closed, and copied.

    To make one takes some seconds of a core; tests that are about that let the program do it.
    """
    shutil.copytree(_first(), directory, ignore=shutil.ignore_patterns("server.*"), dirs_exist_ok=True)
    return directory


@functools.cache
def _first() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="trdinger-embedded-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with running(folder / "data"):
        return folder / "data"


class Embedded(EngineUnderTest):
    """TimescaleDB Community in one process with one session, which every test finds empty."""

    name: ClassVar[str] = "embedded"

    def __init__(self) -> None:
        self._running = ExitStack()
        self._database: Database | None = None

    def absent(self) -> str | None:
        try:
            find_node()
        except MissingCapability as error:
            return str(error)
        return None

    def describe(self) -> str:
        node = find_node()
        package = json.loads(files("trdinger.engine.embedded").joinpath("package.json").read_text("utf-8"))
        pinned = ", ".join(f"{name} {version}" for name, version in package["dependencies"].items())
        return f"TimescaleDB Community, {pinned}, on Node {node.version} ({node.executable})"

    def start(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="trdinger-embedded-"))
        self._running.callback(shutil.rmtree, directory, ignore_errors=True)
        server = self._running.enter_context(running(laid(directory)))
        self._database = Database(make_url(server.url), sessions=1)

    def stop(self) -> None:
        self._running.close()

    @contextmanager
    def empty(self, *, timescaledb: bool = True) -> Iterator[Database]:
        if not timescaledb:
            pytest.skip("embedded: its TimescaleDB cannot be left out")
        assert self._database is not None
        self._reset()
        yield self._database.fresh()

    def _reset(self) -> None:
        """Drop what the last test left. Before a test, not after: then a failed one can be looked at."""
        assert self._database is not None
        with psycopg.connect(self._database.conninfo, autocommit=True) as connection:
            for statements in (_DROP_AGGREGATES, _DROP_JOBS, _DROP_OBJECTS, _DROP_SCHEMAS):
                for (statement,) in connection.execute(statements).fetchall():
                    connection.execute(statement)
            connection.execute("ALTER DATABASE postgres RESET ALL")


# Each answers with the statements that drop one kind of thing, in an order in which they can go. What
# belongs to an extension stays.
_DROP_AGGREGATES = """
SELECT format('DROP MATERIALIZED VIEW IF EXISTS %I.%I CASCADE', view_schema, view_name)
FROM timescaledb_information.continuous_aggregates
"""
_DROP_JOBS = """
SELECT format('SELECT delete_job(%s)', job_id) FROM timescaledb_information.jobs WHERE job_id >= 1000
"""
_DROP_OBJECTS = """
WITH ours AS (SELECT objid, classid FROM pg_depend WHERE deptype = 'e')
SELECT format('DROP %s IF EXISTS public.%I CASCADE', kind, relname)
FROM pg_class
JOIN (VALUES ('r', 'TABLE'), ('p', 'TABLE'), ('v', 'VIEW'), ('m', 'MATERIALIZED VIEW'), ('S', 'SEQUENCE'),
             ('f', 'FOREIGN TABLE')) AS kinds (letter, kind) ON letter = relkind::text
WHERE relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM ours WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid)
  AND NOT EXISTS (SELECT FROM pg_depend  -- a column's own sequence goes with its table
                  WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('i', 'a')
                    AND refclassid = 'pg_class'::regclass AND refobjsubid > 0)
UNION ALL
SELECT format('DROP %s IF EXISTS %s CASCADE', CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE'
    ELSE 'FUNCTION' END, oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM ours WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid)
UNION ALL
SELECT format('DROP TYPE IF EXISTS public.%I CASCADE', typname)
FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')
  AND NOT EXISTS (SELECT FROM ours WHERE classid = 'pg_type'::regclass AND objid = pg_type.oid)
"""
_DROP_SCHEMAS = r"""
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname)
FROM pg_namespace
WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_namespace'::regclass
                  AND objid = pg_namespace.oid)
"""
