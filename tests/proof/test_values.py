"""Any value in any column arrives equal, or is listed as changed, or is rejected with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.moving import Moving, searching
from proof.targets import Place
from proof.values import Contents, contents, every_oddity

EXAMPLES = {"native": 12, "embedded": 4, "url": 8}  # a second each


@pytest.fixture
def moving(place: Place, tmp_path: Path) -> Iterator[Moving]:
    """Moves into one target."""
    with place.new() as target, target.served() as conninfo:
        yield Moving(target, conninfo, tmp_path)


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
def test_every_odd_value_in_every_column_is_accounted_for(moving: Moving, *, typed: bool) -> None:
    found = moving.move(every_oddity(typed=typed))
    assert min(found.moved, found.rejected) > 1_000
    assert found.changed > 100


@pytest.mark.timeout(3000)
def test_any_values_are_accounted_for(place: Place, moving: Moving, pytestconfig: pytest.Config) -> None:
    @searching(EXAMPLES[place.engine], long=pytestconfig.getoption("--long"))
    @given(contents(), st.sampled_from(["first", "last"]))
    def check(held: Contents, stays: str) -> None:
        moving.move(held, "--duplicates", stays)

    check()
