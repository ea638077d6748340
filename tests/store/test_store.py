"""The store gives the same answers from every engine and from the file: those of pandas."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trdinger
from engines import EngineUnderTest
from move.moving import move
from trdinger.engine.connect import Database
from trdinger.errors import SourceError, TargetError, UsageError
from trdinger.sample import SampleOptions, write_sample
from trdinger.store.asked import NaiveTime, UnknownSeries
from trdinger.store.postgres import postgres_side
from trdinger.store.store import Store

BTC = "BTC/USDT:USDT"
COLUMNS = ["open", "high", "low", "close", "volume"]


@dataclass(frozen=True)
class Given:
    """A store, and the file whose rows it has."""

    open: Callable[[], Any]
    file: Path

    def candles(self, symbol: str = BTC, timeframe: str = "15m") -> Any:
        """What the file holds of a series, as pandas reads it."""
        return self._frame(
            f"SELECT timestamp, {', '.join(COLUMNS)} FROM ohlcv_data WHERE symbol = ? AND timeframe = ?",
            (symbol, timeframe),
            "timestamp",
        )

    def observations(self, table: str, time: str, columns: str, symbol: str = BTC) -> Any:
        return self._frame(f"SELECT {time}, {columns} FROM {table} WHERE symbol = ?", (symbol,), time)

    def asked(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as file:
            return file.execute(query).fetchall()

    def _frame(self, query: str, values: tuple[str, ...], time: str) -> Any:
        with closing(sqlite3.connect(self.file)) as file:
            frame = pd.read_sql(query, file, params=values)
        frame[time] = pd.to_datetime(frame[time], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
        return frame.set_index(time).sort_index()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three timeframes of two symbols, with a gap in the finest and without 1h."""
    path = tmp_path_factory.mktemp("store") / "trdinger.db"
    options = SampleOptions(rows=6_000, symbols=(BTC, "ETH/USDT:USDT"), timeframes=("15m", "4h"), seed=5)
    write_sample(path, options)
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        opened.execute("DELETE FROM ohlcv_data WHERE timeframe = '15m' AND id % 17 = 0")
        opened.execute("UPDATE ohlcv_data SET timestamp = substr(timestamp, 1, 19) WHERE id % 5 = 0")
    return path


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, engines: Any) -> EngineUnderTest:
    return engines.running(request.param)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def moved(
    engine: EngineUnderTest, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    with engine.empty() as database:
        source = Path(shutil.copy(file, tmp_path_factory.mktemp("moved") / "trdinger.db"))
        assert move(source, database).equal
        yield database.fresh()


@contextmanager
def of(database: Database) -> Iterator[Store]:
    with postgres_side(database) as side:
        yield Store(side, "the database", lambda: None)


@pytest.fixture
def server(moved: Database, file: Path) -> Given:
    return Given(lambda: of(moved), file)


def check(given: Given) -> None:
    """Every question, against pandas."""
    with given.open() as store:
        stored = given.candles()
        found = store.candles(BTC, "15m")
        assert found.metadata["source"] == "stored"
        _same(found.to_pandas(), stored)
        start, end = stored.index[100].to_pydatetime(), stored.index[900].to_pydatetime()
        _same(store.candles(BTC, "15m", start, end).to_pandas(), stored.iloc[100:900])
        tokyo = start.astimezone(timezone(timedelta(hours=9)))
        _same(store.candles(BTC, "15m", tokyo, end, columns=["timestamp", "close"]).to_pandas(),
              stored.iloc[100:900][["close"]])  # fmt: skip
        assert len(store.candles(BTC, "15m", start, start)) == 0
        _same(store.latest(BTC, "15m", 100).to_pandas(), stored.iloc[-100:])
        assert len(store.latest(BTC, "15m", 10**6)) == len(stored)
        _derived(store, stored, start, end)
        _several(store, given, start, end)
        _joined(store, given, stored, start, end)
        _held(store, given)


def _derived(store: Store, stored: Any, start: datetime, end: datetime) -> None:
    for timeframe, rule in (("30m", "30min"), ("1h", "1h"), ("1d", "1D"), ("1w", "W-MON")):
        found = store.candles(BTC, timeframe)
        assert found.metadata == {"source": "derived", "from": "15m"}
        grouped = stored.resample(rule, closed="left", label="left")
        bars = grouped.agg(
            {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        ).assign(bars=grouped["open"].count())
        _same(found.to_pandas(), bars[bars["bars"] > 0])
    hours = store.candles(BTC, "1h").to_pandas()
    inside = hours[(hours.index >= start) & (hours.index < end)]
    _same(store.candles(BTC, "1h", start, end).to_pandas(), inside)
    _same(store.candles(BTC, "1h", start, end, whole_only=True).to_pandas(), inside[inside["bars"] == 4])
    assert store.candles(BTC, "4h").metadata["source"] == "stored"


def _several(store: Store, given: Given, start: datetime, end: datetime) -> None:
    for timeframe, of, range_ in (("1d", None, ()), ("4h", "15m", (start, end)), ("4h", None, (start, end))):
        for symbols in (None, ["ETH/USDT:USDT"], ["ETH/USDT:USDT", BTC]):
            found = store.candles_of(symbols, timeframe, *range_, of=of)
            rows = found.to_pandas()
            assert list(rows["symbol"]) == sorted(rows["symbol"])
            assert set(rows["symbol"]) == set(symbols or given_symbols(given))
            for symbol, each in rows.groupby("symbol"):
                alone = store.candles(symbol, timeframe, *range_, of=of)
                _same(each, alone.to_pandas())
                assert found.metadata == alone.metadata
    made = store.candles_of([BTC], "4h", of="15m", whole_only=True)
    _same(made.to_pandas(), store.candles(BTC, "4h", of="15m", whole_only=True).to_pandas())
    assert made.metadata == {"source": "derived", "from": "15m"}
    assert len(store.candles_of([], "4h")) == 0
    assert store.candles_of(None, "4h").arrow.column("bars").null_count == len(store.candles_of(None, "4h"))


def given_symbols(given: Given) -> list[str]:
    return [row[0] for row in given.asked("SELECT DISTINCT symbol FROM ohlcv_data")]


def _joined(store: Store, given: Given, stored: Any, start: datetime, end: datetime) -> None:
    merged = store.merged(BTC, "15m", start, end).to_pandas()
    for table, time, column in (
        ("funding_rate_data", "funding_timestamp", "funding_rate"),
        ("open_interest_data", "data_timestamp", "open_interest_value"),
    ):
        known = given.observations(table, time, column)
        expected = pd.merge_asof(stored.iloc[100:900], known, left_index=True, right_index=True)
        assert np.array_equal(merged[column], expected[column], equal_nan=True), column
        asked = store.funding_rates if column == "funding_rate" else store.open_interest
        found = asked(BTC).to_pandas().set_index(time)
        assert (found.index == known.index).all()
        assert (found[column] == known[column]).all()
    aligned = store.aligned(BTC, ["1h", "15m", "4h"], start, end).to_pandas()
    assert (aligned.index == stored.index[100:900]).all()
    closes = pd.DataFrame({"at": aligned.index + pd.Timedelta("15min")})
    for timeframe, size in (("1h", "1h"), ("4h", "4h")):
        bars = store.candles(BTC, timeframe, whole_only=True).to_pandas()
        bars = bars.assign(at=bars.index + pd.Timedelta(size))[["at", "close"]].reset_index(drop=True)
        expected = pd.merge_asof(closes, bars.sort_values("at"), on="at")["close"]
        assert np.array_equal(aligned[f"close_{timeframe}"], expected, equal_nan=True), timeframe
    # The last bar before a gap that is longer than two of its bars is what is known after it.
    last = store.latest(BTC, "4h", 1).arrow.column("timestamp")[0].as_py()
    later = store.aligned(BTC, ["15m", "4h"], last + timedelta(hours=4) - timedelta(minutes=15)).to_pandas()
    assert (later["timestamp_4h"].dropna() == last).all()
    both = store.timeframes_of(BTC, ["15m", "4h"], start, end)
    assert list(both) == ["15m", "4h"]


def _held(store: Store, given: Given) -> None:
    every = pd.date_range(given.candles().index[0], given.candles().index[-1], freq="15min")
    assert sum(store.gaps(BTC, "15m").arrow.column("bars").to_pylist()) == len(every) - len(given.candles())
    assert store.symbols() == [BTC, "ETH/USDT:USDT"]
    assert store.timeframes(BTC) == ["15m", "4h"]
    stored = given.candles()
    assert store.date_range(BTC, "15m") == (stored.index[0], stored.index[-1])
    expected = {
        (symbol, timeframe): rows
        for symbol, timeframe, rows in given.asked(
            "SELECT symbol, timeframe, count(*) FROM ohlcv_data GROUP BY 1, 2"
            " UNION ALL SELECT symbol, NULL, count(*) FROM funding_rate_data GROUP BY 1"
        )
    }
    told = store.inventory(rows=True)
    found = {(one.symbol, one.timeframe): one.rows for one in told if one.table != "open_interest_data"}
    assert found == expected
    assert all(one.rows is None for one in store.inventory())
    assert all(one.first <= one.last for one in told)


def _same(found: Any, expected: Any) -> None:
    assert list(found.index) == list(expected.index)
    for name in expected.columns:
        if name == "volume":
            assert np.allclose(found[name], expected[name], rtol=1e-12, atol=0)
        else:
            assert (found[name] == expected[name]).all(), name


def test_every_answer_is_that_of_pandas(server: Given) -> None:
    check(server)


def test_a_file_gives_the_same_answers(file: Path) -> None:
    check(Given(lambda: trdinger.open(f"sqlite:///{file}"), file))


def test_a_frame_is_arrow_to_whoever_takes_it(file: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415

    with trdinger.open(f"sqlite:///{file}") as store:
        frame = store.latest(BTC, "4h", 3)
    assert pa.table(frame).num_rows == len(frame) == 3
    assert frame.columns == ["timestamp", *COLUMNS]
    assert str(frame.arrow.schema.field("timestamp").type) == "timestamp[us, tz=UTC]"


def test_what_cannot_be_answered_is_said_in_a_sentence(file: Path, tmp_path: Path) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    with trdinger.open(f"sqlite:///{file}") as store:
        for ask, error, said in (
            (lambda: store.candles("BTC/USDT:USD", "15m"), UnknownSeries, BTC),
            (lambda: store.candles(BTC, "7m"), UnknownSeries, "nor anything it could be made of"),
            (lambda: store.candles(BTC, "x"), UsageError, "no timeframe"),
            (lambda: store.latest(BTC, "1h"), UnknownSeries, "15m, 4h"),
            (lambda: store.latest(BTC, "15m", 0), UsageError, "1 or more"),
            (lambda: store.gaps(BTC, "1h"), UnknownSeries, "15m, 4h"),
            (lambda: store.candles(BTC, "15m", datetime(2024, 1, 1)), NaiveTime, "no offset"),  # noqa: DTZ001
            (lambda: store.candles(BTC, "15m", moment, moment - timedelta(1)), UsageError, "ends"),
            (lambda: store.candles(BTC, "15m", columns=["clsoe"]), UsageError, "clsoe"),
            (lambda: store.funding_rates("XYZ"), UnknownSeries, "XYZ"),
            (lambda: store.symbols("backtest_results"), UsageError, "no series"),
            (lambda: store.aligned(BTC, []), UsageError, "No timeframe"),
            (lambda: store.candles(BTC, "1d", of="5m"), UnknownSeries, "15m, 4h"),
            (lambda: store.candles(BTC, "1h", of="4h"), UsageError, "cannot be made of 4h"),
            (lambda: store.candles_of([BTC, "BTC/USDT:USD"], "15m"), UnknownSeries, BTC),
            (lambda: store.candles_of(None, "1h", of="4h"), UsageError, "cannot be made of 4h"),
        ):
            with pytest.raises(error) as told:
                ask()
            assert said in str(told.value), told.value
    with pytest.raises(SourceError, match="There is no file"):
        trdinger.open(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(UsageError):
        trdinger.open("mysql://somewhere/x")


def test_a_database_without_the_tables_says_so(database: Database) -> None:
    with pytest.raises(TargetError, match="none of Trdinger's tables"), of(database):
        pass


def test_the_embedded_store_answers_while_it_is_open(file: Path, tmp_path: Path, engines: Any) -> None:
    if (reason := engines.all["embedded"].absent()) or "embedded" not in engines.chosen:
        pytest.skip(f"embedded: {reason or 'left out by --engine'}")
    with pytest.raises(TargetError, match="none of Trdinger's tables"):
        trdinger.open(f"embedded:{tmp_path / 'not-there'}")
    assert not (tmp_path / "not-there").exists()
