"""What there is: every series, its ends and its gaps. The half of a store's face that reads keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trdinger.declaration import OHLCV, SERIES
from trdinger.errors import UsageError
from trdinger.series import timeframes as frames
from trdinger.series.gaps import gaps
from trdinger.store.asked import UnknownSeries, between_times, have_instead, moment, nearest, series_of
from trdinger.store.frame import Frame
from trdinger.store.side import Held, Side


@dataclass(frozen=True)
class SeriesHeld:
    """One series: table, symbol, timeframe (of candles), first and last time, rows if that was asked."""

    table: str
    symbol: str
    timeframe: str | None
    first: datetime
    last: datetime
    rows: int | None = None


class Inventory:
    """The half of a store's face that says what it has."""

    _side: Side
    _name: str

    def symbols(self, table: str = OHLCV.table) -> list[str]:
        """The symbols that a table has, sorted."""
        return self._side.symbols(series_of(table))

    def timeframes(self, symbol: str) -> list[str]:
        """The timeframes of a symbol's candles that are stored, the finest first. Raises UnknownSeries."""
        return frames.known(self._held(symbol))

    def date_range(self, symbol: str, timeframe: str) -> tuple[datetime, datetime]:
        """The first and the last open of one stored series. Raises UnknownSeries."""
        held = self._one(symbol, timeframe)
        return moment(held.first), moment(held.last)

    def gaps(
        self, symbol: str, timeframe: str, start: datetime | None = None, end: datetime | None = None
    ) -> Frame:
        """Where bars of one stored series lack between its first and its last in the range.

        Columns: start (the first open that lacks), end (the next that is there), bars. Raises UnknownSeries.
        """
        self._one(symbol, timeframe)
        opens = self._side.rows(OHLCV, (symbol, timeframe), between_times(start, end), (OHLCV.time,))
        return Frame(gaps(opens.column(OHLCV.time), timeframe), {"source": "stored"})

    def inventory(self, *, rows: bool = False) -> list[SeriesHeld]:
        """Every series that is there, by table and name. A walk over the keys: milliseconds.

        rows: count each series, too, which reads all of it.
        """
        found = []
        for series in SERIES.values():
            counts = self._side.counts(series) if rows else {}
            for held in self._side.held(series):
                symbol, *timeframe = held.segment
                found.append(
                    SeriesHeld(
                        series.table,
                        symbol,
                        timeframe[0] if timeframe else None,
                        moment(held.first),
                        moment(held.last),
                        counts.get(held.segment),
                    )
                )
        return found

    def _held(self, symbol: str) -> dict[str, Held]:
        """The stored series of a symbol's candles, by timeframe. Raises UnknownSeries."""
        held = self._side.held(OHLCV)
        found = {one.segment[1]: one for one in held if one.segment[0] == symbol}
        if not found:
            have = sorted({one.segment[0] for one in held})
            raise UnknownSeries(f"{self._name} has no candles of {symbol}.", hint=nearest(symbol, have))
        return found

    def _one(self, symbol: str, timeframe: str) -> Held:
        found = self._side.ends(OHLCV, (symbol, timeframe))
        if found is None:
            stored = [*self._held(symbol)]
            raise UnknownSeries(f"{self._name} has no {timeframe} of {symbol}.", hint=have_instead(stored))
        return found

    def _finer(self, symbol: str, timeframe: str) -> Held:
        """The finest stored series that bars of `timeframe` can be made of. Raises UnknownSeries."""
        stored = self._held(symbol)
        frames.width(timeframe)
        finer = [one for one in frames.known(stored) if frames.divides(one, timeframe)]
        if not finer:
            raise UnknownSeries(
                f"{self._name} has no {timeframe} of {symbol}, nor anything it could be made of.",
                hint=have_instead([*stored]),
            )
        return stored[finer[0]]

    def _made_of(self, symbol: str, timeframe: str, of: str) -> Held:
        """The stored series that bars are to be made of. Raises UnknownSeries, UsageError."""
        if not frames.divides(of, timeframe):
            raise UsageError(f"{timeframe} cannot be made of {of}.", hint="Name one that divides it.")
        return self._one(symbol, of)

    def _sources(
        self, symbols: Sequence[str] | None, timeframe: str, of: str | None
    ) -> tuple[list[str], dict[str, list[Held]]]:
        """Of which symbols `timeframe` is stored, and what bars of the others are made of, by timeframe."""
        frames.width(timeframe)
        if of is not None and not frames.divides(of, timeframe):
            raise UsageError(f"{timeframe} cannot be made of {of}.", hint="Name one that divides it.")
        held: dict[str, dict[str, Held]] = {}
        for one in self._side.held(OHLCV):
            held.setdefault(one.segment[0], {})[one.segment[1]] = one
        stored: list[str] = []
        made: dict[str, list[Held]] = {}
        for symbol in dict.fromkeys(held if symbols is None else symbols):
            have = held.get(symbol, {})
            finer = [
                one for one in frames.known(have) if frames.divides(one, timeframe) and of in (None, one)
            ]
            if of is None and timeframe in have:
                stored.append(symbol)
            elif finer:
                made.setdefault(finer[0], []).append(have[finer[0]])
            elif symbols is not None:
                self._one(symbol, timeframe if of is None else of)
        return stored, made
