"""Verify a whole target against a SQLite file: every table, then the structure around them.

One connection at a time on a server that has only one; elsewhere a connection for each core, up to four.
"""

from __future__ import annotations

import os
from typing import Any

import psycopg
from psycopg import sql

from trdinger.engine.capabilities import Capabilities
from trdinger.engine.connect import Database
from trdinger.engine.failures import speaking
from trdinger.errors import TargetError
from trdinger.legacy.survey import Survey
from trdinger.progress import Progress
from trdinger.schema.own import comparing as own
from trdinger.schema.shape import shapes
from trdinger.schema.upgrade import differences
from trdinger.verify.bag import verify_bag
from trdinger.verify.differences import Difference, Proof, TableProof
from trdinger.verify.rows import verify_rows
from trdinger.verify.series import verify_series

_HANDS = 4  # connections at most: each takes some 25 MB here


def verify(survey: Survey, database: Database, progress: Progress) -> Proof:
    """Compare every cell of every row. Raises SourceError, TargetError; differences are in the proof."""
    progress.stage("Verify", total=survey.rows)
    present = _tables(database, survey)
    found: dict[str, TableProof] = {}
    hands = min(_HANDS, os.cpu_count() or 1) if database.capabilities.has("many_sessions") else 1
    with speaking(database):
        for table in survey.tables:
            if table.shape.series and table.shape.name in present:
                found[table.shape.name] = verify_series(survey.source, table, database, progress, hands=hands)
    with database.connect() as connection:
        for table in survey.tables:
            if table.shape.series or table.shape.name not in present:
                continue
            verified = verify_rows if table.own is None else verify_bag
            found[table.shape.name] = verified(survey.source, table, connection, progress)
        names = [shape.name for shape in shapes()] if survey.ours else []
        names += [table.shape.name for table in survey.own]
        for name in names:
            if name not in present:
                found[name] = _absent(survey, name)
            elif name not in found:
                found[name] = _emptiness(connection, name)
    proof = Proof([found[name] for name in names])
    proof.structure = structure(database) if survey.ours else []
    with database.connect() as connection:
        for table in survey.own:
            if table.own is not None and table.shape.name in present:
                proof.structure += own.differences(connection, table.own.table)
    return proof


def structure(database: Database) -> list[str]:
    """What is wrong about Trdinger's schema, keys, hypertables, time zone or ids, in sentences."""
    engine = database.engine()
    try:
        with speaking(database):
            found = list(differences(engine))
    finally:
        engine.dispose()
    capabilities = database.capabilities  # before a connection is held: there may be only one
    present = _tables(database, None)
    with database.connect() as connection:
        return found + _ids(connection, present) + _time_zone(capabilities)


def _time_zone(capabilities: Capabilities) -> list[str]:
    if capabilities.time_zone in {"UTC", "Etc/UTC", "GMT", "Etc/GMT"}:
        return []
    return [
        f"New sessions of {capabilities.database} use the time zone {capabilities.time_zone}; the existing"
        " application means UTC. Mend it: trdinger db upgrade."
    ]


def _ids(connection: psycopg.Connection[Any], present: set[str]) -> list[str]:
    wrong = []
    for shape in shapes():
        if shape.name not in present:
            continue
        name = sql.Identifier(shape.name)
        row = connection.execute(
            sql.SQL("SELECT (SELECT max(id) FROM {}), pg_get_serial_sequence(%s, 'id')").format(name),
            (shape.name,),
        ).fetchone()
        assert row is not None
        highest, sequence = row
        if highest is None or sequence is None:
            continue
        last = connection.execute(
            f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}"
        )
        (handed_out,) = last.fetchone() or (0,)
        if handed_out < highest:
            wrong.append(
                f"{shape.name}: the next id would be {handed_out + 1}, the highest present is {highest}."
            )
    return wrong


def _tables(database: Database, survey: Survey | None) -> set[str]:
    with database.connect(autocommit=True) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema"
        ).fetchall()
    present = {row[0] for row in rows}
    wanted = {shape.name for shape in shapes()}
    if survey is not None:
        wanted |= {table.shape.name for table in survey.own}
    if not present & wanted:
        what = "none of Trdinger's tables" if survey is None or survey.ours else "none of the file's tables"
        raise TargetError(
            f"{database} holds {what}.",
            hint="Run trdinger migrate first, or name another target.",
        )
    return present


def _absent(survey: Survey, name: str) -> TableProof:
    proof = TableProof(name)
    table = survey.table(name)
    proof.add(Difference(name, "missing", f"the table, with {table.rows if table else 0:,} rows"))
    return proof


def _emptiness(connection: psycopg.Connection[Any], name: str) -> TableProof:
    """A table that the source lacks must be empty."""
    proof = TableProof(name)
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
    if row and row[0]:
        proof.add(Difference(name, "extra", f"{row[0]:,} rows of a table that the source lacks"))
    return proof
