"""One table of a user's own: what becomes of its columns, keys and defaults."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from trdinger.errors import UsageError
from trdinger.legacy.misfit import Misfit
from trdinger.legacy.own import kinds, spelling
from trdinger.legacy.own.catalog import DeclaredTable, folded
from trdinger.legacy.own.choices import SeriesChoice, TableChoice
from trdinger.legacy.own.defaults import translated, untold
from trdinger.legacy.own.keys import keys
from trdinger.legacy.own.names import Names, column_names
from trdinger.legacy.source import quoted
from trdinger.legacy.values import CONSTANTS, convert
from trdinger.schema.own.description import Default, OwnSeries, OwnTable
from trdinger.schema.shape import Column, TableShape

_CHUNKS = 50  # that the span of a file's data is cut into, at most
_SPANS = tuple(
    timedelta(hours=hours) for hours in (1, 6, 24, 7 * 24, 30 * 24, 90 * 24, 365 * 24, 3650 * 24, 36500 * 24)
)
_UNSEEN = timedelta(days=7)  # a chunk's span before the data were looked at


@dataclass
class Own:
    """One table of a user's own. columns: the file's names of `table.shape`'s columns, in their order.

    key: the file's names of its primary key, with their collations, for a table without rowid.
    said: what is otherwise in the target; left: what is not there.
    """

    declared: DeclaredTable
    table: OwnTable
    columns: tuple[str, ...]
    said: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def stored(self) -> str:
        """The table's name in the file."""
        return self.declared.name

    def without(self, keys: Collection[str]) -> Own:
        """The same without the keys, indexes and references of these names in the target."""
        return replace(self, table=self.table.without(keys))

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        own = next((index for index in self.declared.indexes if index.origin == "pk"), None)
        return tuple((each.name or "", each.collation) for each in own.columns) if own is not None else ()

    @property
    def choice(self) -> TableChoice:
        """Everything that was decided about the table, so that it can be decided so again."""
        series = self.table.series
        spelled = dict(zip(self.table.shape.column_names, self.columns, strict=True))
        return TableChoice(
            series=None
            if series is None
            else SeriesChoice(
                spelled[series.time], tuple(spelled[name] for name in series.segment_by), series.chunk
            ),
            types={
                column.name: kinds.told(column, chosen)
                for column, chosen in zip(self.declared.columns, self.table.shape.columns, strict=True)
            },
        )


def chunk_of(first: int, last: int) -> timedelta:
    """The span of a chunk for data from `first` to `last` (microseconds): fifty chunks at most, if it can."""
    whole = timedelta(microseconds=max(0, last - first))
    return next((span for span in _SPANS if whole / span <= _CHUNKS), _SPANS[-1])


