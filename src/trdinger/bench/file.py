"""The file that is moved: a sample, kept and used again by the hash of what it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

import trdinger
from trdinger.sample import SampleOptions, write_sample

_HASH = 12  # digits that a name needs to be told from the others of a folder


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
