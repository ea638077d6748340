"""What a stored value has to become, by docs/migration.md alone: judged without any code of trdinger.

A stored value is its storage class and, of a text, its bytes. Its meaning is a plain value that
two sides can be compared by: a float as its eight bytes, a time as microseconds since 1970,
JSON with every number as written.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from proof.declared import Field

DEEPEST = 200  # levels of JSON that are promised to be taken


@dataclass(frozen=True)
class Cell:
    """A value as a file holds it: SQLite's typeof, and the value, of a text its bytes."""

    storage: str
    raw: Any


@dataclass(frozen=True)
class Meaning:
    """What must become of a cell.

    fits: True, it must arrive as `value`; False, it must not; None, it may do either.
    changed: the paths in its JSON where a null takes the place of what no JSON has.
    """

    fits: bool | None
    value: Any = None
    changed: tuple[str, ...] = field(default=())


NO = Meaning(fits=False)
_DAY = timedelta(days=1)


def meaning(column: Field, cell: Cell) -> Meaning:
    """What a cell means in a column."""
    if cell.storage == "null":
        return Meaning(fits=True) if column.nullable else NO
    return _OF[column.kind](column, cell)


def bits(number: float) -> bytes:
    """A float as it lies in memory, so that -0.0 and 0.0 differ."""
    return struct.pack(">d", number)


def _float(_: Field, cell: Cell) -> Meaning:
    if cell.storage == "real":
        return Meaning(fits=True, value=bits(cell.raw))
    if cell.storage == "integer" and int(float(cell.raw)) == cell.raw:
        return Meaning(fits=True, value=bits(float(cell.raw)))
    return NO


def _integer(column: Field, cell: Cell) -> Meaning:
    if cell.storage not in ("integer", "real") or cell.raw in (float("inf"), float("-inf")):
        return NO
    number, limit = Fraction(cell.raw), 1 << (31 if column.kind == "I" else 63)
    if number.denominator != 1 or not -limit <= number < limit:
        return NO
    return Meaning(fits=True, value=int(number))


def _boolean(_: Field, cell: Cell) -> Meaning:
    if cell.storage in ("integer", "real") and cell.raw in (0, 1):
        return Meaning(fits=True, value=cell.raw == 1)
    return NO


def _text(column: Field, cell: Cell) -> Meaning:
    text = _characters(cell)
    if text is None or "\0" in text or (column.length is not None and len(text) > column.length):
        return NO
    return Meaning(fits=True, value=text)


def _characters(cell: Cell) -> str | None:
    if cell.storage != "text":
        return None
    try:
        return str(cell.raw, "utf-8", "strict")
    except UnicodeDecodeError:
        return None


# -- times -------------------------------------------------------------------------------------------

_USUAL = re.compile(
    r"(?a)\d{4}-\d\d-\d\d([ Tt]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d(:?\d\d)?)?)?"
)  # forms that the docs promise to take; other forms of ISO 8601 may be taken
_DATE = re.compile(r"(?a)(\d{4})(?:-(\d\d)-(\d\d)|(\d\d)(\d\d)|-?W(\d\d)-?(\d))")
_CLOCK = re.compile(
    r"(?a)(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?"
)


def _time(_: Field, cell: Cell) -> Meaning:
    if cell.storage in ("integer", "real"):
        return _since_1970(cell.raw)
    text = _characters(cell)
    moment = None if text is None else _moment(text)
    if moment is None:
        return NO
    assert text is not None
    return Meaning(fits=True if _USUAL.fullmatch(text) else None, value=moment)


def _since_1970(number: float) -> Meaning:
    """Seconds from 1973 to 2286, or milliseconds likewise: nothing else is without another meaning."""
    for low, high, scale in ((10**8, 10**10, 10**6), (10**11, 10**13, 10**3)):
        if low <= number < high:
            exact = Fraction(number) * scale
            nearest = round(exact)
            # A float of seconds is seldom exactly a microsecond; the nearest is what was meant, if it
            # gives the same float again.
            again = type(number)(Fraction(nearest, scale)) == number
            return Meaning(fits=True, value=nearest) if again else NO
    return NO


