"""The sample files that the tests move."""

from __future__ import annotations

from pathlib import Path

from trdinger.sample import SampleOptions, write_sample

SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT")


def small_sample(path: Path) -> Path:
    """3,000 candles in four series, every other table filled: some 6,400 rows over two months."""
    write_sample(path, SampleOptions(rows=3_000, symbols=SYMBOLS, timeframes=("1h", "1d")))
    return path


def larger_sample(path: Path) -> Path:
    """20,000 candles in six series: some 37,000 rows over eleven months, several chunks of each series."""
    write_sample(path, SampleOptions(rows=20_000, symbols=SYMBOLS, timeframes=("1h", "4h", "1d")))
    return path
