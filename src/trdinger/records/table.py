"""What the repositories share: rows by id, the newest first, and documents that the database can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.errors import UsageError
from trdinger.schema.models import Base

Row = TypeVar("Row", bound=Base)


class Table(Generic[Row]):
    """One table through a session."""

    def __init__(self, session: Session, model: type[Row]) -> None:
        self._session = session
        self._model = model

    def by_id(self, row_id: int) -> Row | None:
        """The row of that id."""
        return self._session.get(self._model, row_id)

    def _newest(self, *where: sa.ColumnElement[bool], limit: int | None = None, offset: int = 0) -> list[Row]:
        """By created_at, the newest first. A limit of None or 0 is none."""
        columns: Any = self._model
        newest_first = (columns.created_at.desc().nulls_last(), columns.id.desc())
        return self._rows(*where, order=newest_first, limit=limit, offset=offset)

    def _rows(
        self,
        *where: sa.ColumnElement[bool],
        order: Sequence[Any],
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Row]:
        asked = sa.select(self._model).where(*where).order_by(*order).limit(limit or None)
        return list(self._session.scalars(asked.offset(offset or None)))

    def _count(self, *where: sa.ColumnElement[bool]) -> int:
        counted = sa.select(sa.func.count()).select_from(self._model).where(*where)
        return int(self._session.scalar(counted) or 0)

    def _stored(self, row: Row) -> Row:
        """Add a row; it has what the database made of it."""
        self._session.add(row)
        self._session.flush()
        self._session.refresh(row)
        return row

    def _changed(self, row_id: int, **values: object) -> bool:
        """Set these of one row. False if there is none."""
        row = self._session.get(self._model, row_id)
        if row is None:
            return False
        for name, value in values.items():
            setattr(row, name, value)
        self._session.flush()
        return True

    def _document(self, document: Any) -> Any:
        """A document as the database holds it: `jsonb` has no NaN and no Infinity, so these become null."""
        return (
            finite(document) if self._session.get_bind(self._model).dialect.name == "postgresql" else document
        )


def finite(document: Any) -> Any:
    """The same document with null for each number that is not finite, as a move brings it."""
    if isinstance(document, float):
        return document if math.isfinite(document) else None
    if isinstance(document, Mapping):
        return {key: finite(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [finite(value) for value in document]
    return document


def require(what: str, given: Mapping[str, Any], needed: Sequence[str]) -> None:
    """Raise UsageError where a row lacks some of what it needs."""
    if lacking := [name for name in needed if name not in given]:
        raise UsageError(f"A {what} needs {', '.join(lacking)}.", hint=f"It needs: {', '.join(needed)}.")


def columns_alone(what: str, given: Mapping[str, Any], model: type[Base]) -> None:
    """Raise UsageError where a row has a key that is no column that is written."""
    columns = model.__table__.columns
    written = [one.name for one in columns if one.name not in ("id", "created_at", "updated_at")]
    if others := [name for name in given if name not in written]:
        raise UsageError(f"A {what} has no {', '.join(others)}.", hint=f"It has: {', '.join(written)}.")
