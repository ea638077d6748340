"""What only the text of a CREATE TABLE tells: CHECKs and collations. A reader of tokens, no parser."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]|\w+|\s+|.", re.DOTALL
)
_SHOWN = 60  # characters of an expression


def checks(sql: str) -> Iterator[str]:
    """Each CHECK of a table, cut to what fits a line."""
    tokens = _tokens(sql, blanks=True)
    for at, token in enumerate(tokens):
        rest = tokens[at + 1 :]
        if token.upper() == "CHECK" and "".join(rest[:2]).lstrip().startswith("("):
            yield _short(_enclosed(rest[rest.index("(") :]))


def collations(sql: str) -> set[str]:
    """The collations that a table's columns are declared with, but for BINARY, in capitals."""
    tokens = _tokens(sql)
    named = {
        tokens[at + 1].strip("\"'`[]").upper()
        for at, token in enumerate(tokens[:-1])
        if token.upper() == "COLLATE"
    }
    return named - {"BINARY"}


def deferred(sql: str) -> bool:
    """Whether a reference is checked at the end of a transaction only."""
    return "INITIALLY" in (tokens := [token.upper() for token in _tokens(sql)]) and "DEFERRED" in tokens


def _tokens(sql: str, *, blanks: bool = False) -> list[str]:
    """The words and marks of a statement without comments; each run of blanks as one, or none."""
    tokens = [token for token in _TOKEN.findall(sql) if not token.startswith(("--", "/*"))]
    return [" " if token.isspace() else token for token in tokens if blanks or not token.isspace()]


def _enclosed(tokens: list[str]) -> str:
    """What stands between the parenthesis that is first and the one that closes it."""
    depth, inside = 0, []
    for word in tokens:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0:
            break
        inside.append(word)
    return "".join(inside[1:]).strip()


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
