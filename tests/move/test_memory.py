"""Memory stays flat however large the file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from engines import Native
from move.mover import command
from trdinger.sample import SampleOptions, write_sample

UNITS = {"span_rows": 10_000, "slice_rows": 1_000}


EACH = 30_000  # rows of a series


def test_ten_times_the_rows_take_hardly_more_memory(native: Native, tmp_path: Path) -> None:
    one, ten = (_peak(native, tmp_path, series) for series in (1, 10))
    # 270,000 rows more are 25 MB as Arrow at the least, and far more as anything else.
    assert ten - one < 20 << 20, f"{one:,} and {ten:,} bytes"


def _peak(native: Native, folder: Path, series: int) -> int:
    source = folder / str(series) / "trdinger.db"
    source.parent.mkdir()
    symbols = tuple(f"COIN{number}/USDT" for number in range(series))
    write_sample(source, SampleOptions(rows=EACH * series, symbols=symbols, timeframes=("1m",)))
    with native.empty() as database:
        ended = subprocess.run(
            command(source, database, sizes=UNITS), check=False, capture_output=True, text=True, timeout=300
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["equal"]
    return int(told["peak"])
