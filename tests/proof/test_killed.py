"""Killed by SIGKILL at a random moment of any stage, the same command goes on and ends equal.

Judged by an account of every cell that shares no code with the program.
"""

from __future__ import annotations

import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from engines import Native
from faults.proxy import Proxy
from proof.accounts import account
from proof.killed import STAGES, Program, at
from proof.targets import Place, Target
from trdinger.engine.connect import Database
from trdinger.sample import SampleOptions, spoil, write_sample

SEED = 20240511
MOMENTS = 50  # of the long form, on each engine
FEW = {"native": 2, "embedded": 1, "url": 1}  # of the short one
AGAIN = 0.5  # how likely a move that goes on is killed once more
MOVED = 7  # the exit code of a move that is done, but for some rejected rows
ODD = (
    "time-with-t",
    "time-epoch-seconds",
    "number-text",
    "text-invalid-utf8",
    "json-nan",
    "orphan",
    "duplicate-key",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 1,300 rows in nine tables, with misfits, repeated keys, orphans and NaN in JSON among them."""
    path = tmp_path_factory.mktemp("killed") / "trdinger.db"
    write_sample(path, SampleOptions(rows=800, symbols=("BTC/USDT:USDT",), timeframes=("1h", "1d")))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in ("generated_strategies", "strategy_showcase"):
            connection.execute(f"DELETE FROM {table} WHERE backtest_result_id > 12")
        connection.execute("DELETE FROM backtest_results WHERE id > 12")
        connection.execute("VACUUM")
    spoil(path, ODD, each=1)
    return path


def test_killed_at_some_moments_every_cell_is_accounted_for(place: Place, file: Path) -> None:
    _Killer(place, file, SEED).moves(FEW[place.engine])


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killed_at_fifty_moments_fifty_moves_end_equal(place: Place, file: Path) -> None:
    assert set(_Killer(place, file, SEED + 1).moves(MOMENTS)) == set(STAGES)


@pytest.mark.parametrize(
    "moments", [1, pytest.param(MOMENTS, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def test_killed_at_some_statement_every_cell_is_accounted_for(
    native: Native, file: Path, proxy: Callable[[Database], Proxy], moments: int
) -> None:
    """SIGKILL as soon as the server was sent a statement, or a part of a COPY, that chance chose."""
    chance = random.Random(SEED + 2)
    sent: list[int] = []
    for number in range(moments + 1):
        with native.empty() as database:
            line = proxy(database)
            address = line.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
            workdir = file.parent / f"statement{moments}.{number}"
            program = Program(file, address, workdir)
            if sent:
                until = chance.choice(sent)
                ended = program.run(lambda _began, line=line, until=until: line.sent >= until)
                assert ended.code == -signal.SIGKILL, ended.said
            ended = program.run()
            assert ended.code == MOVED, ended.said
            sent = sent or line.pieces[:-1]
            _accounted(database.conninfo, file, workdir, f"move {number}")


class _Killer:
    """Kills moves of one file into new targets of a place, at moments that chance chooses."""

    def __init__(self, place: Place, file: Path, seed: int) -> None:
        self.place, self.file, self.chance = place, file, random.Random(seed)
        self._moves = 0
        self.lengths = self._undisturbed()

    def moves(self, wanted: int) -> Counter[str]:
        """So many moves, each killed at least once, each ended by its command; the stages of all kills."""
        stages: Counter[str] = Counter()
        order: list[str] = []
        while len(order) < wanted:
            order += self.chance.sample(STAGES, len(STAGES))
        for stage in order[:wanted]:
            tries = (self._killed(stage, sooner) for sooner in range(1, 6))  # this run may be a quicker one
            killed = next(filter(None, tries), [])
            assert killed, f"every move ended before its moment of {stage}"
            stages.update(killed)
        print(f"{wanted} of {wanted} moves equal, killed {stages.total()} times: {dict(stages)}")
        return stages

    def _killed(self, stage: str, sooner: int) -> list[str]:
        """Kill a move in `stage`, perhaps again while it goes on; the stages of all kills."""
        killed: list[str] = []
        with self.place.new() as target:
            program = self._program(target)
            within = self.lengths[stage] / sooner
            while (ended := program.run(at(stage, self.chance.random() * within))).code == -signal.SIGKILL:
                killed.append(ended.stage)
                if self.chance.random() < AGAIN:
                    target.crash()
                if self.chance.random() >= AGAIN:
                    ended = program.run()
                    break
                stage = self.chance.choice(STAGES)
                within = self.lengths[stage]
            assert ended.code == MOVED, f"killed in {killed}:\n{ended.said}"
            with target.served() as conninfo:
                _accounted(conninfo, self.file, program.workdir, f"a move killed in {killed}")
        return killed

    def _undisturbed(self) -> dict[str, float]:
        """How long each stage takes where nobody disturbs it."""
        with self.place.new() as target:
            program = self._program(target)
            ended = program.run()
            assert ended.code == MOVED, ended.said
            with target.served() as conninfo:
                _accounted(conninfo, self.file, program.workdir, "an undisturbed move")
        assert list(ended.began) == list(STAGES), ended.said
        return ended.seconds()

    def _program(self, target: Target) -> Program:
        self._moves += 1
        folder = self.file.parent / f"{type(self.place).__name__}{id(self)}.{self._moves}"
        return Program(self.file, target.address, folder)


def _accounted(conninfo: str, file: Path, workdir: Path, which: str) -> None:
    kept = {name: workdir / f"{name}.jsonl" for name in ("rejects", "changes")}
    found = account(file, conninfo, **kept)
    assert not found.problems, f"{which}: {found}"
    assert found.moved + found.rejected == found.rows > 1_000
    assert found.rejected > 3
    assert found.changed > 1
