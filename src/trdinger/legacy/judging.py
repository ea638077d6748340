"""Rows judged: one row's values as the target stores them, or the row rejected with every reason.

What was converted is counted, what was changed is listed. Where rejects are kept is `rejects`' affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trdinger.legacy.documents import constants
from trdinger.legacy.misfit import Misfit
from trdinger.legacy.source import Text
from trdinger.legacy.values import CONSTANTS, STRICT, Rules, Stored, Value, convert, show
from trdinger.schema.shape import TableShape

Row = int | str
"""What names a row of a file: its rowid, or for a table without one the JSON text of its key."""


@dataclass(frozen=True)
class BadValue:
    """A value that does not fit: where it is, what it is, and why."""

    table: str
    rowid: Row
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table} row {self.rowid}, {self.column}: {self.reason}"

    @property
    def kind(self) -> str:
        """The reason without the value's particulars, by which many are counted."""
        return self.reason.partition(":")[0]


@dataclass(frozen=True)
class Reject:
    """A row that the target cannot hold: all its values as the file stores them, and every reason."""

    table: str
    row: Row
    values: Mapping[str, Stored]
    reasons: tuple[BadValue, ...]


@dataclass(frozen=True)
class Change:
    """A value inside a document that became null: where it is and what it was."""

    table: str
    row: Row
    column: str
    path: str
    was: str


@dataclass
class Found:
    """What judging rows of one table found. converted: values of a column that came in another form."""

    converted: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def bad(self) -> list[BadValue]:
        """Every value that did not fit."""
        return [bad for reject in self.rejects for bad in reject.reasons]


def judge(
    shape: TableShape,
    names: Sequence[str],
    row: Row,
    cells: Sequence[Stored],
    *,
    found: Found,
    rules: Rules = STRICT,
    more: Mapping[str, Stored] | None = None,
) -> list[Value] | None:
    """One row in the target's values, or None with the row added to what was rejected.

    names: the columns of `cells`. more: values of the row that were judged elsewhere, for its reject.
    """
    values: list[Value] = []
    bad: list[BadValue] = []
    kinds: list[tuple[str, str]] = []
    changes: list[Change] = []
    for name, stored in zip(names, cells, strict=True):
        try:
            value, kind = convert(shape.column(name), stored, rules)
        except Misfit as misfit:
            bad.append(BadValue(shape.name, row, name, show(stored), misfit.reason))
            continue
        values.append(value)
        if kind == CONSTANTS and isinstance(stored, Text):
            changes += [Change(shape.name, row, name, *one) for one in constants(stored.decode())]
        elif kind is not None:
            kinds.append((name, kind))
    if bad:
        given = dict(more or {}) | dict(zip(names, cells, strict=True))
        found.rejects.append(Reject(shape.name, row, given, tuple(bad)))
        return None
    found.converted.update(kinds)
    found.changes += changes
    return values
