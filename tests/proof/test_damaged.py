"""Whatever bytes a file has: no traceback, no hang, no crash, no wrong cell; a sentence and an exit code."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from engines import Native
from proof.damage import damaged
from proof.victims import victims
from proof.worker import Worker

SEED = 1
PATIENCE = 60.0  # seconds for one move of a hundred rows, on a busy machine
SOME = 40  # cases of the short form
MINUTES = 4  # of the long form


def test_some_damaged_files_end_in_a_sentence_or_in_equal_cells(native: Native, tmp_path: Path) -> None:
    _damage(native, tmp_path, SEED, cases=SOME)


@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60 + 300)
def test_damaged_files_for_minutes_end_in_a_sentence_or_in_equal_cells(
    native: Native, tmp_path: Path
) -> None:
    _damage(native, tmp_path, random.SystemRandom().getrandbits(32), seconds=MINUTES * 60.0)


def _damage(
    native: Native, folder: Path, seed: int, *, cases: int | None = None, seconds: float | None = None
) -> None:
    """Move so many damaged files, or for so long. A failure names the seed and case that bring it back."""
    sound = victims(folder)
    codes: Counter[int] = Counter()
    bad: list[str] = []
    begun, number, moved = time.monotonic(), 0, 0
    with native.empty() as database, Worker(PATIENCE) as worker:
        address = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while (
            number < cases
            if cases is not None
            else seconds is not None and time.monotonic() - begun < seconds
        ):
            case = folder / f"case{number}"
            case.mkdir()
            file, what = case / "trdinger.db", "nothing"
            chance = random.Random(f"{seed}/{number}")
            data, what = damaged(sound[number % len(sound)], chance)
            file.write_bytes(data)
            told = worker.ask(
                file=str(file), address=address, conninfo=database.conninfo, workdir=str(case / "move")
            )
            codes[told["code"]] += 1
            moved += told["code"] == 0
            if told["problems"]:
                bad.append(
                    f"seed {seed} case {number} ({what}): {file}\n  {told['said'][-500:]}\n  "
                    + "\n  ".join(told["problems"][:3])
                )
            number += 1
    print(f"{number} files, seed {seed}: exit codes {dict(codes)}")
    assert not bad, f"{len(bad)} of {number}:\n" + "\n".join(bad[:10])
    assert moved, "no damaged file was moved: there was nothing to judge"
