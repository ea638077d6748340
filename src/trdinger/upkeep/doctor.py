"""What is wrong with a database, or will be, each with the way to mend it. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from trdinger.archive.place import Place
from trdinger.declaration import Lifecycle
from trdinger.engine.connect import Database
from trdinger.engine.failures import translate
from trdinger.upkeep import ageing, soundness
from trdinger.upkeep.finding import Check, Finding, Patient

CHECKS: dict[str, Check] = {
    "tables": soundness.tables,
    "hypertables": soundness.hypertables,
    "keys": soundness.keys,
    "indexes": soundness.indexes,
    "time zone": soundness.time_zone,
    "clock": soundness.clock,
    "connections": soundness.connections,
    "version": soundness.version,
    "jobs": ageing.jobs,
    "policies": ageing.policies,
    "aggregates": ageing.aggregates,
    "retention": ageing.retention,
    "archive": ageing.archive,
}


def examine(
    database: Database, lifecycle: Lifecycle, archive: Place | None
) -> Iterator[tuple[str, list[Finding]]]:
    """Every check in turn, with what it found. Raises TargetError where the database cannot be reached.

    A check that cannot be made is a note: what was not looked at is not called well.
    """
    assert database.capabilities  # read now: where there is one session, it is taken then
    with database.connect(autocommit=True) as connection:
        patient = Patient(database, connection, lifecycle, archive)
        for name, check in CHECKS.items():
            try:
                yield name, check(patient)
            except psycopg.Error as error:
                if connection.closed:
                    raise
                said = translate(error, database, established=True)
                yield (
                    name,
                    [Finding(f"Not looked at: {said.message}", said.hint or "See the server's log.", "note")],
                )