class Reflecting:
    """One table on its way to its description."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        declared: DeclaredTable,
        name: str,
        choice: TableChoice,
        *,
        look: bool,
    ) -> None:
        self.connection, self.declared, self.name = connection, declared, name
        self.choice, self.look = choice, look
        self.said: list[str] = []
        self.left: list[str] = []

    def own(self, indexes: Mapping[str, str], names: Names) -> Own:
        declared = self.declared
        given = column_names([column.name for column in declared.columns])
        self._renamed(given)
        time = self._column_of(self.choice.series.time, "time") if self.choice.series else None
        columns = {
            folded(name): self._column(name, given[name], is_time=name == time)
            for name in (column.name for column in declared.columns)
        }
        series = self._series(columns, time) if time is not None else None
        key = keys(declared, columns, indexes, series)
        self.said += key.said
        self.left += key.left
        self._unmoved()
        alias = columns[folded(declared.alias)] if declared.alias else None
        identity = alias.name if alias is not None and alias.kind == "integer" else None
        table = OwnTable(
            shape=TableShape(self.name, tuple(columns.values()), (), (), None),
            primary_name=names.give(f"{self.name}_pkey"),
            primary=key.primary,
            identity=identity,
            last_id=self._last_id() if identity else 0,
            defaults=tuple(self._defaults(columns)),
            indexes=tuple(key.indexes),
            series=series,
        )
        return Own(declared, table, tuple(column.name for column in declared.columns), self.said, self.left)

    def _defaults(self, columns: Mapping[str, Column]) -> Iterator[Default]:
        for declared in self.declared.columns:
            default = translated(declared, columns[folded(declared.name)])
            if default is not None:
                yield default
            elif (text := untold(declared, default)) is not None:
                self.left.append(f"the default of {declared.name}, {text}")

    def _column(self, stored: str, name: str, *, is_time: bool) -> Column:
        declared = self.declared.column(stored)
        assert declared is not None
        asked = self._type(stored)
        if is_time:
            return Column(name, "time", nullable=False)
        if asked is not None:
            return kinds.forced(declared, name, asked)
        held = kinds.look(self.connection, self.declared.name, stored) if self.look else None
        column, said = kinds.decide(declared, name, held, lambda wanted: self._fits(stored, wanted))
        self.said += [f"column {stored} {sentence}" for sentence in said]
        return column

    def _type(self, stored: str) -> str | None:
        return next(
            (each for name, each in self.choice.types.items() if folded(name) == folded(stored)), None
        )

    def _fits(self, stored: str, wanted: Column) -> bool:
        name = quoted(stored)
        for (value,) in self.connection.execute(
            f"SELECT {name} FROM {quoted(self.declared.name)} WHERE typeof({name}) NOT IN ('null', 'blob')"
        ):
            try:
                _, form = convert(wanted, value)
            except Misfit:
                return False
            if form == CONSTANTS:
                return False
        return True

    def _series(self, columns: Mapping[str, Column], time: str) -> OwnSeries:
        choice = self.choice.series
        assert choice is not None
        segment = [columns[folded(self._column_of(name, "segment"))].name for name in choice.segment]
        if columns[folded(time)].name in segment or len(set(segment)) < len(segment):
            raise UsageError(
                f"{self.declared.name}: a column is named twice for its hypertable.",
                hint="The time is one column, the segment are others.",
            )
        chunk = choice.chunk or (self._chunk(time, columns[folded(time)]) if self.look else _UNSEEN)
        return OwnSeries(columns[folded(time)].name, tuple(segment), chunk)

    def _chunk(self, stored: str, column: Column) -> timedelta:
        first, last = math.inf, -math.inf
        for (value,) in self.connection.execute(f"SELECT {quoted(stored)} FROM {quoted(self.declared.name)}"):
            try:
                moment, _ = convert(column, value)
            except Misfit:
                continue
            assert isinstance(moment, int)
            first, last = min(first, moment), max(last, moment)
        return chunk_of(int(first), int(last)) if first <= last else _UNSEEN

    def _column_of(self, name: str, what: str) -> str:
        column = self.declared.column(name)
        if column is None:
            raise UsageError(
                f"{self.declared.name} has no column {name} to be a {what} of its hypertable.",
                hint=f"Its columns: {', '.join(column.name for column in self.declared.columns)}.",
            )
        return column.name

    def _last_id(self) -> int:
        alias = quoted(self.declared.alias or "")
        (highest,) = self.connection.execute(
            f"SELECT max({alias}) FROM {quoted(self.declared.name)}"
        ).fetchone()
        return max(highest or 0, self.declared.high_water, 0)

    def _renamed(self, given: Mapping[str, str]) -> None:
        if self.name != self.declared.name:
            self.said.append(f"is called {self.name} in the target")
        self.said += [
            f"column {name or '(without a name)'} is called {new} in the target"
            for name, new in given.items()
            if name != new
        ]

    def _unmoved(self) -> None:
        """Tell what of the table's declaration has no counterpart."""
        sql = self.declared.sql
        self.left += [f"CHECK ({check})" for check in spelling.checks(sql)]
        self.left += [
            f"the expression of the generated column {column.name}, whose values are"
            for column in self.declared.columns
            if column.generated
        ]
        self.said += [
            f"compared some columns by {collation}: comparisons are exact now"
            for collation in sorted(spelling.collations(sql))
        ]
        if self.declared.references and spelling.deferred(sql):
            self.said.append("deferred its references, which are checked at once now")
