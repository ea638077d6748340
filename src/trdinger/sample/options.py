"""What a sample holds, checked when it is asked for; and what was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from trdinger.errors import UsageError

# Minutes of each timeframe that a sample can hold. All divide a day, so that bars of all
# of them begin at multiples counted from 1970.
TIMEFRAMES: Mapping[str, int] = MappingProxyType(
    {
        "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30,
        "1h": 60, "2h": 120, "4h": 240, "6h": 360, "12h": 720, "1d": 1440,
    }
)  # fmt: skip
DAY = 1440  # minutes
SYMBOL_LENGTH = 50  # characters that the column is declared with


@dataclass(frozen=True)
class SampleOptions:
    """What a sample holds.

    rows: candles in all, reached exactly.
    seed: the same seed and options give the same rows.
    symbols, timeframes: each symbol has all timeframes; 1m is generated always and stored
        when named.
    end: aware; the last bar of each series begins before it. Cut to the minute.
    Raises UsageError.
    """

    rows: int = 100_000
    seed: int = 7
    symbols: tuple[str, ...] = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "XRP/USDT:USDT")
    timeframes: tuple[str, ...] = ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
    end: datetime = datetime(2025, 6, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise UsageError(f"A sample of {self.rows} rows holds nothing.", hint="Ask for 1 row or more.")
        if self.seed < 0:
            raise UsageError(f"The seed {self.seed} is negative.", hint="Give 0 or more.")
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise UsageError("A sample needs one symbol or more, each once.")
        for symbol in self.symbols:
            if not symbol or len(symbol) > SYMBOL_LENGTH or not symbol.isprintable():
                raise UsageError(f"{symbol!r} is no symbol: 1 to {SYMBOL_LENGTH} printable characters.")
        unknown = [name for name in self.timeframes if name not in TIMEFRAMES]
        if unknown:
            raise UsageError(
                f"{', '.join(unknown)}: not a timeframe.", hint=f"Timeframes are: {', '.join(TIMEFRAMES)}."
            )
        if not self.timeframes or len(set(self.timeframes)) != len(self.timeframes):
            raise UsageError("A sample needs one timeframe or more, each once.")
        if self.end.tzinfo is None:
            raise UsageError("The end of the sample has no offset.", hint="Give it as 2025-06-01T00:00:00Z.")
        if not 1971 <= self.end.astimezone(UTC).year <= 2100:
            raise UsageError(f"The end {self.end:%Y-%m-%d} is outside the years 1971 to 2100.")

    @property
    def end_minute(self) -> int:
        """The end as minutes since 1970."""
        return int(self.end.timestamp() // 60)

    @property
    def ascending(self) -> tuple[str, ...]:
        """The timeframes, the finest first."""
        return tuple(sorted(self.timeframes, key=TIMEFRAMES.__getitem__))


@dataclass(frozen=True)
class SampleSummary:
    """What was written: rows by table, and the span [start, end) of the candles in UTC.

    size: bytes of the file.
    """

    path: Path
    rows: Mapping[str, int]
    start: datetime
    end: datetime
    size: int
