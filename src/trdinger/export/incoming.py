"""Put rows that fit into one table of the database, each once: by its natural key, or by its id.

What is there already stays as it is and is counted; a row without its parent, or with a name that
another row has, is told. All in the caller's transaction, over one connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from trdinger.export.fitting import NUMBER
from trdinger.legacy.judging import BadValue
from trdinger.schema import keys
from trdinger.schema.shape import Column, TableShape

_HERE, _LATER, _IDS = "trdinger_incoming", "trdinger_later", "trdinger_ids"
_WRITE_BYTES = 4 << 20  # of one CopyData message
_TYPES = {
    "time": "timestamptz",
    "float": "double precision",
    "integer": "bigint",
    "boolean": "boolean",
    "json": "text",
    "text": "text",
}
_NOT_COMPARED = frozenset({"id", "created_at", "updated_at"})


@dataclass
class Counts:
    """What became of a table's rows. differing: of the known ones those that the database has otherwise."""

    rows: int = 0
    new: int = 0
    differing: int = 0
    rejected: int = 0

    @property
    def known(self) -> int:
        return self.rows - self.new - self.rejected


class Incoming:
    """Takes the rows of one table, a piece at a time. Within one transaction; `finish` ends it.

    columns: those that the file has; the server fills the others. A row of a series keeps its id unless
    another has it; then it gets the next one, as rows do that come without.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], shape: TableShape, columns: tuple[str, ...]
    ) -> None:
        self.counts = Counts()
        self._connection = connection
        self._shape = shape
        self._columns = tuple(shape.column(name) for name in columns)
        self._key = shape.series.key if shape.series else ("id",)
        self._with_id = "id" in columns
        # Keys are looked up in compressed chunks, however many rows there are.
        connection.execute(
            "SELECT set_config(name, '0', true) FROM pg_settings"
            " WHERE name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'"
        )
        fields = [sql.SQL("{} bigint").format(sql.Identifier(NUMBER))]
        fields += [
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(_TYPES[column.kind]))
            for column in self._columns
        ]
        for name in (_HERE, _LATER):
            self._run("CREATE TEMP TABLE {} ({}) ON COMMIT DROP", _name(name), sql.SQL(", ").join(fields))
        if shape.series and self._with_id:
            self._run("CREATE TEMP TABLE {} (id bigint PRIMARY KEY) ON COMMIT DROP", _name(_IDS))
            self._run(
                "INSERT INTO {} SELECT DISTINCT id FROM {} WHERE id IS NOT NULL", _name(_IDS), self._table
            )

    def take(self, rows: pa.Table) -> list[BadValue]:
        """Put the rows of a piece in; answers what the table cannot take, by row."""
        if not rows.num_rows:
            return []
        self._run("TRUNCATE {}", _name(_HERE))
        self._copy(rows)
        self.counts.differing += self._known(rows)
        self._repeated()
        conflicts = list(self._conflicts())
        if self._shape.series and self._with_id:
            self._keep_ids()
        self.counts.new += self._insert(_HERE, self._columns)
        return sorted(conflicts, key=lambda bad: bad.rowid)

    def finish(self, *, writes: bool) -> None:
        """Put in the rows whose id another has, with the next ids. writes: False where all is taken back."""
        if not writes:
            (later,) = self._run("SELECT count(*) FROM {}", _name(_LATER)).fetchone() or (0,)
            self.counts.new += later
        else:
            if self._with_id and self.counts.new:
                keys.restart_identity(self._connection, self._shape.name)
            without = tuple(column for column in self._columns if column.name != "id")
            self.counts.new += self._insert(_LATER, without)
        for name in (_HERE, _LATER, *((_IDS,) if self._shape.series and self._with_id else ())):
            self._run("DROP TABLE {}", _name(name))

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier(self._shape.name)

    def _run(self, statement: str, *parts: sql.Composable) -> psycopg.Cursor[Any]:
        return self._connection.execute(sql.SQL(statement).format(*parts))

    def _copy(self, rows: pa.Table) -> None:
        table = rows.select([NUMBER, *(column.name for column in self._columns)])
        encoder = ArrowToPostgresBinaryEncoder(table.schema)
        data = bytearray(encoder.write_header())
        for batch in table.to_batches():
            data += encoder.write_batch(batch)
        data += encoder.finish()
        statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(_name(_HERE))
        view = memoryview(data)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for start in range(0, len(view), _WRITE_BYTES):
                copy.write(view[start : start + _WRITE_BYTES])

    def _known(self, rows: pa.Table) -> int:
        """Take out the rows whose key is there already; how many of them differ."""
        compared = [column for column in self._columns if column.name not in {*_NOT_COMPARED, *self._key}]
        pairs = [(_cast("here", column), _of("there", column.name)) for column in compared]
        differs = (
            sql.SQL("({}) IS DISTINCT FROM ({})").format(
                sql.SQL(", ").join(one for one, _ in pairs), sql.SQL(", ").join(other for _, other in pairs)
            )
            if pairs
            else sql.SQL("false")
        )
        found = self._run(
            "WITH known AS (DELETE FROM {} AS here USING {} AS there WHERE {} {} RETURNING {} AS differs)"
            " SELECT count(*) FILTER (WHERE differs) FROM known",
            _name(_HERE),
            self._table,
            self._same_key(),
            self._nearby(rows),
            differs,
        ).fetchone()
        return int(found[0]) if found else 0

    def _nearby(self, rows: pa.Table) -> sql.Composable:
        """Where the rows of this piece can be: what spares a look into every chunk."""
        if self._shape.series is None:
            return sql.SQL("")
        time = self._shape.series.time
        span = pc.min_max(rows.column(time))
        return sql.SQL("AND there.{} BETWEEN {} AND {}").format(
            sql.Identifier(time), sql.Literal(span["min"].as_py()), sql.Literal(span["max"].as_py())
        )

    def _same_key(self) -> sql.Composable:
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(_of("here", name), _of("there", name)) for name in self._key
        )

    def _repeated(self) -> None:
        """Take out the rows whose key an earlier one of the piece has."""
        self._run(
            "DELETE FROM {} AS here USING {} AS there WHERE {} AND there.{} < here.{}",
            _name(_HERE),
            _name(_HERE),
            self._same_key(),
            sql.Identifier(NUMBER),
            sql.Identifier(NUMBER),
        )

    def _conflicts(self) -> Iterator[BadValue]:
        """Take out and tell rows with a key that another row has, and rows without their parent."""
        names = {column.name for column in self._columns}
        for key in self._shape.unique:
            if key not in {("id",), self._key} and set(key) <= names:
                yield from self._taken(key)
        for reference in self._shape.references:
            if reference.column in names:
                rows = self._run(
                    "DELETE FROM {} AS here WHERE {} IS NOT NULL AND NOT EXISTS"
                    " (SELECT FROM {} AS there WHERE {} = {}) RETURNING {}, {}",
                    _name(_HERE),
                    _of("here", reference.column),
                    sql.Identifier(reference.table),
                    _of("there", reference.referred),
                    _of("here", reference.column),
                    _of("here", NUMBER),
                    _of("here", reference.column),
                ).fetchall()
                for number, value in rows:
                    reason = f"no such row in {reference.table}: {reference.referred} {value}"
                    yield BadValue(self._shape.name, number, reference.column, str(value), reason)

    def _taken(self, key: tuple[str, ...]) -> Iterator[BadValue]:
        (name,) = key
        found = self._run(
            "SELECT DISTINCT ON (here.{number}) here.{number}, here.{name}, there.id FROM {here} AS here,"
            " (SELECT 0 AS number, id, {name} FROM {table} UNION ALL SELECT {number}, id, {name} FROM {here})"
            " AS there WHERE there.{name} = here.{name} AND there.number < here.{number}"
            " ORDER BY here.{number}, there.number".replace("{number}", '"' + NUMBER + '"')
            .replace("{name}", '"' + name + '"')
            .replace("{here}", '"' + _HERE + '"')
            .replace("{table}", '"' + self._shape.name + '"')
        ).fetchall()
        for number, value, other in found:
            yield BadValue(
                self._shape.name, number, name, repr(value), f"the key ({name}) repeats: row {other} has it"
            )
        self._run(
            "DELETE FROM {} WHERE {} = ANY({})",
            _name(_HERE),
            sql.Identifier(NUMBER),
            sql.Literal([number for number, _, _ in found]),
        )

    def _keep_ids(self) -> None:
        """Move the rows whose id another row has, or that have none, to those that get the next ids."""
        self._run(
            "WITH free AS (INSERT INTO {ids} SELECT DISTINCT id FROM {here} WHERE id IS NOT NULL"
            " ON CONFLICT DO NOTHING RETURNING id),"
            " first AS (SELECT id, min({number}) AS number FROM {here} JOIN free USING (id) GROUP BY id),"
            " moved AS (DELETE FROM {here} AS here WHERE NOT EXISTS"
            " (SELECT FROM first WHERE first.number = here.{number}) RETURNING *)"
            " INSERT INTO {later} SELECT * FROM moved".replace("{number}", '"' + NUMBER + '"')
            .replace("{here}", _HERE)
            .replace("{ids}", _IDS)
            .replace("{later}", _LATER)
        )

    def _insert(self, source: str, columns: tuple[Column, ...]) -> int:
        return self._run(
            "INSERT INTO {} ({}) SELECT {} FROM {} AS here ORDER BY {} ON CONFLICT ({}) DO NOTHING",
            self._table,
            sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
            sql.SQL(", ").join(_cast("here", column) for column in columns),
            _name(source),
            sql.Identifier(NUMBER),
            sql.SQL(", ").join(map(sql.Identifier, self._key)),
        ).rowcount


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(table)


def _of(side: str, column: str) -> sql.Composable:
    return sql.SQL(side + ".{}").format(sql.Identifier(column))


def _cast(side: str, column: Column) -> sql.Composable:
    """A column of the incoming rows in the table's own type."""
    kind = "jsonb" if column.kind == "json" else "integer" if column.bits == 32 else None
    if kind is None:
        return _of(side, column.name)
    return sql.SQL("{}::" + kind).format(_of(side, column.name))
