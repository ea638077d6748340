"""What a person decides about the tables of a file: which ones move, what is a series, a column's type.

From `--hypertable table:time[:segment,…]`, `--leave-out table` and a TOML file; kept in the ledger
of a move, so that it goes on as it began. Whether the names are in the file is `reflection`'s.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from trdinger.declaration import TABLES
from trdinger.errors import UsageError
from trdinger.legacy.own.catalog import folded

_UNITS = {"hour": 3600, "day": 86_400, "week": 604_800}  # seconds
_SPAN = re.compile(r"(\d{1,6})\s*(hour|day|week)s?", re.IGNORECASE)
_FIRST = "A first one is written by: trdinger plan init FILE"
_FORM = "--hypertable table:time_column[:segment,…]"


@dataclass(frozen=True)
class SeriesChoice:
    """How a table is a hypertable. chunk: the span of one chunk; None lets the data decide."""

    time: str
    segment: tuple[str, ...] = ()
    chunk: timedelta | None = None


@dataclass(frozen=True)
class TableChoice:
    """What is decided about one table, by the names that the file uses.

    types: the type of each column that is decided, as SQL says it.
    """

    move: bool = True
    series: SeriesChoice | None = None
    types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choices:
    """The decisions about a file, by table. kept: of a move before, whose file may have lost some since."""

    tables: Mapping[str, TableChoice] = field(default_factory=dict)
    kept: bool = False

    def of(self, table: str) -> TableChoice:
        """What is decided about a table; by the name as it is, or as SQLite compares names."""
        if table in self.tables:
            return self.tables[table]
        alike = [choice for name, choice in self.tables.items() if folded(name) == folded(table)]
        return alike[0] if alike else TableChoice()

    def leaving(self, names: Iterable[str]) -> Choices:
        """The same, with these tables left behind. Trdinger's own are passed over: they always move."""
        return self._with(
            {name: replace(self.of(name), move=False) for name in names if folded(name) not in TABLES}
        )

    def hypertables(self, given: Iterable[str]) -> Choices:
        """The same, with what `--hypertable` says. Raises UsageError."""
        chosen = dict(map(_hypertable, given))
        return self._with({name: replace(self.of(name), series=series) for name, series in chosen.items()})

    def as_json(self) -> dict[str, Any]:
        """The decisions as JSON, which `from_json` takes."""
        return {
            name: {
                "move": choice.move,
                "hypertable": choice.series
                and {
                    "time": choice.series.time,
                    "segment": list(choice.series.segment),
                    "chunk": choice.series.chunk and span(choice.series.chunk),
                },
                "types": dict(choice.types),
            }
            for name, choice in self.tables.items()
        }

    def _with(self, tables: Mapping[str, TableChoice]) -> Choices:
        kept = {name: choice for name, choice in self.tables.items() if name not in tables}
        return replace(self, tables={**kept, **tables})


NOTHING = Choices()
"""Nothing decided: every table moves, with the types that its values ask for."""


def from_json(told: Mapping[str, Any]) -> Choices:
    """What `as_json` told."""
    return Choices({name: _table(f"[tables.{name}]", table) for name, table in told.items()}, kept=True)


def read(path: Path) -> Choices:
    """The decisions in a TOML file. Raises UsageError, which says where it is wrong."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", hint=_FIRST) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}.", hint=_FIRST) from None
    tables = told.pop("tables", {})
    if told or not isinstance(tables, dict):
        raise UsageError(
            f"{path}: {', '.join(told) or 'tables'} means nothing; a plan has [tables.NAME] alone.",
            hint=_FIRST,
        )
    return Choices({name: _table(f"{path}, [tables.{name}]", table) for name, table in tables.items()})


def span(chunk: timedelta) -> str:
    """A span of time as `--with` files say it."""
    seconds = int(chunk.total_seconds())
    unit = "day" if seconds % _UNITS["day"] == 0 else "hour"
    count = seconds // _UNITS[unit]
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _hypertable(text: str) -> tuple[str, SeriesChoice]:
    table, _, rest = text.partition(":")
    time, _, segment = rest.partition(":")
    if not table or not time:
        raise UsageError(
            f"{text!r} names no table and time column.",
            hint=f"{_FORM}; names with a colon or a comma go into a plan (trdinger plan init).",
        )
    return table, SeriesChoice(time, tuple(name for name in segment.split(",") if name))


def _table(where: str, told: Any) -> TableChoice:
    known = {"move", "hypertable", "types"}
    if not isinstance(told, dict) or set(told) - known:
        surplus = ", ".join(sorted(set(told) - known)) if isinstance(told, dict) else repr(told)
        raise UsageError(f"{where}: {surplus} means nothing.", hint=f"It takes {', '.join(sorted(known))}.")
    types = told.get("types", {})
    if (
        not isinstance(told.get("move", True), bool)
        or not isinstance(types, dict)
        or not all(isinstance(each, str) for each in types.values())
    ):
        raise UsageError(f"{where}: move is true or false, types are columns with texts.", hint=_FIRST)
    series = told.get("hypertable")
    return TableChoice(told.get("move", True), _series(where, series) if series else None, types)


def _series(where: str, told: Any) -> SeriesChoice:
    fit = isinstance(told, dict) and isinstance(told.get("time"), str) and _strings(told.get("segment", []))
    if not fit or set(told) - {"time", "segment", "chunk"}:
        raise UsageError(
            f"{where}: hypertable must have a time, and may have a segment and a chunk.",
            hint='As in: hypertable = { time = "at", segment = ["symbol"], chunk = "7 days" }',
        )
    chunk = told.get("chunk")
    form = _SPAN.fullmatch(chunk) if isinstance(chunk, str) else None
    if chunk is not None and (form is None or not int(form[1])):
        raise UsageError(f"{where}: {chunk!r} is no span of a chunk.", hint='As in "7 days" or "12 hours".')
    return SeriesChoice(
        told["time"],
        tuple(told.get("segment", [])),
        timedelta(seconds=int(form[1]) * _UNITS[form[2].lower()]) if form else None,
    )


def _strings(told: Any) -> bool:
    return isinstance(told, list) and all(isinstance(each, str) for each in told)
