"""JSON as values: every number exactly, and the first place that differs."""

from __future__ import annotations

import json

import pytest

from trdinger.verify.documents import json_differing, show_apart


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ('{"a": 1, "b": [true, null, "é"]}', '{"b":[true,null,"\\u00e9"],"a":1}'),
        ("0.1", "0.10"),
        ("1e2", "100"),
        ("12345678901234567890.5", "12345678901234567890.50"),
        ("[]", "[ ]"),
        ("[" * 900 + "]" * 900, "[" * 900 + " " + "]" * 900),
    ],
)
def test_equal_values(ours: str, theirs: str) -> None:
    assert json_differing(ours, theirs) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "shown"),
    [
        ("0.12345678901234567", "0.12345678901234568", ("$: 0.12345678901234567", "$: 0.12345678901234568")),
        ('{"a": 1}', '{"a": true}', ("$.a: 1", "$.a: true")),
        ('{"a": 1}', '{"a": "1"}', ("$.a: 1", '$.a: "1"')),
        ('{"a": null}', "{}", ("$.a: null", "$.a: nothing")),
        ("[1, 2]", "[1, 2, 3]", ("$[2]: nothing", "$[2]: 3")),
        ("[1, 2]", "[2, 1]", ("$[0]: 1", "$[0]: 2")),
        ('{"x y": {"b": [0]}}', '{"x y": {"b": [1]}}', ('$["x y"].b[0]: 0', '$["x y"].b[0]: 1')),
        ('{"a": []}', '{"a": {}}', ("$.a: a list of 0", "$.a: an object of 0")),
        ("1e400", "1e401", ("$: 1E+400", "$: 1E+401")),
    ],
)
def test_the_first_place_that_differs_is_shown(ours: str, theirs: str, shown: tuple[str, str]) -> None:
    assert json_differing(ours, theirs) == shown


def test_deep_nesting_is_compared_to_its_bottom() -> None:
    differing = json_differing("[" * 900 + "1" + "]" * 900, "[" * 900 + "2" + "]" * 900)
    assert differing is not None
    assert (differing[0][-3:], differing[1][-3:]) == (": 1", ": 2")


def test_what_cannot_be_parsed_differs() -> None:
    assert json_differing("[1]", "[" * 100_000) is not None


def test_long_texts_are_cut_around_what_differs() -> None:
    ours = json.dumps(list(range(1000)))
    theirs = ours.replace("500", "5oo")
    mine, other = show_apart(ours, theirs)
    assert "500" in mine
    assert "5oo" in other
    assert max(len(mine), len(other)) <= 202
    assert show_apart("short", "shorter") == ("short", "shorter")
