"""Rejected rows, once mended, go in each exactly once, and unmended none does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.accounts import shown
from proof.declared import KEYS, PARENTS, TABLES
from proof.meaning import meaning
from proof.moving import Moving, searching
from proof.sides import arrived, decoded
from proof.targets import Place
from proof.values import Contents, contents, sound

EXAMPLES = {"native": 5, "embedded": 2, "url": 3}  # some three seconds each
BEYOND = 1_000  # a row's number from which on no file has any
_REFERRED = {parent for parents in PARENTS.values() for parent in parents.values()}


@pytest.fixture
def moving(place: Place, tmp_path: Path) -> Iterator[Moving]:
    """Moves into one target."""
    with place.new() as target, target.served() as conninfo:
        yield Moving(target, conninfo, tmp_path)


@pytest.mark.timeout(3000)
def test_mended_rows_go_in_each_once_and_unmended_ones_not_at_all(
    place: Place, moving: Moving, pytestconfig: pytest.Config
) -> None:
    @searching(EXAMPLES[place.engine], long=pytestconfig.getoption("--long"))
    @given(contents(), st.randoms(use_true_random=False))
    def check(held: Contents, chance: Any) -> None:
        if not moving.move(held).rejected:
            return
        _unmended(moving)
        before = _rows(moving)
        header, *lines = moving.rejects.read_text("utf-8").splitlines()
        told = [json.loads(line) for line in lines]
        chosen = [one for one in told if chance.random() < 0.7]
        _mend(chosen, {table: _ids(moving, table) for table in _REFERRED})
        meant = Counter((one["table"], shown(_values(one))) for one in chosen)
        chance.shuffle(told)  # children before parents, too
        path = moving.rejects.with_name("mended.jsonl")
        path.write_text("\n".join([header, *map(json.dumps, told)]) + "\n", "utf-8")
        for put, known in ((len(chosen), 0), (0, len(chosen))):
            done = moving.run("rejects", "replay", path)
            assert done.code == (0 if len(chosen) == len(told) else 7), done
            assert [sum(done.json[name].values()) for name in ("replayed", "known")] == [put, known], done
            assert _rows(moving) == before + meant

    check()


def _unmended(moving: Moving) -> None:
    """Replay the file as it is: every row is left, and the account stays what it was."""
    done = moving.run("rejects", "replay", moving.rejects)
    assert done.code == 7, done
    assert not sum(done.json["replayed"].values()), done
    moving.accounted()


def _rows(moving: Moving) -> Counter[tuple[str, str]]:
    """Every row of the target."""
    with psycopg.connect(moving.conninfo, autocommit=True) as server:
        return Counter((table, shown(values)) for table in TABLES for values in arrived(server, table))


def _ids(moving: Moving, table: str) -> list[int]:
    """The ids that are in the target."""
    with psycopg.connect(moving.conninfo, autocommit=True) as server:
        return [values[0] for values in arrived(server, table)]


def _mend(lines: list[dict[str, Any]], there: dict[str, list[int]]) -> None:
    """Make every unfit cell of these rows sound, every key nobody else's, and every reference somebody's.

    there: ids of parents. A row for which there is no parent is taken out of `lines`, as it is.
    """
    ids = {table: list(known) for table, known in there.items()}
    parents = {table for table, known in ids.items() if known} | {one["table"] for one in lines}
    lines[:] = [one for one in lines if parents >= set(PARENTS.get(one["table"], {}).values())]
    for number, one in enumerate(lines, BEYOND):
        table, values = one["table"], one["values"]
        whole = sound(table, number)
        for column in TABLES[table]:
            key = any(column.name in key for key in KEYS[table])
            if key or not meaning(column, decoded(values[column.name])).fits:
                values[column.name] = whole[column.name]
        if table in ids:
            ids[table].append(values["id"])
    for one in lines:
        one["values"] |= {name: ids[parent][-1] for name, parent in PARENTS.get(one["table"], {}).items()}


def _values(line: dict[str, Any]) -> tuple[Any, ...]:
    """What a mended line has to be in the target."""
    cells = line["values"]
    return tuple(meaning(column, decoded(cells[column.name])).value for column in TABLES[line["table"]])
