"""What the data is: every table in the order of its references, and what is a series.

Data, no SQL. The schema, the loader, the verifier, the policies and the docs
read it here and nowhere else. Times are UTC, kept to the microsecond; prices are
in the quote currency, volumes in base units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from trdinger.errors import UsageError


@dataclass(frozen=True)
class Series:
    """A table of observations over time: a hypertable wherever the server has them.

    time: the column that the hypertable is partitioned by.
    segment_by: what names one series; rows of one value are compressed together.
    order_by: the order inside a compressed segment, which is also the order in which
        the loader must send rows ("timestamp" or "timestamp DESC").
    chunk_interval: the span of time that one chunk holds.
    compress_after: age from which a chunk is kept compressed; None never.
    keep: age up to which rows are kept; then they go into the archive. None keeps them for ever.
    saved: the column that tells when a row was saved, which is no part of what was observed.
    """

    table: str
    time: str
    segment_by: tuple[str, ...]
    order_by: str
    chunk_interval: timedelta
    compress_after: timedelta | None
    what: str
    saved: str | None = None
    keep: timedelta | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """The natural key: the segment and the time. `ON CONFLICT` names exactly these."""
        return (*self.segment_by, self.time)

    @property
    def descending(self) -> bool:
        """Whether a compressed segment runs from the newest row to the oldest."""
        return self.order_by.upper().endswith(" DESC")


BATCH_ROWS = 880
"""Rows of one compressed batch. The server stores each column of a batch in pieces of 1,996 bytes, four to a
page. A price takes 5.7 to 6.7 bytes: a thousand are three pieces and a crumb, after which a page has no room
for a fourth; 880 are three pieces for any of them, and 5 to 8 % less disk. See docs/performance.md."""

OHLCV = Series(
    table="ohlcv_data",
    time="timestamp",
    segment_by=("symbol", "timeframe"),
    order_by="timestamp",
    chunk_interval=timedelta(days=90),
    compress_after=timedelta(days=30),
    what="candles: open, high, low, close in quote currency, volume in base units",
)
FUNDING_RATE = Series(
    table="funding_rate_data",
    time="funding_timestamp",
    segment_by=("symbol",),
    order_by="funding_timestamp",
    chunk_interval=timedelta(days=365),
    compress_after=timedelta(days=90),
    what="funding rates, a fraction per funding interval",
    saved="timestamp",
)
OPEN_INTEREST = Series(
    table="open_interest_data",
    time="data_timestamp",
    segment_by=("symbol",),
    order_by="data_timestamp",
    chunk_interval=timedelta(days=365),
    compress_after=timedelta(days=90),
    what="open interest, as the exchange reports it",
    saved="timestamp",
)

SERIES: Mapping[str, Series] = MappingProxyType(
    {series.table: series for series in (OHLCV, FUNDING_RATE, OPEN_INTEREST)}
)


@dataclass(frozen=True)
class Aggregate:
    """Bars of one timeframe that the server keeps, made of the next finer ones. `of`: the table or view."""

    name: str
    timeframe: str
    of: str


_CHAIN = ("5m", "15m", "30m", "1h", "4h", "1d", "1w")
AGGREGATES: tuple[Aggregate, ...] = tuple(
    Aggregate(f"candles_{timeframe}", timeframe, f"candles_{finer}" if finer else OHLCV.table)
    for finer, timeframe in zip((None, *_CHAIN), _CHAIN, strict=False)
)
"""The continuous aggregates of candles, each after the one that it is made of."""

REFRESH_WINDOW = timedelta(days=30)
"""How far back candles come late or are corrected, so that a scheduled refresh looks there again."""
_LONGEST_BAR = timedelta(weeks=1)


@dataclass(frozen=True)
class Lifecycle:
    """What becomes of rows as they age: per table the age of compression and that of retention.

    refresh_window: how far back scheduled refreshes of the aggregates reach.
    Raises UsageError where candles would go while a refresh still reaches for them: it would take their
    bars away.
    """

    compress_after: Mapping[str, timedelta | None]
    keep: Mapping[str, timedelta | None]
    refresh_window: timedelta = REFRESH_WINDOW

    def __post_init__(self) -> None:
        kept = self.keep.get(OHLCV.table)
        if kept is not None and kept < self.least_kept:
            raise UsageError(
                f"Candles that are kept for {kept.days} days would be dropped while refreshes still reach"
                f" {self.reach(_LONGEST_BAR).days} days back, which would take the aggregates' bars away.",
                hint=f"Keep them for {self.least_kept.days} days or longer, or make the window shorter.",
            )

    @property
    def least_kept(self) -> timedelta:
        """How long candles have to be kept: as far as refreshes reach, and a bar that begins before that."""
        return self.reach(_LONGEST_BAR) + _LONGEST_BAR

    def reach(self, bar: timedelta) -> timedelta:
        """How far back refreshes of an aggregate look: the window, but over three of its bars at least."""
        return max(self.refresh_window, 3 * bar)


LIFECYCLE = Lifecycle(
    MappingProxyType({series.table: series.compress_after for series in SERIES.values()}),
    MappingProxyType({series.table: series.keep for series in SERIES.values()}),
)
"""What is declared; settings may say otherwise."""

# Parents before children, so that every foreign key finds its row.
TABLES: tuple[str, ...] = (
    "ohlcv_data",
    "funding_rate_data",
    "open_interest_data",
    "data_collection_log",
    "backtest_results",
    "ga_experiments",
    "generated_strategies",
    "strategy_showcase",
    "strategy_templates",
)


def series(table: str) -> Series:
    """The series kept in `table`. Raises UsageError, which names the three, for any other."""
    try:
        return SERIES[table]
    except KeyError:
        raise UsageError(f"{table} is not a series.", hint=f"Series are: {', '.join(SERIES)}.") from None
