"""Files of every value that SQLite can hold, chosen by Hypothesis, as few as show a fault.

A file is some sound rows in each of the nine tables, and alterations of them: any cell made anything.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from proof.declared import PARENTS, TABLES, Field, loose

ROWS = 6  # of each table, at least
_BEGIN = datetime(2024, 1, 1)  # noqa: DTZ001  the application's times have no offset
TIMES = [str(_BEGIN + timedelta(hours=at)) + ".000000" for at in range(ROWS)]


@dataclass(frozen=True)
class Raw:
    """Bytes to be stored as text, whatever they are."""

    data: bytes


@dataclass
class Contents:
    """What a file is to hold. typed: its columns have the declared affinities."""

    typed: bool
    alterations: list[tuple[str, int, str, Any]] = field(default_factory=list)

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Every row, altered."""
        tables = {name: [sound(name, at) for at in range(ROWS)] for name in TABLES}
        for table, at, column, value in self.alterations:
            rows = tables[table]
            rows += [sound(table, more) for more in range(len(rows), at + 1)]
            rows[at][column] = value
        return tables

    def write(self, path: Path) -> None:
        """Make the file."""
        with closing(sqlite3.connect(path)) as connection:
            for table, rows in self.rows().items():
                connection.execute(loose(table, typed=self.typed))
                for row in rows:
                    marks = ", ".join(
                        "CAST(? AS TEXT)" if isinstance(value, Raw) else "?" for value in row.values()
                    )
                    cells = [value.data if isinstance(value, Raw) else value for value in row.values()]
                    connection.execute(f'INSERT INTO "{table}" VALUES ({marks})', cells)
            connection.commit()


def sound(table: str, at: int) -> dict[str, Any]:
    """A row that fits, its keys its own."""
    row = {column.name: _SOUND[column.kind](column, at) for column in TABLES[table]}
    row |= dict.fromkeys(PARENTS.get(table, {}), at % ROWS + 1)
    return row | ({"name": f"name {at}"} if "name" in row else {})


_SOUND: dict[str, Any] = {
    "ID": lambda _, at: at + 1,
    "I": lambda _, at: at,
    "S": lambda column, _: column.name[: column.length],
    "T": lambda _, at: str(_BEGIN + timedelta(hours=at)) + ".000000",
    "F": lambda _, at: at + 0.5,
    "B": lambda _, at: at % 2,
    "J": lambda _, at: json.dumps({"at": at}),
}


def every_oddity(*, typed: bool) -> Contents:
    """A file with each value of the lists below in each column, each in a row of its own."""
    alterations: list[tuple[str, int, str, Any]] = []
    for table, columns in TABLES.items():
        odd = [(column.name, value) for column in columns for value in _ODD + _ODD_OF.get(column.kind, [])]
        alterations += [(table, ROWS + at, name, value) for at, (name, value) in enumerate(odd)]
    return Contents(typed, alterations)


# -- anything ----------------------------------------------------------------------------------------

_EDGES: list[Any] = [
    0, 1, -1, 2, 127, 128, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53, 2**53 + 1, -(2**53) - 1,
    2**63 - 1, -(2**63), 10**8, 10**8 - 1, 10**10 - 1, 10**10, 10**11, 10**13 - 1, 1_704_067_200,
]  # fmt: skip
_REALS: list[Any] = [
    0.0, -0.0, 1.0, 1e308, -1e308, 5e-324, 2.0**53, 2.0**63, -(2.0**63), 1e22, 0.1 + 0.2, 2.5, 2.0**31,
    float("inf"), float("-inf"), float("nan"), 1_704_067_200.123456, 1_704_067_200_123.5,
]  # fmt: skip
_WORDS: list[Any] = [
    "", " ", "\0", "a\0b", "é" * 50, "é" * 51, "x" * 10, "x" * 11, "x" * 501, "𝄞" * 10, "\ufeff", "null",
    "true", "'", '"', "\\", "\\N", "\\.", "\t\n\r", "\x7f", "\uffff",
]  # fmt: skip
_BROKEN = [
    Raw(data)
    for data in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"ok\x80", b"\xf4\x90\x80\x80", b"\xef\xbb")
]
_NUMERALS: list[Any] = [
    "1", "1.0", "-0", "1e3", " 1 ", "1_000", "٣", "0x10", "1e400", "NaN", "inf", "123abc",
    "9007199254740993", ".5", "+5", "1704067200", "99999999999999999999",
]  # fmt: skip
_ODD = [None, *_EDGES, *_REALS, *_WORDS, *_BROKEN, *_NUMERALS, b"", b"\0", b"1", b"\xff\xfe"]
ANYTHING = (
    st.sampled_from(_ODD)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(width=64)
    | st.text(max_size=12)
    | st.binary(max_size=8)
    | st.binary(max_size=8).map(Raw)
)

# -- what each kind of column may hold, in all its forms ---------------------------------------------

