"""Compare JSON as values, and show long values where they differ.

Every number counts exactly, whatever its form; only the order of keys and spacing may differ.
"""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from trdinger.legacy.documents import Place, parse_json, path
from trdinger.legacy.misfit import Misfit

_CUT = 200  # characters of a value that are shown
_BEFORE = 40  # of them before the first difference


def json_differing(ours: str, theirs: str) -> tuple[str, str] | None:
    """Both values at the first place where two JSON texts differ, with its path; None when they are equal."""
    try:
        found = _first(parse_json(ours), parse_json(theirs))
    except Misfit:  # the target's own text cannot be read: deeper than any that was moved
        return show_apart(ours, theirs)
    if found is None:
        return None
    place, mine, other = found
    where = path(place)
    shown = show_apart(_text(mine), _text(other))
    return f"{where}: {shown[0]}", f"{where}: {shown[1]}"


def show_apart(ours: str, theirs: str) -> tuple[str, str]:
    """Two texts for people, cut to the part around the first character that differs."""
    if max(len(ours), len(theirs)) <= _CUT:
        return ours, theirs
    pairs = zip(ours, theirs, strict=False)
    at = next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
    start = max(0, at - _BEFORE)
    return _window(ours, start), _window(theirs, start)


class _Absent:
    """Stands for a key or an element that one side lacks."""


_ABSENT = _Absent()


def _first(ours: Any, theirs: Any) -> tuple[Place, Any, Any] | None:
    # With a list of what is left to do: JSON may be nested deeper than Python calls may be.
    left: list[tuple[Place, Any, Any]] = [(None, ours, theirs)]
    while left:
        place, mine, other = left.pop()
        if isinstance(mine, dict) and isinstance(other, dict):
            keys = [*mine, *(key for key in other if key not in mine)]
            left += [
                ((place, key), mine.get(key, _ABSENT), other.get(key, _ABSENT)) for key in reversed(keys)
            ]
        elif isinstance(mine, list) and isinstance(other, list):
            pairs = list(enumerate(zip_longest(mine, other, fillvalue=_ABSENT)))
            left += [((place, at), one, another) for at, (one, another) in reversed(pairs)]
        elif type(mine) is not type(other) or mine != other:
            return place, mine, other
    return None


def _text(value: Any) -> str:
    if isinstance(value, _Absent):
        return "nothing"
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _window(text: str, start: int) -> str:
    part = text[start : start + _CUT]
    return ("…" if start else "") + part + ("…" if start + _CUT < len(text) else "")
