"""docs/report.md lists exactly the fields that a report has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

from trdinger.report.words import what_differs
from trdinger.verify.differences import What

DOCS = Path(__file__).resolve().parents[2] / "docs" / "report.md"


def fields(value: Any, path: str = "") -> set[str]:
    """Every field of a JSON value: `tables[].rows`."""
    if isinstance(value, dict):
        found = set()
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            found |= {here} | fields(inner, here)
        return found
    if isinstance(value, list):
        return {field for inner in value for field in fields(inner, f"{path}[]")}
    return set()


def test_the_docs_name_every_field_and_no_other(
    different_report: dict[str, Any], rejected_report: dict[str, Any]
) -> None:
    documented = re.findall(r"^\| `([^`]+)` \|", DOCS.read_text(encoding="utf-8"), re.M)
    assert len(documented) == len(set(documented))
    assert set(documented) == fields(different_report) | fields(rejected_report)


def test_the_docs_name_every_result_and_every_kind_of_difference() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for word in ("equal", "rejected", "different", "unproven", *get_args(What)):
        assert f'`"{word}"`' in text


def test_every_kind_of_difference_has_words() -> None:
    for kind in get_args(What):
        assert what_differs({"what": kind}) != kind
