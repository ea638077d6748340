"""A user's own table as the target shall have it: plain data, read off a SQLite table by `legacy`.

Names are those of the target, exact. Nothing here is SQL but the names of types.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from trdinger.declaration import TABLES
from trdinger.schema.models import Base
from trdinger.schema.shape import Column, Kind, TableShape

NAME_BYTES = 63  # of a name in PostgreSQL
VARCHAR = 10_485_760  # characters, the most that varchar(n) takes

_TYPES: dict[Kind, str] = {
    "time": "timestamptz",
    "date": "date",
    "float": "double precision",
    "integer": "bigint",
    "boolean": "boolean",
    "json": "jsonb",
    "text": "text",
    "blob": "bytea",
}
KINDS: dict[str, Kind] = {name: kind for kind, name in _TYPES.items()}
"""The kind of each type that an own table's column may have; varchar(n) is a text with a length."""


@dataclass(frozen=True)
class Default:
    """What a column gets when it is left out: a value, or the moment of writing."""

    column: str
    value: int | float | bool | str | bytes | None = None
    moment: bool = False


@dataclass(frozen=True)
class IndexColumn:
    """A column of an index. folded: by its ASCII letters in lower case, as SQLite's NOCASE compares."""

    column: str
    descending: bool = False
    folded: bool = False


@dataclass(frozen=True)
class OwnIndex:
    """An index that is no primary key."""

    name: str
    columns: tuple[IndexColumn, ...]
    unique: bool

    @property
    def plain(self) -> frozenset[str] | None:
        """The columns that it indexes as they are; None if one is folded."""
        if any(each.folded for each in self.columns):
            return None
        return frozenset(each.column for each in self.columns)


@dataclass(frozen=True)
class ForeignKey:
    """A reference. on_delete, on_update: as SQL says it, "NO ACTION" and its like."""

    name: str
    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]
    on_delete: str
    on_update: str


@dataclass(frozen=True)
class OwnSeries:
    """How an own table is a hypertable: its time, what names its series, and the span of a chunk."""

    time: str
    segment_by: tuple[str, ...]
    chunk: timedelta


@dataclass(frozen=True)
class OwnTable:
    """A user's own table.

    identity: the column that the server numbers; last_id: the highest that was ever given, 0 for none.
    primary: the columns of the primary key, empty for none.
    """

    shape: TableShape
    primary_name: str
    primary: tuple[str, ...] = ()
    identity: str | None = None
    last_id: int = 0
    defaults: tuple[Default, ...] = ()
    indexes: tuple[OwnIndex, ...] = ()
    foreign: tuple[ForeignKey, ...] = ()
    series: OwnSeries | None = None

    @property
    def name(self) -> str:
        return self.shape.name

    def without(self, names: Collection[str]) -> OwnTable:
        """The same without the keys, indexes and references of these names."""
        return replace(
            self,
            primary=() if self.primary_name in names else self.primary,
            indexes=tuple(index for index in self.indexes if index.name not in names),
            foreign=tuple(key for key in self.foreign if key.name not in names),
        )

    def unique_on(self, columns: tuple[str, ...]) -> bool:
        """Whether rows are told apart by exactly these columns, as a reference to them needs."""
        wanted = frozenset(columns)
        keys = [frozenset(self.primary)] if self.primary else []
        keys += [index.plain for index in self.indexes if index.unique and index.plain is not None]
        return wanted in keys


def type_of(column: Column) -> str:
    """The column's type as SQL says it."""
    if column.kind == "text" and column.length is not None:
        return f"varchar({column.length})"
    return _TYPES[column.kind]


def reserved() -> set[str]:
    """The names of Trdinger's tables, indexes and sequences, among which own tables come to stand."""
    names = {"alembic_version", "alembic_version_pkc", *TABLES}
    for table in Base.metadata.tables.values():
        names |= {str(index.name) for index in table.indexes}
        names |= {str(constraint.name) for constraint in table.constraints if constraint.name}
        names |= {f"{table.name}_pkey", f"{table.name}_id_seq"}
    return names
