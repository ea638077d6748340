"""What docs/migration.md says of values: each form in which one is counted, and what is refused."""

from __future__ import annotations

import re

import pytest
from documents import REPOSITORY

from trdinger.legacy.misfit import Misfit
from trdinger.legacy.source import Text
from trdinger.legacy.values import Stored, convert
from trdinger.schema.shape import Column, Kind

DOCUMENT = (REPOSITORY / "docs" / "migration.md").read_text("utf-8")
VALUES = DOCUMENT.partition("## Values")[2].partition("\n## ")[0]


def column(kind: Kind) -> Column:
    return Column("it", kind, nullable=False, length=20 if kind == "text" else None)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("time", Text(b"2024-03-01 12:00:00+09:00")),
        ("time", Text(b"2024-03-01T12:00:00Z")),
        ("time", Text(b"2024-03-01T12:00:00")),
        ("time", Text(b"2024-03-01 12:00")),
        ("time", Text(b"2024-03-01")),
        ("time", 1_709_294_400),
        ("time", 1_709_294_400_000),
        ("float", 3),
        ("integer", 3.0),
        ("boolean", 1.0),
        ("json", 3),
    ],
)
def test_every_form_is_named_as_the_report_names_it(kind: Kind, stored: Stored) -> None:
    _, form = convert(column(kind), stored)
    assert form is not None
    named = {name for cell in re.findall(r"\| ([^|\n]*) \|$", VALUES, re.M) for name in cell.split("; ")}
    assert form in named


@pytest.mark.parametrize("stored", [b"2024-03-01 12:00:00.000000", b"2024-03-01 12:00:00"])
def test_what_the_application_writes_is_not_counted(stored: bytes) -> None:
    assert convert(column("time"), Text(stored))[1] is None


@pytest.mark.parametrize(
    ("kind", "stored", "word"),
    [
        ("time", Text(b"2024-03-01 24:00:00"), "`24:00`"),
        ("time", Text(b"2024-03-01 12:00:00.1234567"), "finer than a microsecond"),
        ("float", Text(b"3"), "text or a blob in a number"),
        ("integer", 3.5, "cannot hold exactly"),
        ("text", None, "null where none may be"),
        ("text", Text(b"x" * 21), "too long"),
        ("text", Text(b"\x00"), "a NUL"),
        ("text", Text(b"\xff"), "not UTF-8"),
        ("json", Text(b"{"), "broken JSON"),
        ("json", Text(b'"\\u0000"'), "`\\u0000`"),
        ("json", Text(b'"\\ud800"'), "a lone surrogate"),
        ("json", Text(b'{"a": 1, "a": 2}'), "a key twice in one object"),
    ],
)
def test_what_it_calls_refused_is_refused(kind: Kind, stored: Stored, word: str) -> None:
    assert word in " ".join(VALUES.split())
    with pytest.raises(Misfit):
        convert(column(kind), stored)
