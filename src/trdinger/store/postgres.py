"""A store's side on PostgreSQL, with or without TimescaleDB: answers as Arrow, each in one round trip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from trdinger.declaration import AGGREGATES, OHLCV, Series
from trdinger.engine.borrowed import Borrowed
from trdinger.engine.connect import Database
from trdinger.engine.failures import speaking
from trdinger.errors import TargetError
from trdinger.schema.aggregates import PENDING
from trdinger.schema.shape import shape
from trdinger.series.bars import BARS, COUNT
from trdinger.series.timeframes import origin, width
from trdinger.store.side import Between, Held

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@contextmanager
def postgres_side(database: Database) -> Iterator[Postgres]:
    """One database over one connection. Raises TargetError, also where Trdinger's tables are not there."""
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
        where, values = _where(series, segment, between)
        return self._select(series, columns, f"WHERE {where} ORDER BY {series.time}", values)

    def latest(
        self, series: Series, segment: tuple[str, ...], count: int, columns: Sequence[str]
    ) -> pa.Table:
        where, values = _where(series, segment, Between())
        newest_first = f"WHERE {where} ORDER BY {series.time} DESC LIMIT {count:d}"
        table = self._select(series, columns, newest_first, values)
        return table.take(pa.array(range(table.num_rows - 1, -1, -1), pa.int64()))

    def kept(self, finer: Held, between: Between, timeframe: str) -> pa.Table | None:
        if timeframe not in self.aggregates:
            return None
        with self._snapshot():
            # A finer aggregate may begin later than the first bar does: with the first candle.
            candles = Between(max(between.start or finer.first, finer.first), between.end)
            if self._pending(candles, timeframe):
                return None
            where, values = _where(OHLCV, finer.segment, between, time="bucket")
            table = self._ask(
                f"SELECT bucket, open, high, low, close, volume, bars::int AS {COUNT}"
                f" FROM candles_{timeframe} WHERE {where} ORDER BY bucket",
                values,
            )
        return table.rename_columns(["timestamp", *table.column_names[1:]]).cast(BARS)

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
        names = series.segment_by
        listed, last = ", ".join(names), ", ".join(f"w.{name}" for name in names)
        # The key's index is asked for the next series after the last one: no scan, no DISTINCT.
        statement = f"""
            WITH RECURSIVE w AS (
                (SELECT {listed} FROM {series.table} ORDER BY {listed} LIMIT 1)
                UNION ALL
                SELECT n.* FROM w, LATERAL (
                    SELECT {listed} FROM {series.table} WHERE ({listed}) > ({last}) ORDER BY {listed} LIMIT 1
                ) AS n
            )
            SELECT {listed}, (SELECT min({series.time}) FROM {series.table} AS t WHERE {_same(names)}),
                   (SELECT max({series.time}) FROM {series.table} AS t WHERE {_same(names)})
            FROM w"""
        found = self._ask(statement, []).to_pylist()
        return [_held(names, list(one.values())) for one in found]

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
            if self._alone:
                self._reader = self._opened.enter_context(self._database.reading())

    def _select(self, series: Series, columns: Sequence[str], rest: str, values: list[object]) -> pa.Table:
        table = self._ask(f"SELECT {', '.join(columns)} FROM {series.table} {rest}", values)
        return table.cast(shape(series.table).arrow(tuple(columns)))

    def _pending(self, between: Between, timeframe: str) -> bool:
        """Whether the range was written to below what is materialised, in this timeframe or a finer one."""
        finer = [one for one in AGGREGATES if width(one.timeframe) <= width(timeframe)]
        names = ", ".join(f"'{one.name}'" for one in finer)
        low = -(1 << 63) if between.start is None else between.start
        high = (1 << 63) - 1 if between.end is None else between.end - 1
        statement = f"SELECT count(*) FROM ({PENDING}) AS p (low, high) WHERE high >= {low} AND low <= {high}"
        return bool(self._ask(statement.format(names=f"ARRAY[{names}]"), []).column(0)[0].as_py())

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """What is asked in the block is of one moment."""
        self._ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", [])
        try:
            yield
        finally:
            self._ask("COMMIT", [])

    def _ask(self, statement: str, values: list[object]) -> pa.Table:
        with speaking(self._database, established=True):
            return self._reader.ask(statement, values)


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


def _same(names: tuple[str, ...]) -> str:
    return " AND ".join(f"t.{name} = w.{name}" for name in names)


def _held(names: tuple[str, ...], values: list[Any]) -> Held:
    first, last = ((moment - _EPOCH) // timedelta(microseconds=1) for moment in values[len(names) :])
    return Held(tuple(values[: len(names)]), first, last)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
