"""The file that is moved: a sample, kept and used again by the hash of what it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

import trdinger
from trdinger.progress import Progress
from trdinger.sample import SampleOptions, write_sample

_HASH = 12  # digits that a name needs to be told from the others of a folder


def kept_file(folder: Path, rows: int, seed: int, progress: Progress) -> Path:
    """The sample file of so many candles, and how it comes about."""
    before, stage = 0, ""

    def tell(name: str, done: int, total: int) -> None:
        nonlocal before, stage
        if name != stage:
            progress.stage(name.capitalize(), total=total, measure="rows" if name == "candles" else "steps")
            before, stage = 0, name
        progress.advance(done - before)
        before = done

    return sample_file(folder, SampleOptions(rows=rows, seed=seed), tell=tell)


def sample_file(
    folder: Path, options: SampleOptions, *, tell: Callable[[str, int, int], None] | None = None
) -> Path:
    """The sample file of these options in `folder`, written where it is not there yet.

    Versions belong to what it is made from: a generator that changed writes another file.
    """
    made_from = f"{options!r} trdinger {trdinger.__version__} numpy {np.__version__}"
    name = hashlib.sha256(made_from.encode()).hexdigest()[:_HASH]
    path = folder / f"sample-{options.rows}-{name}.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_sample(path, options, progress=tell)
    return path
