"""What a verification found: differences by table, the first of them shown, all of them counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

SHOWN = 20  # differences of a table that are kept with their values

What = Literal["missing", "extra", "repeated", "value", "unread"]


@dataclass(frozen=True)
class Difference:
    """One difference. `missing`: the target lacks the row; `extra`: only the target has it;
    `repeated`: the target has it more than once; `value`: a cell differs; `unread`: reading the
    source did not give the rows that it counts, which `key` tells in words.

    column, source, target: of a `missing` row they tell the value, if any, that does not fit the target.
    """

    table: str
    what: What
    key: str
    column: str | None = None
    source: str | None = None
    target: str | None = None

    def __str__(self) -> str:
        if self.what == "value":
            return f"{self.table} ({self.key}) {self.column}: source {self.source}, target {self.target}"
        if self.what == "unread":
            return f"{self.table}: {self.key}"
        if self.what == "missing" and self.column is not None:
            return f"{self.table} ({self.key}) is missing in the target: its {self.column} is {self.source}"
        words = {
            "missing": "is missing in the target",
            "extra": "is in the target only",
            "repeated": "is more than once in the target",
        }
        return f"{self.table} ({self.key}) {words[self.what]}"


@dataclass
class TableProof:
    """What was compared of one table. Equal when nothing differs."""

    table: str
    rows: int = 0
    cells: int = 0
    counts: Counter[What] = field(default_factory=Counter)
    shown: list[Difference] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Count a difference; keep it while there is room."""
        self.counts[difference.what] += 1
        if len(self.shown) < SHOWN:
            self.shown.append(difference)

    def take(self, part: TableProof) -> None:
        """Add what was found in a part of the table."""
        self.rows += part.rows
        self.cells += part.cells
        self.counts += part.counts
        self.shown += part.shown[: max(0, SHOWN - len(self.shown))]

    @property
    def differing(self) -> int:
        return sum(self.counts.values())


@dataclass
class Proof:
    """What was compared, and whether all of it was equal.

    structure: what is wrong about keys, hypertables, time zone or ids, in sentences.
    """

    tables: list[TableProof] = field(default_factory=list)
    structure: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not self.structure and not any(table.differing for table in self.tables)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def cells(self) -> int:
        return sum(table.cells for table in self.tables)

    @property
    def differing(self) -> int:
        return sum(table.differing for table in self.tables)
