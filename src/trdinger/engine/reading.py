"""Questions to a database whose answers are Arrow tables: over a session of our own, or over ADBC."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import pyarrow as pa

Question = tuple[str, Sequence[object]]
"""A statement with $1, $2 … and their values."""


class Reader(Protocol):
    """A session that is asked. Its errors are the driver's."""

    def ask(self, statement: str, values: Sequence[object] = ()) -> pa.Table:
        """What one statement answers; no columns where it answers none."""

    def ask_all(self, questions: Sequence[Question]) -> list[pa.Table]:
        """What each answers, in their order. The first error ends it."""


class ArrowReader:
    """Over an ADBC connection, one question at a time."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def ask(self, statement: str, values: Sequence[object] = ()) -> pa.Table:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, list(values) or None)
            return cursor.fetch_arrow_table()

    def ask_all(self, questions: Sequence[Question]) -> list[pa.Table]:
        try:
            return [self.ask(statement, values) for statement, values in questions]
        except Exception:
            with suppress(Exception):
                self.ask("ROLLBACK")  # of a transaction that they began
            raise
