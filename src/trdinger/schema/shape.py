"""The shape of a table in the target, as plain data: what each column can hold.

Readers, loaders and verifiers work from a shape; the nine tables' shapes are read off
the models, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import pyarrow as pa
import sqlalchemy as sa

from trdinger.declaration import SERIES, TABLES, Series
from trdinger.schema.models import Base

Kind = Literal["time", "date", "float", "integer", "boolean", "json", "text", "blob"]

ARROW: dict[Kind, pa.DataType] = {
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.string(),
    "float": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "json": pa.string(),
    "text": pa.string(),
    "blob": pa.binary(),
}


@dataclass(frozen=True)
class Column:
    """One column of the target.

    length: characters that a text may have; bits: 32 or 64, of an integer.
    default: the server fills the column when it is left out.
    numbers: a text that also takes numbers, each as its exact literal.
    """

    name: str
    kind: Kind
    nullable: bool
    length: int | None = None
    bits: int = 64
    default: bool = False
    numbers: bool = False


@dataclass(frozen=True)
class Reference:
    """A foreign key of one column."""

    column: str
    table: str
    referred: str


@dataclass(frozen=True)
class TableShape:
    """One table of the target. `unique` lists the keys that must not repeat, the natural one first."""

    name: str
    columns: tuple[Column, ...]
    unique: tuple[tuple[str, ...], ...]
    references: tuple[Reference, ...]
    series: Series | None

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def arrow(self, names: tuple[str, ...]) -> pa.Schema:
        """The Arrow schema of these columns, in this order."""
        return pa.schema([pa.field(name, ARROW[self.column(name).kind]) for name in names])


@cache
def shape(name: str) -> TableShape:
    """The shape of one of the nine tables."""
    table = Base.metadata.tables[name]
    series = SERIES.get(name)
    unique: list[tuple[str, ...]] = [series.key] if series else []
    unique.append(("id",))
    unique += [
        tuple(column.name for column in constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    return TableShape(
        name=name,
        columns=tuple(_column(column) for column in table.columns),
        unique=tuple(unique),
        references=tuple(
            Reference(key.parent.name, key.column.table.name, key.column.name)
            for key in sorted(table.foreign_keys, key=lambda key: key.parent.name)
        ),
        series=series,
    )


@cache
def shapes() -> tuple[TableShape, ...]:
    """The nine tables, parents before children."""
    return tuple(shape(name) for name in TABLES)


def _column(column: sa.Column[object]) -> Column:
    kind, bits = _kind(column.type)
    return Column(
        name=column.name,
        kind=kind,
        nullable=bool(column.nullable),
        length=getattr(column.type, "length", None) if kind == "text" else None,
        bits=bits,
        default=column.server_default is not None or column.name == "id",
    )


def _kind(given: sa.types.TypeEngine[object]) -> tuple[Kind, int]:
    plain = given.impl if isinstance(given, sa.types.TypeDecorator) else given
    kinds: tuple[tuple[type[sa.types.TypeEngine[Any]], Kind, int], ...] = (
        (sa.DateTime, "time", 64),
        (sa.Boolean, "boolean", 1),
        (sa.Float, "float", 64),
        (sa.BigInteger, "integer", 64),
        (sa.Integer, "integer", 32),
        (sa.JSON, "json", 0),
        (sa.String, "text", 0),
    )
    for sql, kind, bits in kinds:
        if isinstance(plain, sql):
            return kind, bits
    raise TypeError(f"no kind for {given!r}")
