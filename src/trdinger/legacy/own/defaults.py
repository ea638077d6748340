"""Defaults that translate: literals, and the moment of writing. Others are told and stay behind."""

from __future__ import annotations

import re

from trdinger.legacy.misfit import Misfit
from trdinger.legacy.own.catalog import DeclaredColumn
from trdinger.legacy.source import Text
from trdinger.legacy.values import Stored, convert
from trdinger.schema.own.description import Default
from trdinger.schema.shape import Column

_INTEGER = re.compile(r"[+-]?\s*\d{1,18}")
_REAL = re.compile(r"[+-]?\s*(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?")
_TEXT = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_BLOB = re.compile(r"[xX]'((?:[0-9a-fA-F]{2})*)'")
_NOW = "CURRENT_TIMESTAMP"
_WORDS: dict[str, Stored] = {"TRUE": 1, "FALSE": 0}


def translated(declared: DeclaredColumn, column: Column) -> Default | None:
    """What the target's column gets when it is left out; None where there is nothing, or nothing like it."""
    text = (declared.default or "NULL").strip()
    if text.upper() == "NULL" or declared.generated:
        return None
    if text.upper() == _NOW:
        return Default(column.name, moment=True) if column.kind in {"time", "text"} else None
    stored = _stored(text)
    for candidate in (stored, _number(stored)):  # a column of numbers takes a text that is one
        if candidate is not None:
            try:
                value, _ = convert(column, candidate)
            except Misfit:
                continue
            return Default(column.name, value)
    return None


def untold(declared: DeclaredColumn, default: Default | None) -> str | None:
    """The default of a column that has no counterpart, as it is written; else None."""
    text = (declared.default or "NULL").strip()
    return None if default is not None or text.upper() == "NULL" or declared.generated else text


def _stored(text: str) -> Stored:
    if text.upper() in _WORDS:
        return _WORDS[text.upper()]
    if _INTEGER.fullmatch(text):
        return int(text.replace(" ", ""))
    if _REAL.fullmatch(text):
        return float(text.replace(" ", ""))
    if found := _BLOB.fullmatch(text):
        return bytes.fromhex(found[1])
    if found := _TEXT.fullmatch(text):
        inner = found[1].replace("''", "'") if found[1] is not None else found[2].replace('""', '"')
        return Text(inner.encode())
    return None


def _number(stored: Stored) -> Stored:
    if not isinstance(stored, Text):
        return None
    text = stored.decode()
    if _INTEGER.fullmatch(text):
        return int(text.replace(" ", ""))
    return float(text.replace(" ", "")) if _REAL.fullmatch(text) else None
