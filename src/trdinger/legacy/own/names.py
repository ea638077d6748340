"""Names that PostgreSQL takes, for those that SQLite took. Each one that changes is told.

A name stays as it is, letter by letter, unless PostgreSQL cannot have it: one that is empty,
longer than 63 bytes, taken by Trdinger itself, or PostgreSQL's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from trdinger.schema.own.description import NAME_BYTES

_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_DIGITS = 8  # hexadecimal ones, of the hash that tells cut names apart


class Names:
    """Gives out names, each once. `taken` are gone already."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def give(self, name: str, *, empty: str = "unnamed") -> str:
        """The name itself where it can be had, else one made of it."""
        wanted = given = name or empty
        attempt = 0
        while given in self._taken or len(given.encode()) > NAME_BYTES:
            given = _marked(wanted, f"{name}{attempt or ''}")
            attempt += 1
        self._taken.add(given)
        return given


def table_names(stored: list[str], names: Names) -> dict[str, str]:
    """The target's name of each table. Those that can stay are given first, so that no other gets them."""
    return _in_order(stored, names, lambda name: name.startswith("pg_"), "unnamed")


def column_names(stored: list[str]) -> dict[str, str]:
    """The target's name of each column of one table."""
    return _in_order(stored, Names(_SYSTEM_COLUMNS), lambda _: False, "column")


def _in_order(stored: list[str], names: Names, barred: Callable[[str], bool], empty: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name in sorted(stored, key=lambda name: (barred(name), len(name.encode()) > NAME_BYTES)):
        # Beginning with pg_, a name could be taken for one of the server's own catalog.
        given[name] = names.give(f"_{name}" if barred(name) else name, empty=empty)
    return {name: given[name] for name in stored}


def _marked(name: str, hashed: str) -> str:
    mark = "_" + hashlib.sha256(hashed.encode()).hexdigest()[:_DIGITS]
    room = NAME_BYTES - len(mark)
    return name.encode()[:room].decode("utf-8", "ignore") + mark