def _moment(text: str) -> int | None:
    """Microseconds since 1970; None for what is no instant of the years 1 to 9999."""
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day, month_, day_, week, weekday = (int(part or 0) for part in found.groups())
    try:
        when = (
            date.fromisocalendar(year, week, weekday)
            if found[6]
            else date(year, month or month_, day or day_)
        )
    except ValueError:
        return None
    micros = (when - date(1970, 1, 1)) // _DAY * 86_400_000_000
    rest = text[found.end() :]
    if rest:
        clock = _CLOCK.fullmatch(rest[1:]) if rest[0] in " Tt" else None
        if clock is None:
            return None
        hour, minute, second = (int(part or 0) for part in clock.group(1, 2, 3))
        fraction, away, away_minutes = clock[4] or "", int(clock[7] or 0), int(clock[8] or 0)
        if hour > 23 or minute > 59 or second > 59 or away > 23 or away_minutes > 59:
            return None
        if fraction[6:].strip("0"):
            return None
        micros += ((hour * 60 + minute) * 60 + second) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
        offset = (away * 60 + away_minutes) * 60_000_000
        micros += offset if clock[6] == "-" else -offset
    low = (date(1, 1, 1) - date(1970, 1, 1)) // _DAY * 86_400_000_000
    high = (date(9999, 12, 31) - date(1970, 1, 1)) // _DAY * 86_400_000_000 + 86_399_999_999
    return micros if low <= micros <= high else None


# -- JSON --------------------------------------------------------------------------------------------


class _Broken(Exception):
    """JSON that no jsonb holds as it is."""


def _json(_: Field, cell: Cell) -> Meaning:
    if cell.storage in ("integer", "real"):
        if cell.raw in (float("inf"), float("-inf")):
            return NO
        return Meaning(fits=True, value=number(repr(cell.raw)))
    text = _characters(cell)
    if text is None:
        return NO
    changed: list[str] = []
    try:
        value = _plain(document(text), "$", changed, 0)
    except (ValueError, ArithmeticError, RecursionError, _Broken):
        return NO
    return Meaning(fits=None if _depth(value) > DEEPEST else True, value=value, changed=tuple(changed))


def document(text: str) -> Any:
    """JSON, each number as `number` gives it, each object as the list of its members in a `dict`."""
    return json.loads(
        text, parse_float=number, parse_int=number, parse_constant=_Constant, object_pairs_hook=_Members
    )


def number(text: str) -> tuple[bool, str, int]:
    """A number by its sign, digits and exponent, alike for all ways to write it."""
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    written = "".join(map(str, digits)).lstrip("0")
    short = written.rstrip("0")
    if not short:
        return False, "0", 0
    return bool(sign), short, exponent + len(written) - len(short)


class _Constant(str):
    """NaN, Infinity or -Infinity."""


class _Members(list[tuple[str, Any]]):
    """The members of an object, also those of one name."""


def plain(value: Any) -> Any:
    """A document of the target, in the form of a meaning."""
    return _plain(value, "$", [], 0)


def _plain(value: Any, path: str, changed: list[str], depth: int) -> Any:
    if isinstance(value, _Constant):
        changed.append(path)
        return None
    if isinstance(value, _Members):
        if len({name for name, _ in value}) < len(value):
            raise _Broken
        return {
            _writable(name): _plain(inner, _step(path, name), changed, depth + 1) for name, inner in value
        }
    if isinstance(value, list):
        return [_plain(inner, f"{path}[{at}]", changed, depth + 1) for at, inner in enumerate(value)]
    if isinstance(value, str):
        return _writable(value)
    if isinstance(value, tuple):
        _, digits, exponent = value
        if len(digits) + exponent > 131_072 or exponent < -16_383:
            raise _Broken
    return value


def _writable(text: str) -> str:
    if "\0" in text or any(0xD800 <= ord(mark) <= 0xDFFF for mark in text):
        raise _Broken
    return text


def _step(path: str, name: str) -> str:
    return f"{path}.{name}" if name.isidentifier() else f"{path}[{json.dumps(name, ensure_ascii=False)}]"


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
    return depth - 1


_OF = {
    "F": _float,
    "I": _integer,
    "ID": _integer,
    "B": _boolean,
    "S": _text,
    "T": _time,
    "J": _json,
}
