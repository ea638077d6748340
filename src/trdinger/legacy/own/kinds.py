"""A type for a column of a user's own: the one that loses nothing of what the column holds.

By what is declared (SQLite's affinities, and the names that people give to times, dates, booleans
and JSON) and by what the values are, which in SQLite is another matter. Never invents a value:
what has no type of its own becomes text, a number in it its exact literal.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from trdinger.errors import UsageError
from trdinger.legacy.own.catalog import DeclaredColumn
from trdinger.legacy.source import quoted
from trdinger.schema.own.description import KINDS, VARCHAR, type_of
from trdinger.schema.shape import Column, Kind

Affinity = Literal["integer", "real", "text", "blob", "numeric"]
Fits = Callable[[Column], bool]
"""Whether every value but blobs goes into a column of that kind, unchanged."""

_EXACT = 1 << 53  # below it every integer is a float
_NULL = " null"  # after a type: may be null although it is declared otherwise
_LENGTH = re.compile(r"CHAR\w*\s*\(\s*(\d+)\s*\)", re.IGNORECASE)
_VARCHAR = re.compile(r"varchar\s*\(\s*(\d+)\s*\)", re.IGNORECASE)
_AFFINE: tuple[tuple[Affinity, tuple[str, ...]], ...] = (
    ("integer", ("INT",)),
    ("text", ("CHAR", "CLOB", "TEXT")),
    ("blob", ("BLOB",)),
    ("real", ("REAL", "FLOA", "DOUB")),
)
_BY_AFFINITY: dict[Affinity, Kind] = {
    "integer": "integer",
    "real": "float",
    "text": "text",
    "blob": "blob",
    "numeric": "float",
}


@dataclass(frozen=True)
class Held:
    """What a column holds: how many values of each storage class.

    lowest, highest: of its integers; longest: characters of its longest text.
    """

    nulls: int = 0
    integers: int = 0
    reals: int = 0
    texts: int = 0
    blobs: int = 0
    lowest: int = 0
    highest: int = 0
    longest: int = 0

    @property
    def values(self) -> int:
        return self.integers + self.reals + self.texts + self.blobs

    @property
    def exact(self) -> bool:
        """Whether every integer is a float, too."""
        return self.lowest >= -_EXACT and self.highest <= _EXACT


def look(connection: sqlite3.Connection, table: str, column: str) -> Held:
    """What a column holds. Reads the table once."""
    name = quoted(column)
    counted: dict[str, int] = {}
    lowest = highest = longest = 0
    for kind, count, low, high, length in connection.execute(
        f"SELECT typeof({name}), count(*),"
        f" min(CASE typeof({name}) WHEN 'integer' THEN {name} END),"
        f" max(CASE typeof({name}) WHEN 'integer' THEN {name} END),"
        f" max(CASE typeof({name}) WHEN 'text' THEN length({name}) END)"
        f" FROM {quoted(table)} GROUP BY 1"
    ):
        counted[bytes(kind).decode()] = count
        lowest, highest = (low, high) if low is not None else (lowest, highest)
        longest = length or longest
    return Held(
        nulls=counted.get("null", 0),
        integers=counted.get("integer", 0),
        reals=counted.get("real", 0),
        texts=counted.get("text", 0),
        blobs=counted.get("blob", 0),
        lowest=lowest,
        highest=highest,
        longest=longest,
    )


def decide(column: DeclaredColumn, name: str, held: Held | None, fits: Fits) -> tuple[Column, list[str]]:
    """The column `name` of the target, and what there is to say of it. `held` is None before any look."""
    said: list[str] = []
    nulls = held.nulls if held is not None else 0
    if column.not_null and nulls:
        said.append(f"holds nulls although it is NOT NULL, so it may be null: {nulls:,}")
    plain = _text(name, nullable=nulls > 0 or not column.wants_value)
    if held is None or not held.values:
        return _declared(column, plain), said
    if held.blobs:
        others = held.values - held.blobs
        if held.blobs >= others:
            if others:
                said.append(f"holds blobs, mostly; values of other kinds do not fit: {others:,}")
            return _of(plain, "blob"), said
        said.append(f"holds blobs among other values, which do not fit: {held.blobs:,}")
        held = replace(held, blobs=0)
    if (meant := _meant(column, plain, held, fits)) is not None:
        return meant, said
    chosen, why = _plain(column, plain, held)
    return chosen, [*said, *why]


def forced(column: DeclaredColumn, name: str, type_name: str) -> Column:
    """The column with the type that a person asks for, as `type_of` and `told` say it.

    Raises UsageError for one that there is not.
    """
    wanted = " ".join(type_name.lower().split())
    nullable = wanted.endswith(_NULL)
    wanted = wanted.removesuffix(_NULL)
    plain = _text(name, nullable=nullable or not column.wants_value)
    if (length := _VARCHAR.fullmatch(wanted)) and 0 < int(length[1]) <= VARCHAR:
        return replace(plain, length=int(length[1]))
    if wanted not in KINDS:
        raise UsageError(
            f"{column.name}: {type_name!r} is no type that a column can have.",
            hint=f"Types are: {', '.join(KINDS)}, varchar(n).",
        )
    return _of(plain, KINDS[wanted])


def told(column: DeclaredColumn, chosen: Column) -> str:
    """The type of a column, as `forced` takes it."""
    return type_of(chosen) + (_NULL if chosen.nullable and column.wants_value else "")


def affinity(declared: str) -> Affinity:
    """SQLite's affinity of a declared type."""
    upper = declared.upper()
    if not upper:
        return "blob"
    return next((each for each, words in _AFFINE if any(word in upper for word in words)), "numeric")


