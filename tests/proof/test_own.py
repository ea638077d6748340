"""Tables of a user's own, of any declaration and any values: each cell arrives, or its row is kept whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from cli.command import here
from proof.moving import DONE, searching
from proof.own import Tables, account_own, tables
from proof.targets import Place

EXAMPLES = {"native": 12, "embedded": 3, "url": 6}  # a second each


@pytest.mark.timeout(3000)
def test_any_table_is_accounted_for(place: Place, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    with place.new() as target, target.served() as conninfo:
        moves = iter(range(1_000_000))

        @searching(EXAMPLES[place.engine], long=pytestconfig.getoption("--long"))
        @given(tables())
        def check(held: Tables) -> None:
            folder = tmp_path / f"{next(moves)}"
            folder.mkdir()
            file, workdir = folder / "own.db", folder / "move"
            held.write(file)
            options = ("--existing", "replace", "--workdir", workdir, "--json")
            done = here("migrate", file, "--to", target.address, *options)
            assert done.code in DONE, done
            moved, gone, problems = account_own(file, conninfo, workdir / "rejects.jsonl")
            assert not problems, "\n".join(problems[:5])
            assert moved + gone == sum(len(table.rows) for table in held.tables)
            assert done.code == (7 if gone else 0), done

        check()
