"""A store's side on PostgreSQL, with or without TimescaleDB: answers as Arrow, each in one round trip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from trdinger.cache.files import Files
from trdinger.cache.reading import Cache, Session
from trdinger.declaration import AGGREGATES, OHLCV, Series
from trdinger.engine.borrowed import Borrowed
from trdinger.engine.connect import Database
from trdinger.engine.failures import speaking
from trdinger.engine.reading import Question
from trdinger.errors import TargetError
from trdinger.schema.aggregates import PENDING
from trdinger.schema.shape import shape
from trdinger.series.bars import BARS, COUNT
from trdinger.series.timeframes import origin, width
from trdinger.store.side import Between, Held
from trdinger.store.walk import steps, walk

Asked = tuple[tuple[str, ...], Between]
"""A segment and a range."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGIN: Question = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ())
_BETWEEN = "chr(31)"  # symbols of a list: what separates units, which no name has
_LAST = (1 << 63) - 1  # later than any time, in microseconds


@contextmanager
def postgres_side(database: Database, files: Files | None = None) -> Iterator[Postgres]:
    """One database over one connection. Raises TargetError, also where Trdinger's tables are not there.

    files: where months that have ended are kept; without it each read is the server's.
    """
    capabilities = database.capabilities  # before a connection is held: there may be only one
    with ExitStack() as opened:
        side = Postgres(
            database,
            opened,
            buckets=capabilities.has("hypertables"),
            alone=not capabilities.has("many_sessions"),
        )
        side.require_tables()
        if capabilities.has("continuous_aggregates"):
            side.find_aggregates()
        if files is not None and capabilities.has("hypertables"):
            side.keep(files)
        yield side


