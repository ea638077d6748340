"""The face of the store: candles, funding rates, open interest, joined frames, what there is, and writing.

    with trdinger.open("postgresql://trader@db.example/trdinger") as store:
        frame = store.candles("BTC/USDT:USDT", "4h", start, end).to_pandas()

Times are aware datetimes; a range is start <= time < end, and None leaves that end open. Prices are in
the quote currency, volumes in base units. An answer without rows has its columns all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType

import pyarrow as pa

from trdinger.archive.archive import Archive
from trdinger.declaration import FUNDING_RATE, OHLCV, OPEN_INTEREST, Series
from trdinger.errors import UsageError
from trdinger.schema.shape import shape
from trdinger.series import timeframes as frames
from trdinger.series.bars import COUNT, of_symbols, whole, with_count
from trdinger.series.joins import as_of, on_close
from trdinger.store.archived import WithArchive
from trdinger.store.asked import (
    UnknownSeries,
    between_times,
    columns_of,
    known_columns,
    microseconds,
    nearest,
)
from trdinger.store.deriving import CANDLE, derive
from trdinger.store.frame import Frame
from trdinger.store.inventory import Inventory
from trdinger.store.side import Between, Side
from trdinger.store.writing import Writer

_FUNDING = ("funding_timestamp", "funding_rate", "mark_price", "index_price")
_INTEREST = ("data_timestamp", "open_interest_value")


class Store(Writer, Inventory):
    """Answers from one database, and the way into it.

    Use it from one thread at a time; close it, or use it as a context.
    """

    def __init__(
        self, side: Side, name: str, close: Callable[[], None], archive: Archive | None = None
    ) -> None:
        self._side = side
        self._name = name
        self._close = close
        self._archive = archive

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store of {self._name}>"

    def close(self) -> None:
        """Let go of the database; an embedded one that this store started ends."""
        self._close()

    def with_archive(self) -> Store:
        """The same store together with the rows that left it for its archive, for every question.

        A row that is in both comes once, as the database has it. It ends with this store. Raises UsageError
        where no archive is named; its answers raise ArchiveError where the archive is not as it was written.
        """
        if self._archive is None:
            raise UsageError(
                f"No archive of {self._name} is named.",
                hint="Set TRDINGER_ARCHIVE, or name its folder: trdinger.open(…, archive=…).",
            )
        return Store(WithArchive(self._side, self._archive), self._name, lambda: None, self._archive)

    def candles(
        self,
        symbol: str,
        timeframe: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        columns: Sequence[str] | None = None,
        whole_only: bool = False,
        of: str | None = None,
        include_archive: bool = False,
    ) -> Frame:
        """Candles of one series, oldest first, by the bar's open.

        Columns: timestamp, open, high, low, close, volume; or `columns`, of those that are stored.
        A timeframe that is not stored is derived from the finest stored one that divides it (then with a
        column `bars`, how many of its bars it saw); `whole_only` leaves out those that saw too few. `of`
        names the stored timeframe to derive from, whether or not `timeframe` is stored. `include_archive`:
        as of `with_archive`.
        Raises UnknownSeries, which names the nearest; NaiveTime; UsageError for a column, a timeframe or a
        range that is none.
        """
        if include_archive:
            joined = self.with_archive()
            return joined.candles(
                symbol, timeframe, start, end, columns=columns, whole_only=whole_only, of=of
            )
        between = between_times(start, end)
        frames.width(timeframe)
        stored = [*shape(OHLCV.table).column_names, COUNT]
        names = [*CANDLE] if columns is None else known_columns(columns, stored)
        if COUNT not in names and of is None:
            table = self._side.rows(OHLCV, (symbol, timeframe), between, names)
            if table.num_rows or timeframe in self._held(symbol):
                return Frame(table, {"source": "stored"})
        finest = self._finer(symbol, timeframe) if of is None else self._made_of(symbol, timeframe, of)
        (bars,), how = derive(self._side, [finest], timeframe, between)
        finer = finest.segment[1]
        if whole_only:
            bars = whole(bars, finer, timeframe)
        if columns is not None:
            bars = bars.select(known_columns(columns, bars.column_names))
        return Frame(bars, {"source": how, "from": finer})

    def latest(
        self, symbol: str, timeframe: str, count: int = 1, *, columns: Sequence[str] | None = None
    ) -> Frame:
        """The newest `count` stored candles of one series, oldest first. Raises UnknownSeries, UsageError."""
        if count < 1:
            raise UsageError(f"{count} candles cannot be asked for.", hint="Ask for 1 or more.")
        table = self._side.latest(OHLCV, (symbol, timeframe), count, columns_of(OHLCV, columns, CANDLE))
        if not table.num_rows:
            self._one(symbol, timeframe)
        return Frame(table, {"source": "stored"})

    def funding_rates(
        self,
        symbol: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        include_archive: bool = False,
    ) -> Frame:
        """Funding rates of a symbol by funding_timestamp: funding_rate (a fraction), mark and index price."""
        if include_archive:
            return self.with_archive().funding_rates(symbol, start, end)
        return self._observations(FUNDING_RATE, symbol, start, end, _FUNDING)

    def open_interest(
        self,
        symbol: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        include_archive: bool = False,
    ) -> Frame:
        """Open interest of a symbol by data_timestamp, as the exchange reports it."""
        if include_archive:
            return self.with_archive().open_interest(symbol, start, end)
        return self._observations(OPEN_INTEREST, symbol, start, end, _INTEREST)

    def merged(
        self,
        symbol: str,
        timeframe: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        include_archive: bool = False,
    ) -> Frame:
        """Candles with the funding rate and open interest that were known at each bar's open.

        As `candles`, and funding_timestamp, funding_rate, open_interest_value; null before the first of
        each, and throughout where the store has none of the symbol.
        """
        if include_archive:
            return self.with_archive().merged(symbol, timeframe, start, end)
        candles = self.candles(symbol, timeframe, start, end)
        table = candles.arrow
        until = Between(None, between_times(None, end).end)
        for series, columns in (
            (FUNDING_RATE, (FUNDING_RATE.time, "funding_rate")),
            (OPEN_INTEREST, ("open_interest_value",)),
        ):
            known = self._side.rows(
                series, (symbol,), until, tuple({series.time: None} | dict.fromkeys(columns))
            )
            table = as_of(table, known, on=series.time, names={name: name for name in columns})
        return Frame(table, candles.metadata)

    def timeframes_of(
        self,
        symbol: str,
        timeframes: Sequence[str],
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> dict[str, Frame]:
        """Candles of several timeframes, each as `candles` gives them."""
        return {timeframe: self.candles(symbol, timeframe, start, end) for timeframe in timeframes}

    def aligned(
        self,
        symbol: str,
        timeframes: Sequence[str],
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Frame:
        """Candles of several timeframes as one frame on the finest axis, without a look ahead.

        A row shows of each coarser timeframe the last whole bar that had closed when its own bar closed, in
        columns like `close_4h`; null before the first.
        """
        if not timeframes:
            raise UsageError("No timeframe was named.", hint="Name them: ['1m', '15m', '4h'].")
        finest, *coarser = sorted(dict.fromkeys(timeframes), key=frames.width)
        # The bar that had closed at the start began before it; after a gap it may be anywhere before.
        since = {finest: start} | {one: _closed_at(one, start, bars=2) for one in coarser}
        asked = [((symbol, one), between_times(begin, end)) for one, begin in since.items()]
        found = dict(zip(since, self._side.rows_of(OHLCV, asked, CANDLE), strict=True))
        for one, begin in since.items():
            if not found[one].num_rows:
                found[one] = self.candles(symbol, one, begin, end, whole_only=True).arrow.select(list(CANDLE))
            closed = microseconds(_closed_at(one, start))
            if one != finest and closed is not None and not _any_by(found[one], closed):
                found[one] = self.candles(symbol, one, None, end, whole_only=True).arrow.select(list(CANDLE))
        return Frame(on_close(found), {"source": "aligned"})

    def candles_of(
        self,
        symbols: Sequence[str] | None,
        timeframe: str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        whole_only: bool = False,
        of: str | None = None,
    ) -> Frame:
        """Candles of several symbols as one table, by symbol and time; of None for all that can have them.

        Columns: symbol, timestamp, open, high, low, close, volume, and `bars`, null for what is stored.
        `whole_only` and `of` as in `candles`. metadata["source"] and ["from"] name all there were.
        Raises as `candles` does.
        """
        between = between_times(start, end)
        stored, made = self._sources(symbols, timeframe, of)
        found: dict[str, pa.Table] = {}
        how: dict[str, str] = {}
        for finer, series in made.items():
            bars, how[finer] = derive(self._side, series, timeframe, between)
            for one, table in zip(series, bars, strict=True):
                found[one.segment[0]] = whole(table, finer, timeframe) if whole_only else table
        rows = self._side.rows_of(OHLCV, [((symbol, timeframe), between) for symbol in stored], CANDLE)
        found |= zip(stored, (with_count(table) for table in rows), strict=True)
        metadata = {"source": ", ".join(sorted({*how.values(), *(["stored"] if stored else [])}))}
        return Frame(of_symbols(found), metadata | ({"from": ", ".join(sorted(how))} if how else {}))

    def _observations(
        self,
        series: Series,
        symbol: str,
        start: datetime | None,
        end: datetime | None,
        columns: Sequence[str],
    ) -> Frame:
        between = between_times(start, end)
        table = self._side.rows(series, (symbol,), between, columns)
        if not table.num_rows and symbol not in (have := self.symbols(series.table)):
            raise UnknownSeries(
                f"{self._name} has no {series.table} of {symbol}.", hint=nearest(symbol, have)
            )
        return Frame(table, {"source": "stored"})


def _closed_at(timeframe: str, start: datetime | None, *, bars: int = 1) -> datetime | None:
    return None if start is None else start - bars * timedelta(microseconds=frames.width(timeframe))


def _any_by(candles: pa.Table, moment: int) -> bool:
    """Whether the first of the candles opened by then."""
    opens = candles.column("timestamp")
    return bool(candles.num_rows) and opens[0].cast(pa.int64()).as_py() <= moment