_DAYS = [
    "2024-01-01", "2024-02-29", "1969-12-31", "0001-01-01", "9999-12-31", "2023-02-29", "0000-01-01",
    "20240101",
    "2024-W01-1", "2024-001", "1-1-1", "24-01-01", "-2024-01-01", "+2024-01-01", "2024-13-01", "2024/01/01",
]  # fmt: skip
_CLOCKS = [
    "00:00:00", "00:00:00.000000", "23:59:59.999999", "12:30", "12", "1230", "123045", "24:00:00", "23:59:60",
    "12:30:45,5", "1:2:3", "12:60:00", "00:00:00.0000001", "00:00:00.1234560", "12:30:45.", "12:30.5",
]  # fmt: skip
_OFFSETS = [
    "",
    "Z",
    "z",
    "+00:00",
    "-00:00",
    "+09:00",
    "-1130",
    "+09",
    "+23:59",
    "+24:00",
    " UTC",
    "+09:60",
    "+9",
]
_MARKS = [" ", "T", "t", "", "_", "  "]


@st.composite
def _times(draw: st.DrawFn) -> str:
    """A time as text: day, mark, clock, offset, some of them of no instant."""
    day = draw(st.sampled_from(_DAYS[:3]) | st.dates().map(str) | st.sampled_from(_DAYS))
    clock = draw(st.sampled_from(_CLOCKS[:6]) | st.times().map(str) | st.sampled_from(_CLOCKS))
    mark = draw(st.sampled_from(_MARKS[:2]) | st.sampled_from(_MARKS))
    return draw(st.sampled_from([day, f"{day}{mark}{clock}{draw(st.sampled_from(_OFFSETS))}"]))


DOCUMENTS: list[Any] = [
    "null", "[null]", "{}", "[]", "true", '{"at": 1}', "[-0.0, 1e3, 1E-7, 100, 1.50]", "1e400", "1e-400",
    "123456789012345678901234567890.123456789", "1e99999999999999999999", '"\\u00e9\\n\\/"', " [1] ",
    "[" * 40 + "]" * 40, '{"a": 1, "a": 2}', '"\\u0000"', '{"\\u0000": 1}', '"\\ud83d\\ude00"', '"\\ud83d"',
    '{"\\udc00": 1}', "NaN", "-Infinity", '{"n": NaN, "m": [Infinity, "NaN", -Infinity]}', "-NaN", "[NaN",
    '{"a b": {"c": [0, NaN]}}', '{"": NaN}', '{"é": NaN}', '{"\\"": [NaN]}', '["\\"NaN", NaN]',
    '{"NaN": "Infinity"}', '{"\\\\": NaN, "b": NaN}', "{'a': 1}", "[1,]", "", "nan", "True", "+1", "01", "1.",
    ".5", '"a\tb"', "\ufeff[1]", "[1] [2]",
]  # fmt: skip
_ODD_OF: dict[str, list[Any]] = {
    "T": [
        *(f"{day} 00:00:00" for day in _DAYS),
        *_DAYS,
        *(f"2024-01-01T{clock}" for clock in _CLOCKS),
        *(f"2024-01-01 00:00:00{offset}" for offset in _OFFSETS),
        *(f"2024-01-01{mark}00:00:00" for mark in _MARKS),
        *(
            "0001-01-01 00:00:00+00:01",
            "9999-12-31 23:59:59.999999-00:01",
            "2024-01-01Z",
            "2024-01-01T00:00:00 +01:00",
        ),
    ],
    "J": DOCUMENTS,
}
_OWN: dict[str, st.SearchStrategy[Any]] = {
    "ID": st.integers(-2, ROWS + 2) | st.sampled_from([1.0, 2.5, 2**31, None]),
    "I": st.sampled_from(_EDGES + _REALS),
    "S": st.text(max_size=12) | st.sampled_from(_WORDS),
    "T": _times() | st.sampled_from(TIMES) | st.sampled_from(_EDGES),
    "F": st.floats(width=64) | st.sampled_from(_REALS + _EDGES),
    "B": st.sampled_from([0, 1, 0.0, 1.0, 2, -1, None, "1", "true"]),
    "J": st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ).map(json.dumps)
    | st.sampled_from(DOCUMENTS),
}


@st.composite
def _alterations(draw: st.DrawFn) -> tuple[str, int, str, Any]:
    table = draw(st.sampled_from(sorted(TABLES)))
    column: Field = draw(st.sampled_from(TABLES[table]))
    value = draw(_OWN[column.kind] | _OWN[column.kind] | ANYTHING)
    return table, draw(st.integers(0, ROWS - 1)), column.name, value


def contents() -> st.SearchStrategy[Contents]:
    """Files of few alterations, or of many."""
    few, many = st.lists(_alterations(), max_size=6), st.lists(_alterations(), min_size=15, max_size=40)
    return st.builds(Contents, st.booleans(), few | many | many)
