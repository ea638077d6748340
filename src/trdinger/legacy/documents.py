"""JSON as SQLite's applications write it, against what `jsonb` holds.

Every number counts exactly. NaN, Infinity and -Infinity, which Python writes and jsonb refuses,
become null, and each place of one can be told. What jsonb would drop or refuse otherwise is a misfit.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from trdinger.legacy.misfit import Misfit

Place = tuple[Any, "str | int"] | None
"""Where a value stands in a document: its parent's place, and the key or number in that."""

_DEPTH = 200  # levels; nobody means more, and a server of little stack ends at some 800
_DIGITS = 131_072  # digits before the point that PostgreSQL's numeric holds
_SCALE = 16_383  # digits after it
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity', re.DOTALL)


class Constant:
    """NaN, Infinity or -Infinity, which is no JSON."""

    def __init__(self, text: str) -> None:
        self.text = text


def parse_json(text: str) -> Any:
    """JSON with every number exact (Decimal), and `Constant`. Raises Misfit for what is none, or too much."""
    try:
        return json.loads(
            text,
            parse_float=_number,
            parse_int=_number,
            parse_constant=Constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise Misfit(f"broken JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Misfit(f"JSON nested more than {_DEPTH} deep") from None


def storable(text: str) -> str:
    """The text for jsonb: the same, or with null for what is no number. Raises Misfit."""
    return _without_constants(text) if _holds_constants(parse_json(text)) else text


def constants(text: str) -> Iterator[tuple[str, str]]:
    """Every NaN and Infinity of a document: its path and what it is, in the order of the text."""
    left: list[tuple[Place, Any]] = [(None, parse_json(text))]
    while left:
        place, value = left.pop()
        if isinstance(value, Constant):
            yield path(place), value.text
        elif isinstance(value, dict):
            left += [((place, key), one) for key, one in reversed(value.items())]
        elif isinstance(value, list):
            left += [((place, at), one) for at, one in reversed(list(enumerate(value)))]


def path(place: Place) -> str:
    """A place for people and programs: `$.metrics["sharpe ratio"][3]`."""
    steps = []
    while place is not None:
        place, step = place
        named = isinstance(step, str) and step.isidentifier()
        steps.append(f".{step}" if named else f"[{json.dumps(step, ensure_ascii=False)}]")
    return "$" + "".join(reversed(steps))


def _without_constants(text: str) -> str:
    return _TOKEN.sub(lambda found: found[0] if found[0].startswith('"') else "null", text)


def _holds_constants(value: Any) -> bool:
    """Whether a document holds a `Constant`. Raises Misfit for what is JSON but not jsonb:

    NUL and lone surrogates, in keys too; too deep.
    """
    found = False
    level = [value]
    for _ in range(_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if "\x00" in item:
                    raise Misfit("\\u0000 in JSON, which jsonb refuses")
                if not item.isascii() and any("\ud800" <= mark <= "\udfff" for mark in item):
                    raise Misfit("a lone surrogate in JSON, which jsonb refuses")
            elif isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, Constant):
                found = True
        level = below
    if level:
        raise Misfit(f"JSON nested more than {_DEPTH} deep")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise Misfit(f"a key more than once in a JSON object, of which jsonb keeps one: {twice!r:.80}")
    return members


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Misfit(f"a number in JSON that cannot be stored: {text[:40]}") from None
    exponent = number.as_tuple().exponent
    too_fine = isinstance(exponent, int) and -exponent > _SCALE
    if number.adjusted() >= _DIGITS or too_fine:
        raise Misfit(f"a number in JSON beyond what jsonb stores: {text[:40]}")
    return number
