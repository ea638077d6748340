"""The layouts of candles that are measured: the declared one, and those that differ from it in one thing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from trdinger.declaration import BATCH_ROWS, OHLCV


@dataclass(frozen=True)
class Layout:
    """How candles lie: the span of a chunk, and what is compressed together, in which order.

    batch_rows: rows of a compressed batch; None for chunks that are not compressed.
    """

    name: str
    chunk: timedelta = OHLCV.chunk_interval
    segment_by: tuple[str, ...] = OHLCV.segment_by
    order_by: tuple[str, ...] = (OHLCV.order_by,)
    batch_rows: int | None = BATCH_ROWS

    @property
    def declared(self) -> bool:
        """Whether it is the one that a move makes."""
        return self == Layout(self.name)

    @property
    def by_series(self) -> bool:
        """Whether a segment is one series, in the order of time, as rows are sent."""
        return self.segment_by == OHLCV.segment_by and [each.split()[0] for each in self.order_by] == [
            OHLCV.time
        ]

    @property
    def descending(self) -> bool:
        """Whether a segment runs from the newest row to the oldest."""
        return self.order_by[-1].upper().endswith(" DESC")

    @property
    def what(self) -> str:
        """The layout in words."""
        chunks = f"chunks of {self.chunk.days} days"
        if self.batch_rows is None:
            return f"{chunks}, not compressed"
        return (
            f"{chunks}, a segment for each {' and '.join(self.segment_by)}, by {' and '.join(self.order_by)},"
            f" batches of {self.batch_rows:,}"
        )


_DAYS = sorted({7, 30, 90, 180, 365, OHLCV.chunk_interval.days})
_THE_OTHER_WAY = OHLCV.time if OHLCV.descending else f"{OHLCV.time} DESC"
_DEFAULT_BATCH = 1_000  # rows: what the server takes unless it is told otherwise

LAYOUTS: tuple[Layout, ...] = (
    *(Layout(f"{days}d", timedelta(days=days)) for days in _DAYS),
    Layout("other-order", order_by=(_THE_OTHER_WAY,)),
    Layout("by-symbol", segment_by=("symbol",), order_by=("timeframe", OHLCV.time)),
    Layout("uncompressed", batch_rows=None),
    Layout(f"batch-{_DEFAULT_BATCH}", batch_rows=_DEFAULT_BATCH),
)
"""In the order in which they are shown."""
