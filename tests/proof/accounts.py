"""Where every cell of a file is now: in the target, equal; changed and listed; or rejected with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from proof.declared import KEYS, PARENTS, TABLES
from proof.meaning import Meaning, meaning
from proof.sides import Rejected, Row, Values, arrived, changed, reader, rejected, stored

_TOLD = 5  # rows of a kind that are worth reading


@dataclass
class Accounts:
    """What was found. problems: what is wrong, in sentences, of which there must be none."""

    rows: int = 0
    moved: int = 0
    rejected: int = 0
    changed: int = 0
    problems: list[str] = field(default_factory=list)


def account(
    file: Path,
    target: str,
    *,
    rejects: Path | None = None,
    changes: Path | None = None,
    stays: str = "first",
) -> Accounts:
    """Account for every cell of `file`, which nobody writes to, in the database `target` (a conninfo)."""
    found = Accounts()
    lines, listed = rejected(rejects), list(changed(changes))
    found.problems += [
        f"{name}: its rows are rejected, and it is none" for name in lines.keys() - TABLES.keys()
    ]
    ids: dict[str, set[Any]] = {}
    with closing(reader(file)) as source, psycopg.connect(target, autocommit=True) as server:
        for table in TABLES:
            rows = dict(stored(source, table))
            thrown = lines.get(table, [])
            judge = _Judge(table, rows, thrown, arrived(server, table), ids, stays)
            found.rows += len(rows)
            found.moved += len(judge.there)
            found.rejected += len(thrown)
            found.changed += judge.lists([one for one in listed if one[0] == table])
            judge.judge()
            found.problems += [f"{table}: {problem}" for problem in judge.problems]
            ids[table] = {values[0] for values in judge.there}
    return found


class _Judge:
    """One table: its rows in the file and what they mean, those that were rejected, those in the target.

    ids: of the tables before it, the ids that are in the target.
    """

    def __init__(  # noqa: PLR0917
        self,
        table: str,
        rows: Mapping[int, Row],
        thrown: list[Rejected],
        there: list[Values],
        ids: Mapping[str, set[Any]],
        stays: str,
    ) -> None:
        self.table, self.rows, self.thrown, self.there = table, rows, thrown, there
        self.gone: dict[int | str, Rejected] = {one.row: one for one in thrown}
        self.ids, self.stays = ids, stays
        self.meant: dict[int, dict[str, Meaning]] = {
            row: {
                field.name: meaning(field, cells[field.name])
                for field in TABLES[table]
                if field.name in cells
            }
            for row, cells in rows.items()
        }
        self.problems: list[str] = []

    def judge(self) -> None:
        """Find every problem."""
        if len(self.gone) < len(self.thrown):
            self._wrong("a row is rejected more than once")
        if len(self.rows) != len(self.there) + len(self.thrown):
            self._wrong(f"{len(self.rows)} rows in, {len(self.there)} moved, {len(self.thrown)} rejected")
        self._equal()
        for row, one in self.gone.items():
            held = self.rows.get(row)  # type: ignore[call-overload]
            if held is None:
                self._wrong(f"row {row} is rejected and is not in the file")
                continue
            if repr(sorted(held.items())) != repr(sorted(one.cells.items())):  # 1 is not 1.0, 0.0 not -0.0
                self._wrong(f"row {row} is {held}, its line has {one.cells}")
            self._justified(int(row), one)

    def lists(self, told: list[tuple[str, int, str, str]]) -> int:
        """Compare what was listed as changed with what had to be; how much that is."""
        had = Counter(
            (self.table, row, name, path)
            for row, cells in self._moved()
            for name, each in cells.items()
            for path in each.changed
        )
        listed = Counter(told)
        for one in had - listed:
            self._wrong(f"changed and not listed: {one}")
        for one in listed - had:
            self._wrong(f"listed as changed and was not: {one}")
        return had.total()

    def _moved(self) -> Iterator[tuple[int, dict[str, Meaning]]]:
        return ((row, cells) for row, cells in self.meant.items() if row not in self.gone)

    def _equal(self) -> None:
        expected: Counter[str] = Counter()
        for row, cells in self._moved():
            for name, each in cells.items():
                if each.fits is False:
                    self._wrong(f"row {row} was not rejected, its {name} is {self.rows[row][name]}")
            # A column that the file lacks is null.
            values = (
                cells[field.name].value if field.name in cells else None for field in TABLES[self.table]
            )
            expected[shown(tuple(values))] += 1
        actual = Counter(map(shown, self.there))
        for one in list((expected - actual).elements())[:_TOLD]:
            self._wrong(f"is not in the target: {one}")
        for one in list((actual - expected).elements())[:_TOLD]:
            self._wrong(f"is in the target alone: {one}")

    def _justified(self, row: int, one: Rejected) -> None:
        """A reason for each cell that does not fit; else a key that a row has which stayed, or no parent."""
        cells = self.meant[row]
        unfit = {name for name, each in cells.items() if each.fits is False}
        if unfit - set(one.columns):
            self._wrong(f"row {row}: no reason tells of its {unfit - set(one.columns)}: {one.reasons}")
        for name, reason in zip(one.columns, one.reasons, strict=True):
            each = cells.get(name)
            if each is None or not (
                each.fits is not True or self._orphan(name, each) or self._repeats(row, name)
            ):
                self._wrong(f"row {row} is rejected and would fit: {name}: {reason}: {self.rows[row]}")

    def _orphan(self, name: str, each: Meaning) -> bool:
        parent = PARENTS.get(self.table, {}).get(name)
        return parent is not None and each.value not in self.ids[parent]

    def _repeats(self, row: int, name: str) -> bool:
        """Whether a row that stayed has the key of this one, and the better right to it."""
        mine = self.meant[row]
        for key in KEYS[self.table]:
            if name not in key or any(each not in mine or mine[each].value is None for each in key):
                continue
            value = [mine[each].value for each in key]
            for other, cells in self._moved():
                if [cells[each].value for each in key] == value:
                    earlier = other < row or cells["id"].value < mine["id"].value
                    later = other > row or cells["id"].value > mine["id"].value
                    if earlier if self.stays == "first" else later:
                        return True
        return False

    def _wrong(self, sentence: str) -> None:
        self.problems.append(sentence)


def shown(values: Values) -> str:
    """Values for comparing and for people: equal texts are equal values, and True is not 1."""
    return repr(tuple(map(_ordered, values)))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_ordered(inner) for inner in value]
    return value
