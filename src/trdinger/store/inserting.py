"""Rows of a series into a database, each key once: new ones in, known ones left or, on request, corrected.

In the transaction of the connection that is handed in. Nothing is judged here; a row that the table
refuses fails the statement. Rows go in by key, so that two writers meet in the same order and wait, not lock
each other out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pgpq import ArrowToPostgresBinaryEncoder

from trdinger.declaration import Series
from trdinger.engine.borrowed import Borrowed
from trdinger.schema.shape import Kind, shape

# Rows from which COPY into a temporary table is faster than arrays in one statement: making and dropping
# that table costs some 5 ms, arrays cost 0.04 (psycopg) to 0.1 ms (psycopg2) a row. They met at 100 to 300.
MANY = 200
_LOOK = 4  # times as many rows as are given, and no more, are looked at for those that are known
_TYPES: dict[Kind, str] = {"text": "text", "time": "timestamptz", "float": "float8"}
_GIVEN = "trdinger_given"
# On Community a transaction may unpack so many rows of compressed chunks; corrections may need more.
_LIMIT = "timescaledb.max_tuples_decompressed_per_dml_transaction"


@dataclass(frozen=True)
class Inserted:
    """How many rows were new, and how many replaced others."""

    new: int
    replaced: int = 0


def insert(connection: Borrowed, series: Series, rows: pa.Table, *, replace: bool = False) -> Inserted:
    """Insert rows of the series' writable columns, the key among them. A key that is there stays as it is.

    replace: where the values of a known key differ, these take their place, and `updated_at` moves.
    A key that comes twice counts once: its first row, with `replace` its last.
    """
    rows = _once(series, rows, last=replace)
    if not rows.num_rows:
        return Inserted(0)
    with connection.whole():
        if connection.dialect == "sqlite":
            return _sqlite(connection, series, rows, replace=replace)
        return _postgresql(connection, series, rows, replace=replace)


def _once(series: Series, rows: pa.Table, *, last: bool) -> pa.Table:
    """Rows by key, one of each; those that lack a part of it stay, for the table to refuse."""
    keys = [(name, "ascending") for name in series.key]
    order = pc.sort_indices(
        rows.append_column("at", pa.array(np.arange(rows.num_rows))), [*keys, ("at", "ascending")]
    )
    rows = rows.take(order)
    if rows.num_rows < 2:
        return rows
    same = np.ones(rows.num_rows - 1, bool)
    for name in series.key:
        column = rows.column(name).combine_chunks()
        equal = pc.equal(column.slice(1), column.slice(0, rows.num_rows - 1)).fill_null(False)
        same &= equal.to_numpy(zero_copy_only=False)
    if not same.any():
        return rows
    kept = np.append(~same, True) if last else np.insert(~same, 0, True)
    return rows.filter(pa.array(kept))


def _postgresql(connection: Borrowed, series: Series, rows: pa.Table, *, replace: bool) -> Inserted:
    if not replace:
        rows = _unknown(connection, series, rows)
        if not rows.num_rows:
            return Inserted(0)
    listed = ", ".join(rows.column_names)
    types = [_TYPES[shape(series.table).column(name).kind] for name in rows.column_names]
    many = rows.num_rows >= MANY
    if many:
        columns = ", ".join(f"{name} {kind}" for name, kind in zip(rows.column_names, types, strict=True))
        connection.run(f"CREATE TEMPORARY TABLE {_GIVEN} ({columns}) ON COMMIT DROP")
        connection.copy_in(f"COPY pg_temp.{_GIVEN} ({listed}) FROM STDIN (FORMAT binary)", _encoded(rows))
        source, values = f"SELECT {listed} FROM pg_temp.{_GIVEN}", []
    else:
        source = f"SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for kind in types)})"
        values = [column.to_pylist() for column in rows.columns]
    statement = f"INSERT INTO {series.table} AS t ({listed}) {source} ON CONFLICT ({', '.join(series.key)})"
    if replace:
        done = _replacing(connection, series, statement, rows.column_names, values)
    else:
        done = Inserted(connection.run(f"{statement} DO NOTHING", values))
    if many:
        connection.run(f"DROP TABLE pg_temp.{_GIVEN}")
    return done


def _unknown(connection: Borrowed, series: Series, rows: pa.Table) -> pa.Table:
    """Rows without those whose key is there, where that can be told by one look at their series.

    A range of compressed rows is read at once; a key that is inserted is looked for in its batches by itself.
    """
    segments = [rows.column(name).combine_chunks() for name in series.segment_by]
    if rows.num_rows < MANY or any(pc.count_distinct(one).as_py() != 1 or one.null_count for one in segments):
        return rows
    times = rows.column(series.time).combine_chunks()
    first, last = (bound.as_py() for bound in pc.min_max(times).values())
    if first is None or times.null_count:
        return rows
    same = " AND ".join(f"{name} = %s" for name in series.segment_by)
    known = connection.rows(
        f"SELECT {series.time} FROM {series.table} WHERE {same} AND {series.time} BETWEEN %s AND %s LIMIT %s",
        [*(one[0].as_py() for one in segments), first, last, _LOOK * rows.num_rows],
    )
    if not known or len(known) == _LOOK * rows.num_rows:
        return rows
    there = pa.array([moment for (moment,) in known], times.type)
    return rows.filter(pc.invert(pc.is_in(times, value_set=there)))


def _replacing(
    connection: Borrowed, series: Series, statement: str, names: Sequence[str], values: Sequence[object]
) -> Inserted:
    put, compared = _values(series, names)
    assigned = ", ".join(f"{name} = excluded.{name}" for name in put)
    old, new = (", ".join(f"{side}.{name}" for name in compared) for side in ("t", "excluded"))
    before = connection.rows(f"SELECT current_setting('{_LIMIT}', true)")[0][0]
    if before is not None:
        connection.run(f"SET LOCAL {_LIMIT} = 0")
    # A row that replaced another carries the transaction that did it as its xmax; a new one carries none.
    ((fresh, replaced),) = connection.rows(
        f"WITH done AS ({statement} DO UPDATE SET {assigned}, updated_at = now()"
        f" WHERE ({old}) IS DISTINCT FROM ({new}) RETURNING t.xmax = 0 AS new)"
        " SELECT count(*) FILTER (WHERE new), count(*) FILTER (WHERE NOT new) FROM done",
        values,
    )
    if before is not None:
        connection.run(f"SET LOCAL {_LIMIT} = {int(before)}")
    return Inserted(fresh, replaced)


def _sqlite(connection: Borrowed, series: Series, rows: pa.Table, *, replace: bool) -> Inserted:
    names = rows.column_names
    cells = {name: _cells(rows.column(name)) for name in names}
    marks = ", ".join("?" * len(names))
    # OR IGNORE would swallow a null where none may be, too; this leaves known keys alone and nothing else.
    new = connection.run_each(
        f"INSERT INTO {series.table} ({', '.join(names)}) VALUES ({marks})"
        f" ON CONFLICT ({', '.join(series.key)}) DO NOTHING",
        list(zip(*cells.values(), strict=True)),
    )
    if not replace:
        return Inserted(new)
    put, compared = _values(series, names)
    statement = (
        f"UPDATE {series.table} SET {', '.join(f'{name} = ?' for name in put)},"
        " updated_at = CURRENT_TIMESTAMP"
        f" WHERE {' AND '.join(f'{name} = ?' for name in series.key)}"
        f" AND ({' OR '.join(f'{name} IS NOT ?' for name in compared)})"
    )
    values = list(zip(*(cells[name] for name in (*put, *series.key, *compared)), strict=True))
    return Inserted(new, connection.run_each(statement, values))


def _values(series: Series, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """What a correction puts in, and what of that was observed: when it was saved is no difference."""
    put = [name for name in names if name not in series.key]
    return put, [name for name in put if name != series.saved]


def _encoded(rows: pa.Table) -> bytearray:
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    data = bytearray(encoder.write_header())
    for batch in rows.to_batches():
        data += encoder.write_batch(batch)
    data += encoder.finish()
    return data


def _cells(column: pa.ChunkedArray) -> list[object]:
    """Values as the application stores them: a time as text in UTC with six digits of its second."""
    if pa.types.is_timestamp(column.type):
        column = pc.strftime(column.cast(pa.timestamp("us")), format="%Y-%m-%d %H:%M:%S")
    return list(column.to_pylist())
