"""Verify a small table, row by row in the order of `id`: every cell, JSON as values.

Both sides are streamed; a row is compared as soon as both have reached its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from trdinger.legacy.judging import Found, judge
from trdinger.legacy.source import Source, quoted
from trdinger.legacy.survey import TableSurvey
from trdinger.legacy.values import Value
from trdinger.progress import Progress
from trdinger.schema.shape import Column
from trdinger.verify.differences import Difference, TableProof
from trdinger.verify.documents import json_differing, show_apart

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FETCH = 50  # rows at once: one may hold megabytes of JSON

_Row = dict[str, Value]


def verify_rows(
    source: Source, table: TableSurvey, connection: psycopg.Connection[Any], progress: Progress
) -> TableProof:
    """Compare every row of a small table. Raises SourceError, TargetError."""
    proof = TableProof(table.shape.name)
    ours = _source_rows(source, table, proof)
    theirs = _target_rows(connection, table)
    left, right = next(ours, None), next(theirs, None)
    previous: Value = None
    while left is not None or right is not None:
        mine = left["id"] if left is not None else None
        other = right["id"] if right is not None else None
        if other is not None and other == previous:
            proof.add(Difference(proof.table, "repeated", f"id {other!r}"))
            right = next(theirs, None)
        elif other is None or (mine is not None and mine < other):  # type: ignore[operator]
            proof.add(Difference(proof.table, "missing", f"id {mine!r}"))
            proof.rows += 1
            left = next(ours, None)
        elif mine is None or other < mine:  # type: ignore[operator]
            proof.add(Difference(proof.table, "extra", f"id {other!r}"))
            right = next(theirs, None)
        else:
            assert left is not None
            assert right is not None
            _compare(table, left, right, proof)
            previous = other
            left, right = next(ours, None), next(theirs, None)
            progress.advance(1, detail=proof.table)
    return proof


def _compare(table: TableSurvey, ours: _Row, theirs: _Row, proof: TableProof) -> None:
    proof.rows += 1
    for column in table.shape.columns:
        mine, other = ours.get(column.name), theirs[column.name]
        proof.cells += 1
        if (shown := _differing(column, mine, other)) is not None:
            proof.add(Difference(proof.table, "value", f"id {ours['id']!r}", column.name, *shown))


def _differing(column: Column, mine: Value, other: Value) -> tuple[str, str] | None:
    """Both values for people where they differ, else None."""
    if mine is None or other is None:
        return None if mine is other else show_apart(_text(column, mine), _text(column, other))
    if column.kind == "json":
        return json_differing(str(mine), str(other))
    if column.kind == "float":
        equal = float(mine).hex() == float(other).hex()
    else:
        equal = type(mine) is type(other) and mine == other
    return None if equal else show_apart(_text(column, mine), _text(column, other))


def _source_rows(source: Source, table: TableSurvey, proof: TableProof) -> Iterator[_Row]:
    columns = ", ".join(map(quoted, table.present))
    with source.connect() as connection:
        for rowid, *cells in connection.execute(
            f"SELECT rowid, {columns} FROM {quoted(table.shape.name)} ORDER BY id"
        ):
            if rowid in table.rejected:
                continue
            found = Found()
            row = judge(table.shape, table.present, rowid, cells, found=found, rules=table.rules)
            if row is None:
                bad = found.bad[0]
                proof.add(Difference(proof.table, "missing", f"row {rowid}", bad.column, bad.value))
                continue
            yield dict(zip(table.present, row, strict=True))


def _target_rows(connection: psycopg.Connection[Any], table: TableSurvey) -> Iterator[_Row]:
    columns = sql.SQL(", ").join(
        sql.SQL("{}::text").format(sql.Identifier(column.name))
        if column.kind == "json"
        else sql.Identifier(column.name)
        for column in table.shape.columns
    )
    statement = sql.SQL("SELECT {} FROM {} ORDER BY id").format(columns, sql.Identifier(table.shape.name))
    with connection.transaction(), connection.cursor(name="verify") as cursor:
        cursor.itersize = _FETCH
        cursor.execute(statement)
        for row in cursor:
            told = {column.name: _plain(cell) for column, cell in zip(table.shape.columns, row, strict=True)}
            if (told["id"],) not in table.replayed:
                yield told


def _plain(cell: Any) -> Value:
    if isinstance(cell, datetime):
        return (cell - _EPOCH) // timedelta(microseconds=1)
    assert not isinstance(cell, Decimal)
    return cell  # type: ignore[no-any-return]


def _text(column: Column, value: Value) -> str:
    if column.kind == "time" and isinstance(value, int):
        return str(_EPOCH + timedelta(microseconds=value))
    return "null" if value is None else repr(value)
