"""What a stored value means to the application, cell by cell.

A value as SQLite stores it goes in (None, int, float, `Text`, bytes); what the target
stores comes out, with the kind of conversion it took (None for what the application
itself writes), or `Misfit` is raised with the reason. Times come out as microseconds
since 1970-01-01 UTC. No value is guessed at: what has two meanings is a misfit.

A time is text in a form of ISO 8601 that names one instant: a date (2024-01-01, 20240101,
2024-W01-1), which alone means its midnight; a blank or T; hours, minutes, seconds, the last
two of which may be left out; a fraction of the second after a point or comma; Z or an offset;
UTC where there is none. Or it is a number that can only be seconds or milliseconds since 1970.
Misfits are 24:00 and leap seconds (no instant of their own), a fraction of an hour or minute
(which Python takes for one of the second), a date with an offset but without a time, another
mark between date and time (Python takes any), and what is finer than a microsecond.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from trdinger.legacy.documents import storable
from trdinger.legacy.misfit import Misfit
from trdinger.legacy.source import Text
from trdinger.schema.shape import Column

Stored = None | int | float | Text | bytes
Value = None | int | float | bool | str | bytes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Epoch numbers whose unit cannot be mistaken: seconds from 1973 to 2286, milliseconds likewise.
_SECONDS = (10**8, 10**10)
_MILLISECONDS = (10**11, 10**13)
# Characters of a time as the application writes it, and as SQLite's CURRENT_TIMESTAMP does.
APPLICATION_FORMS = (26, 19)
_APPLICATION_FORM = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{6})?", re.ASCII)
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d|\d{8}|\d{4}-W\d\d-\d|\d{4}W\d{3})"
    r"(?:(?P<mark>[ Tt])"
    r"(?P<clock>\d\d(?:(?P<colon>:?)\d\d(?:(?P=colon)\d\d(?:[.,](?P<fraction>\d+))?)?)?)"
    r"(?P<offset>[Zz]|[+-]\d\d(?::?[0-5]\d)?)?)?",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_JSON_BYTES = 250_000_000  # jsonb refuses arrays and objects of 256 MiB
_NUMBERS = ("float", "integer")
_INTEGER_DIGITS = 25  # more than 64 bits have
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class Rules:
    """What may be read into a value. text_numbers: a text that is a number counts as that number."""

    text_numbers: bool = False


STRICT = Rules()
CONSTANTS = "NaN or Infinity in JSON, which became null"
"""The kind of the only conversion that changes a value; `documents.constants` tells its places."""


def convert(column: Column, stored: Stored, rules: Rules = STRICT) -> tuple[Value, str | None]:
    """The value for `column`, and the kind of conversion or None. Raises Misfit."""
    if stored is None:
        if not column.nullable:
            raise Misfit("null where none may be")
        return None, None
    if rules.text_numbers and isinstance(stored, Text) and column.kind in _NUMBERS:
        return _CONVERTERS[column.kind](column, _number(column, stored))[0], "text in a number column"
    return _CONVERTERS[column.kind](column, stored)


def show(stored: Stored, limit: int = 80) -> str:
    """A stored value for people, cut to `limit` characters, with its storage class where it matters."""
    if isinstance(stored, Text):
        text = stored.decode("utf-8", "backslashreplace")
        return repr(text if len(text) <= limit else text[:limit] + "…")
    if isinstance(stored, bytes):
        digits = stored.hex()
        return f"x'{digits if len(digits) <= limit else digits[:limit] + '…'}'"
    return "null" if stored is None else repr(stored)


def _time(_: Column, stored: Stored) -> tuple[Value, str | None]:
    if isinstance(stored, Text):
        return _text_time(stored)
    if isinstance(stored, int | float) and math.isfinite(stored):
        for (low, high), scale, kind in (
            (_SECONDS, 1_000_000, "epoch seconds"),
            (_MILLISECONDS, 1_000, "epoch milliseconds"),
        ):
            if low <= stored < high:
                moment = round(Decimal(stored) * scale)
                if moment / scale != stored:
                    raise Misfit(f"finer than a microsecond: {show(stored)}")
                return moment, kind
        raise Misfit(f"a number that is no unambiguous time: {show(stored)}")
    raise Misfit(f"not a time: {show(stored)}")


def _text_time(stored: Text) -> tuple[int, str | None]:
    text = _decoded(stored)
    form = _TIME.fullmatch(text)
    # 24:00 is the next day's midnight to some versions of Python, and an error to the others.
    if form is None or (form["clock"] or "").startswith("24"):
        raise Misfit(f"not a time: {show(stored)}")
    if (form["fraction"] or "")[6:].strip("0"):
        raise Misfit(f"finer than a microsecond: {show(stored)}")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise Misfit(f"not a time: {show(stored)}") from None
    try:
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise Misfit(f"outside the years 1 to 9999 in UTC: {show(stored)}") from None
    return (aware - _EPOCH) // _MICROSECOND, _time_kind(text, form)


def _time_kind(text: str, form: re.Match[str]) -> str | None:
    """Which form of text a time has; None for the one that the application writes."""
    if _APPLICATION_FORM.fullmatch(text):
        return None
    if form["offset"]:
        return "time with an offset"
    if form["clock"] is None:
        return "date alone"
    return "time in another form" if form["mark"] == " " else "time with T"


def _date(_: Column, stored: Stored) -> tuple[Value, str | None]:
    """A date as YYYY-MM-DD; no other form of one is taken."""
    text = _decoded(stored) if isinstance(stored, Text) else ""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat(), None
    except ValueError:
        pass
    raise Misfit(f"not a date: {show(stored)}")


def _blob(_: Column, stored: Stored) -> tuple[Value, str | None]:
    if isinstance(stored, bytes) and not isinstance(stored, Text):
        return stored, None
    raise Misfit(f"{_class(stored)} in a blob: {show(stored)}")


def _float(_: Column, stored: Stored) -> tuple[Value, str | None]:
    if isinstance(stored, float):
        return stored, None
    if isinstance(stored, int):
        try:
            exact = float(stored)
        except OverflowError:
            raise Misfit(f"an integer that no float holds exactly: {stored}") from None
        if int(exact) != stored:
            raise Misfit(f"an integer that no float holds exactly: {stored}")
        return exact, "integer in a float column"
    raise Misfit(f"{_class(stored)} in a number: {show(stored)}")


def _integer(column: Column, stored: Stored) -> tuple[Value, str | None]:
    kind = None
    if isinstance(stored, float):
        if not math.isfinite(stored) or not stored.is_integer():
            raise Misfit(f"not a whole number: {show(stored)}")
        stored, kind = int(stored), "integral float in an integer column"
    if not isinstance(stored, int):
        raise Misfit(f"{_class(stored)} in a number: {show(stored)}")
    limit = 1 << (column.bits - 1)
    if not -limit <= stored < limit:
        raise Misfit(f"outside a {column.bits}-bit integer: {stored}")
    return stored, kind


def _boolean(_: Column, stored: Stored) -> tuple[Value, str | None]:
    if isinstance(stored, int | float) and stored in (0, 1):
        return bool(stored), None if isinstance(stored, int) else "float in a boolean column"
    raise Misfit(f"neither 0 nor 1: {show(stored)}")


def literal(number: float) -> str:
    """A number as the text that stands for it and for no other."""
    if isinstance(number, float) and math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return repr(number)


def _text(column: Column, stored: Stored) -> tuple[Value, str | None]:
    if column.numbers and isinstance(stored, int | float):
        return literal(stored), "number in a text column"
    if not isinstance(stored, Text):
        raise Misfit(f"{_class(stored)} in a text: {show(stored)}")
    text = _decoded(stored)
    if "\x00" in text:
        raise Misfit(f"a NUL character: {show(stored)}")
    if column.length is not None and len(text) > column.length:
        raise Misfit(f"longer than {column.length} characters: {len(text)}, {show(stored)}")
    return text, None


def _json(_: Column, stored: Stored) -> tuple[Value, str | None]:
    if isinstance(stored, float):
        if not math.isfinite(stored):
            raise Misfit(f"JSON has no such number: {stored}")
        return repr(stored), "number in a JSON column"
    if isinstance(stored, int):
        return str(stored), "number in a JSON column"
    if not isinstance(stored, Text):
        raise Misfit(f"{_class(stored)} in a JSON column: {show(stored)}")
    if len(stored) > _JSON_BYTES:
        raise Misfit(f"more JSON than jsonb takes: {len(stored):,} bytes")
    text = _decoded(stored)
    fit = storable(text)
    return fit, None if fit is text else CONSTANTS


def _decoded(stored: Text) -> str:
    try:
        return stored.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Misfit(f"invalid UTF-8: at byte {error.start} of {show(stored)}") from None


def _number(column: Column, stored: Text) -> int | float:
    """The number that a text is. Raises Misfit where it is none, or none that a float holds."""
    text = _decoded(stored).strip()
    if _NUMBER.fullmatch(text):
        if text.lstrip("+-").isdigit() and len(text) <= _INTEGER_DIGITS:
            return int(text)
        number = float(text)
        if math.isfinite(number) and (column.kind == "float" or Decimal(number) == Decimal(text)):
            return number
    raise Misfit(f"text that is no number: {show(stored)}")


def _class(stored: Stored) -> str:
    return "text" if isinstance(stored, Text) else "a blob" if isinstance(stored, bytes) else "a number"


_CONVERTERS: dict[str, Callable[[Column, Stored], tuple[Value, str | None]]] = {
    "time": _time,
    "float": _float,
    "integer": _integer,
    "boolean": _boolean,
    "json": _json,
    "text": _text,
    "date": _date,
    "blob": _blob,
}
