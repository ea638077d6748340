"""What the models share: the metadata, the column types, and where an index exists.

A time without an offset means UTC, one with an offset is converted; nothing loses its
offset. SQLite stores the text that the existing application stores.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Float,
    Identity,
    Index,
    Integer,
    String,
    TypeDecorator,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.sql.schema import ColumnCollectionConstraint

DialectName = Literal["sqlite", "postgresql"]


class Base(DeclarativeBase):
    """The base of the models; `Base.metadata` is the schema."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Float()}  # FLOAT, eight bytes on both databases

    def to_dict(self) -> dict[str, Any]:
        """Every column in the table's order, times in ISO's form as the database gave them."""
        values = {name: getattr(self, name) for name in self.__table__.columns.keys()}  # noqa: SIM118
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
        }


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: `timestamptz` on PostgreSQL, `YYYY-MM-DD HH:MM:SS.ffffff` in UTC on SQLite.

    In: aware times are converted to UTC, naive ones mean UTC whatever the session's zone.
    Out: aware from PostgreSQL, from SQLite as the text says it (the application's is naive UTC).
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant


class NaturalKey(ColumnCollectionConstraint):
    """The primary key of a series on PostgreSQL, where `id` stays what the ORM identifies a row by.

    A partitioned table's unique keys must hold the time column, so `id` cannot be the key.
    """


@compiles(NaturalKey)
def _primary_key(key: NaturalKey, compiler: Any, **_: Any) -> str:
    columns = ", ".join(compiler.preparer.quote(column.name) for column in key.columns)
    return f"CONSTRAINT {compiler.preparer.format_constraint(key)} PRIMARY KEY ({columns})"


def natural_key(table: str, *columns: str) -> tuple[sa.PrimaryKeyConstraint, NaturalKey]:
    """The two primary keys of a series: `id` on SQLite, `columns` on PostgreSQL."""
    return (
        sa.PrimaryKeyConstraint("id").ddl_if(dialect="sqlite"),
        NaturalKey(*columns, name=f"{table}_pkey").ddl_if(dialect="postgresql"),
    )


def legacy_index(name: str, *columns: str, unique: bool = False) -> Index:
    """An index of the existing application that only its SQLite file keeps: another serves PostgreSQL."""
    return _only("sqlite", Index(name, *columns, unique=unique))


def server_index(name: str, *expressions: str | sa.ColumnElement[Any], why: str) -> Index:
    """An index that only PostgreSQL gets. `why` names the question that it answers."""
    index = _only("postgresql", Index(name, *expressions))
    index.info["why"] = why
    return index


def belongs_on(item: sa.Index, dialect: str) -> bool:
    """Whether the schema has this index on databases of `dialect`."""
    return item.info.get("dialect") in (None, dialect)


def _only(dialect: DialectName, index: Index) -> Index:
    # Alembic does not look at ddl_if, create_all does not look at info: both are told.
    index.info["dialect"] = dialect
    return index.ddl_if(dialect=dialect)


# 64 bits on PostgreSQL; on SQLite INTEGER, which makes it the rowid.
BIG = BigInteger().with_variant(Integer(), "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")

Id = Annotated[int, mapped_column(BIG, Identity(), primary_key=True)]
Symbol = Annotated[str, mapped_column(String(50))]
Timeframe = Annotated[str, mapped_column(String(10))]
Time = Annotated[datetime, mapped_column(UtcDateTime())]
Document = Annotated[Any, mapped_column(JSON, nullable=False)]
Created = Annotated[datetime | None, mapped_column(UtcDateTime(), server_default=func.now())]
Updated = Annotated[
    datetime | None, mapped_column(UtcDateTime(), server_default=func.now(), onupdate=func.now())
]