class Postgres:
    """What is asked of PostgreSQL. opened: holds the connection that is read over.

    buckets: it has time_bucket, first and last. alone: it serves one connection at a time.
    """

    def __init__(self, database: Database, opened: ExitStack, *, buckets: bool, alone: bool) -> None:
        self._database = database
        self._opened = opened
        self._buckets = buckets
        self.aggregates: frozenset[str] = frozenset()
        self._alone = alone
        self._reader = opened.enter_context(database.reading())
        self._cache: Cache | None = None
        self._writer: psycopg.Connection[Any] | None = None

    def require_tables(self) -> None:
        """Raise TargetError where the database holds no candles' table."""
        if self._ask("SELECT to_regclass('ohlcv_data')::text", []).column(0)[0].as_py() is None:
            raise TargetError(
                f"{self._database} holds none of Trdinger's tables.",
                hint="Move a file into it (trdinger migrate), or name another database.",
            )

    def find_aggregates(self) -> None:
        """Learn which timeframes the server keeps."""
        names = ", ".join(f"'{aggregate.name}'" for aggregate in AGGREGATES)
        found = self._ask(
            "SELECT view_name FROM timescaledb_information.continuous_aggregates"
            f" WHERE view_schema = current_schema AND view_name IN ({names})",
            [],
        )
        there = set(found.column(0).to_pylist())
        self.aggregates = frozenset(one.timeframe for one in AGGREGATES if one.name in there)

    def rows(
        self, series: Series, segment: tuple[str, ...], between: Between, columns: Sequence[str]
    ) -> pa.Table:
        return self.rows_of(series, [(segment, between)], columns)[0]

    def rows_of(self, series: Series, asked: Sequence[Asked], columns: Sequence[str]) -> list[pa.Table]:
        if self._cache is None:
            return self._live(series, asked, columns)
        kept = [
            self._cache.rows(series, segment, between.start, between.end, columns)
            for segment, between in asked
        ]
        lacking = [one for one, table in zip(asked, kept, strict=True) if table is None]
        live = iter(self._live(series, lacking, columns) if lacking else ())
        return [next(live) if table is None else table for table in kept]

    def keep(self, files: Files) -> None:
        """Take months that have ended from `files` wherever they are as they were, and put them there."""

        @contextmanager
        def snapshot() -> Iterator[None]:
            self._ask(*_BEGIN)
            try:
                yield
            finally:
                self._ask("COMMIT", ())

        def live(
            series: Series, segment: tuple[str, ...], start: int, end: int, columns: Sequence[str]
        ) -> pa.Table:
            return self._live(series, [(segment, Between(start, end))], columns)[0]

        self._cache = Cache(files, Session(str(self._database), self._ask, live, snapshot))

    def latest(
        self, series: Series, segment: tuple[str, ...], count: int, columns: Sequence[str]
    ) -> pa.Table:
        where, values = _where(series, segment, Between())
        newest_first = f"WHERE {where} ORDER BY {series.time} DESC LIMIT {count:d}"
        table = self._ask(_select(series, columns, newest_first), values).cast(_schema(series, columns))
        return table.take(np.arange(table.num_rows - 1, -1, -1))

    def kept(self, finer: Sequence[Held], between: Between, timeframe: str) -> list[pa.Table] | None:
        if timeframe not in self.aggregates or not finer:
            return None
        # A finer aggregate may begin later than the first bar does: with the first candle.
        first = min(held.first for held in finer)
        since = first if between.start is None else max(between.start, first)
        pending = _pending(since, _LAST if between.end is None else between.end, timeframe)
        symbols = [held.segment[0] for held in finer]
        where, values = _where(OHLCV, finer[0].segment, between, time="bucket")
        if len(symbols) > 1:
            where = where.replace("symbol = $1", f"symbol = ANY (string_to_array($1, {_BETWEEN}))")
            values[0] = chr(0x1F).join(symbols)
        statement = (
            f"SELECT symbol, bucket AS timestamp, open, high, low, close, volume, bars::int AS {COUNT}"
            f" FROM candles_{timeframe} WHERE {where} ORDER BY symbol, bucket"
        )
        _, is_pending, bars, _ = self._ask_all([_BEGIN, pending, (statement, values), ("COMMIT", ())])
        if is_pending.column(0)[0].as_py():
            return None
        ends = pc.run_end_encode(bars.column(0).combine_chunks())
        found, start = {}, 0
        for symbol, end in zip(ends.values.to_pylist(), ends.run_ends.to_pylist(), strict=True):
            found[symbol] = bars.slice(start, end - start).drop_columns("symbol").cast(BARS)
            start = end
        return [found.get(symbol, BARS.empty_table()) for symbol in symbols]

    def bars(self, segment: tuple[str, ...], between: Between, timeframe: str) -> pa.Table | None:
        if not self._buckets:
            return None
        where, values = _where(OHLCV, segment, between)
        size = timedelta(microseconds=width(timeframe))
        statement = (
            f"SELECT time_bucket(INTERVAL '{size.total_seconds():.0f} seconds', timestamp,"
            f" TIMESTAMPTZ '{_moment(origin(timeframe)).isoformat()}') AS timestamp,"
            " first(open, timestamp) AS open, max(high) AS high, min(low) AS low,"
            " last(close, timestamp) AS close, sum(volume ORDER BY timestamp) AS volume,"
            f" count(*)::int AS {COUNT} FROM ohlcv_data WHERE {where} GROUP BY 1 ORDER BY 1"
        )
        return self._ask(statement, values).cast(BARS)

    def held(self, series: Series) -> list[Held]:
        found = self._ask(walk(series), ()).to_pylist()
        return sorted((_held(list(one.values())) for one in found), key=lambda held: held.segment)

    def ends(self, series: Series, segment: tuple[str, ...]) -> Held | None:
        where, values = _where(series, segment, Between())
        first, last = (
            f"(SELECT {series.time} FROM {series.table} WHERE {where} ORDER BY {series.time} {way} LIMIT 1)"
            for way in ("ASC", "DESC")
        )
        ((low, high),) = (
            one.values() for one in self._ask(f"SELECT {first} AS low, {last} AS high", values).to_pylist()
        )
        return None if low is None else _held([*segment, low, high])

    def symbols(self, series: Series) -> list[str]:
        found = self._ask(f"{steps(series, 1)} SELECT {series.segment_by[0]} FROM w0", ())
        return sorted(found.column(0).to_pylist())

    def counts(self, series: Series) -> dict[tuple[str, ...], int]:
        listed = ", ".join(series.segment_by)
        found = self._ask(f"SELECT {listed}, count(*) FROM {series.table} GROUP BY {listed}", [])
        return {tuple(names): rows for *names, rows in (one.values() for one in found.to_pylist())}

    @contextmanager
    def writing(self) -> Iterator[Borrowed]:
        if self._alone:
            self._opened.close()  # or the connection that writes would wait for it
            try:
                with self._database.connect() as connection:
                    yield Borrowed(connection)
            finally:
                self._reader = self._opened.enter_context(self._database.reading())
            return
        with speaking(self._database, established=True):
            connection = self._writable()
            try:
                yield Borrowed(connection)
            except BaseException:
                with suppress(psycopg.Error):
                    connection.rollback()
                raise
            connection.commit()

    def _writable(self) -> psycopg.Connection[Any]:
        """The connection that writes, kept from one time to the next: making one takes as long as a page."""
        if self._writer is not None:
            try:
                self._writer.execute("SELECT")
            except psycopg.OperationalError:
                self._writer = None  # it was ended meanwhile
            else:
                return self._writer
        self._writer = self._opened.enter_context(self._database.connect())
        return self._writer

    def _live(self, series: Series, asked: Sequence[Asked], columns: Sequence[str]) -> list[pa.Table]:
        questions = []
        for segment, between in asked:
            where, values = _where(series, segment, between)
            questions.append((_select(series, columns, f"WHERE {where} ORDER BY {series.time}"), values))
        return [table.cast(_schema(series, columns)) for table in self._ask_all(questions)]

    def _ask(self, statement: str, values: Sequence[object]) -> pa.Table:
        return self._ask_all([(statement, values)])[0]

    def _ask_all(self, questions: Sequence[Question]) -> list[pa.Table]:
        with speaking(self._database, established=True):
            return self._reader.ask_all(questions)


def _select(series: Series, columns: Sequence[str], rest: str) -> str:
    return f"SELECT {', '.join(columns)} FROM {series.table} {rest}"


def _schema(series: Series, columns: Sequence[str]) -> pa.Schema:
    return shape(series.table).arrow(tuple(columns))


def _pending(start: int, end: int, timeframe: str) -> Question:
    """Whether the range was written to below what is materialised, in this timeframe or a finer one."""
    names = ", ".join(f"'{one.name}'" for one in AGGREGATES if width(one.timeframe) <= width(timeframe))
    pending = PENDING.format(names=f"ARRAY[{names}]")
    return (
        f"SELECT count(*) FROM ({pending}) AS p (low, high) WHERE high >= $1::bigint AND low < $2::bigint",
        [start, end],
    )


def _where(
    series: Series, segment: tuple[str, ...], between: Between, *, time: str | None = None
) -> tuple[str, list[object]]:
    values: list[object] = [*segment]
    where = [f"{name} = ${at}" for at, name in enumerate(series.segment_by, 1)]
    for moment, sign in ((between.start, ">="), (between.end, "<")):
        if moment is not None:
            values.append(_moment(moment))
            where.append(f"{time or series.time} {sign} ${len(values)}")
    return " AND ".join(where), values


def _held(values: list[Any]) -> Held:
    *segment, first, last = values
    return Held(tuple(segment), *((one - _EPOCH) // timedelta(microseconds=1) for one in (first, last)))


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
