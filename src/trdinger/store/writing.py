"""New observations into a store: what makes sense is stored once, the rest comes back with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from trdinger.declaration import FUNDING_RATE, OHLCV, OPEN_INTEREST, Series
from trdinger.engine.borrowed import Borrowed, Handed
from trdinger.legacy.judging import Reject
from trdinger.store.inserting import insert
from trdinger.store.observations import Rows, observations
from trdinger.store.side import Side
from trdinger.store.soundness import sound


@dataclass(frozen=True)
class Written:
    """What became of the rows that were handed in; together they are all of them.

    new: stored. known: their key was there already (or came twice) and nothing changed.
    replaced: took the place of other values. rejected: not stored; `row` is the place, from 0.
    """

    new: int
    known: int
    replaced: int
    rejected: tuple[Reject, ...] = ()


class Writer:
    """The writing half of a store's face."""

    _side: Side

    def write_candles(
        self,
        rows: Rows,
        *,
        symbol: str | None = None,
        timeframe: str | None = None,
        replace: bool = False,
        connection: Handed | None = None,
    ) -> Written:
        """Store candles: symbol, timeframe, timestamp (the bar's open), open, high, low, close, volume.

        rows: an Arrow table, a DataFrame or a list of dictionaries; `symbol` and `timeframe` hold for all
        rows where these have no such columns.
        replace: a bar that is there with other values is corrected; otherwise what is there stays.
        connection: a psycopg connection, or SQLAlchemy's connection or session, of the same database:
        all happens in its transaction, which is its owner's to commit. Otherwise all of it is committed.
        Rejected are candles with a price that is not finite and positive, a high or low that open or close
        are beyond, a negative volume, a time that is no open of a bar. Raises NaiveTime, UsageError for a
        column that is missing, unknown or of another kind, TargetError, SourceError; nothing is stored then.
        """
        same = {"symbol": symbol, "timeframe": timeframe}
        return self._write(OHLCV, rows, same, replace=replace, connection=connection)

    def write_funding_rates(
        self,
        rows: Rows,
        *,
        symbol: str | None = None,
        replace: bool = False,
        connection: Handed | None = None,
    ) -> Written:
        """Store funding rates: symbol, funding_timestamp, funding_rate; if known next_funding_timestamp,
        mark_price, index_price. `timestamp`, when a row was saved, is now where it is left out.

        As `write_candles`; rejected are numbers that are not finite.
        """
        return self._write(FUNDING_RATE, rows, {"symbol": symbol}, replace=replace, connection=connection)

    def write_open_interest(
        self,
        rows: Rows,
        *,
        symbol: str | None = None,
        replace: bool = False,
        connection: Handed | None = None,
    ) -> Written:
        """Store open interest: symbol, data_timestamp, open_interest_value. As `write_funding_rates`."""
        return self._write(OPEN_INTEREST, rows, {"symbol": symbol}, replace=replace, connection=connection)

    def _write(
        self,
        series: Series,
        rows: Rows,
        same: Mapping[str, str | None],
        *,
        replace: bool,
        connection: Handed | None,
    ) -> Written:
        table, rejected = sound(series, observations(series, rows, same))
        if not table.num_rows:
            return Written(0, 0, 0, tuple(rejected))
        with self._side.writing() if connection is None else nullcontext(Borrowed(connection)) as writing:
            done = insert(writing, series, table, replace=replace)
        known = table.num_rows - done.new - done.replaced
        return Written(done.new, known, done.replaced, tuple(rejected))