def _text(name: str, *, nullable: bool) -> Column:
    return Column(name, "text", nullable=nullable, numbers=True)


def _of(plain: Column, kind: Kind) -> Column:
    return replace(plain, kind=kind, numbers=kind == "text")


def _meaning(declared: str) -> Kind | None:
    """What people mean by a type's name, where SQLite knows no such type."""
    first = re.split(r"[\s(]", declared.upper(), maxsplit=1)[0]
    if first in {"DATETIME", "TIMESTAMP", "TIMESTAMPTZ"}:
        return "time"
    if first == "DATE":
        return "date"
    if first in {"BOOLEAN", "BOOL"}:
        return "boolean"
    return "json" if first in {"JSON", "JSONB"} else None


def _length(declared: str) -> int | None:
    found = _LENGTH.search(declared)
    return int(found[1]) if found and 0 < int(found[1]) <= VARCHAR else None


def _declared(column: DeclaredColumn, plain: Column) -> Column:
    """The type of a column without values: what is declared."""
    if meaning := _meaning(column.declared):
        return _of(plain, meaning)
    if not column.declared:
        return plain
    kind = _BY_AFFINITY[affinity(column.declared)]
    return replace(_of(plain, kind), length=_length(column.declared) if kind == "text" else None)


def _meant(column: DeclaredColumn, plain: Column, held: Held, fits: Fits) -> Column | None:
    """The type that the declared name means, where every value is of it."""
    meaning = _meaning(column.declared)
    if meaning == "boolean":
        fit = not held.texts and not held.reals and held.lowest >= 0 and held.highest <= 1
        return _of(plain, "boolean") if fit else None
    candidates: tuple[Kind, ...] = ("date", "time") if meaning == "date" else (meaning,) if meaning else ()
    for kind in candidates:
        if fits(wanted := _of(plain, kind)):
            return wanted
    return None


def _plain(column: DeclaredColumn, plain: Column, held: Held) -> tuple[Column, list[str]]:
    """The type by the values' storage classes alone."""
    numbers = held.integers + held.reals
    if held.texts and numbers:
        return plain, [
            f"holds numbers ({numbers:,}) beside texts ({held.texts:,}): text, with each number's literal"
        ]
    if held.texts:
        length = _length(column.declared)
        if length is not None and held.longest > length:
            return plain, [f"is declared {column.declared} and holds {held.longest:,} characters: text"]
        return replace(plain, length=length), []
    if held.reals and held.integers:
        if held.exact:
            return _of(plain, "float"), []
        return plain, [
            "holds fractions beside integers that no float holds exactly: text, with each number's literal"
        ]
    fractional = affinity(column.declared) in {"real", "numeric"} and _meaning(column.declared) is None
    return _of(plain, "float" if held.reals or (fractional and held.exact) else "integer"), []
