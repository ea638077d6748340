"""The sample files that the tests move."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from trdinger.sample import SampleOptions, write_sample

SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
BACKTESTS = 14  # of a small sample


def small_sample(path: Path) -> Path:
    """3,000 candles in four series, every other table filled: some 6,400 rows over two months.

    Most backtests are taken out with what refers to them: their JSON takes longer than all the rest.
    """
    write_sample(path, SampleOptions(rows=3_000, symbols=SYMBOLS, timeframes=("1h", "1d")))
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for table in ("generated_strategies", "strategy_showcase"):
            file.execute(f"DELETE FROM {table} WHERE backtest_result_id > {BACKTESTS}")
        file.execute(f"DELETE FROM backtest_results WHERE id > {BACKTESTS}")
        file.execute("VACUUM")
    return path


def larger_sample(path: Path) -> Path:
    """20,000 candles in six series: some 37,000 rows over eleven months, several chunks of each series."""
    write_sample(path, SampleOptions(rows=20_000, symbols=SYMBOLS, timeframes=("1h", "4h", "1d")))
    return path
