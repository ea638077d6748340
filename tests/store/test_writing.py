"""What is written to a store is there once, corrected on request, and what makes no sense comes back."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

import trdinger
from engines import EngineUnderTest, Native
from schema import legacy_application as application
from schema.conftest import upgrade
from store.test_store import of
from trdinger.engine.connect import Database
from trdinger.errors import SourceError, Transient, UsageError
from trdinger.store.asked import NaiveTime
from trdinger.store.inserting import MANY
from trdinger.store.store import Store
from trdinger.store.writing import Written

BTC = "BTC/USDT:USDT"
AT = datetime(2024, 1, 1, tzinfo=UTC)
TOKYO = timezone(timedelta(hours=9))


@dataclass(frozen=True)
class Place:
    """Somewhere to write to: `open` gives a store of it, `rows` what is in a table by other means."""

    open: Callable[[], Any]
    asked: Callable[[str], list[tuple[Any, ...]]]
    database: Database | None = None

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        return [tuple(map(_plain, row)) for row in self.asked(f"SELECT {columns} FROM {table} ORDER BY 1, 2")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trdinger.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    application.Base.metadata.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["server", "plain server", "file"])
def place(request: pytest.FixtureRequest, engine: EngineUnderTest, file: Path) -> Iterator[Place]:
    """Each engine with TimescaleDB and without it, and a file of the application."""
    if request.param == "file":

        def asked(query: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(file)) as opened:
                return opened.execute(query).fetchall()

        yield Place(lambda: trdinger.open(f"sqlite:///{file}"), asked)
        return
    with engine.empty(timescaledb=request.param == "server") as database:
        upgrade(database)
        yield _server(database.fresh())


def test_new_rows_are_stored_known_ones_stay_and_corrections_are_taken_on_request(place: Place) -> None:
    count = MANY + 100
    candles = _candles(count)
    for few in (10, count):
        with place.open() as store:
            assert store.write_candles(candles[:few]) == Written(
                few if few == 10 else few - 10, 10 * (few > 10), 0
            )
            assert store.write_candles(candles[:few]) == Written(0, few, 0)
            corrected = [{**row, "close": row["close"] + 0.25, "high": 9.0} for row in candles[: few - 5]]
            before = store.candles(BTC, "1h").arrow
            assert store.write_candles(corrected) == Written(0, few - 5, 0)
            assert store.candles(BTC, "1h").arrow == before
            assert store.write_candles([*corrected, *candles[few - 5 : few]], replace=True) == Written(
                0, 5, few - 5
            )
            assert store.write_candles(corrected, replace=True) == Written(0, few - 5, 0)
            assert store.candles(BTC, "1h").arrow.column("high").to_pylist()[: few - 5] == [9.0] * (few - 5)
            assert store.write_candles(candles[:few], replace=True) == Written(0, 5, few - 5)
    found = place.rows("ohlcv_data", "timestamp, symbol, timeframe, open, high, low, close, volume")
    assert found == [tuple(map(_plain, (row["timestamp"], BTC, "1h", *_values(row)))) for row in candles]
    stamps = place.asked("SELECT count(*) FROM ohlcv_data WHERE created_at IS NULL OR updated_at IS NULL")
    assert stamps == [(0,)]


def test_a_key_that_comes_twice_counts_once_and_the_last_of_corrections_wins(place: Place) -> None:
    row = _candles(1)[0]
    with place.open() as store:
        assert store.write_candles([row, {**row, "volume": 5.0}]) == Written(1, 1, 0)
        assert store.candles(BTC, "1h").arrow.column("volume").to_pylist() == [0.0]
        twice = [
            {**row, "volume": 5.0},
            {**row, "volume": 6.0},
            {**row, "timestamp": AT - timedelta(hours=1)},
        ]
        assert store.write_candles(twice, replace=True) == Written(1, 1, 1)
        assert store.candles(BTC, "1h").arrow.column("volume").to_pylist() == [0.0, 6.0]


def test_any_table_of_rows_is_taken(place: Place) -> None:
    rows = [
        {name: row[name] for name in ("timestamp", "open", "high", "low", "close", "volume")}
        for row in _candles(9)
    ]
    frame = pd.DataFrame(rows)
    frame["timestamp"] = frame["timestamp"].dt.tz_convert("Asia/Tokyo")
    given = (
        rows[:3],
        frame.iloc[:5].set_index("timestamp").reset_index(),
        pa.Table.from_pandas(frame.iloc[:7], preserve_index=False),
        pa.Table.from_pylist(rows[:8]).cast(
            pa.schema(
                [
                    ("timestamp", pa.timestamp("ns", "UTC")),
                    *((name, pa.float64()) for name in ("open", "high", "low", "close", "volume")),
                ]
            )
        ),
        iter(rows),
    )
    with place.open() as store:
        for taken, new in zip(given, (3, 2, 2, 1, 1), strict=True):
            assert store.write_candles(taken, symbol=BTC, timeframe="1h").new == new
        again = store.candles(BTC, "1h")
        assert store.write_candles(again, symbol=BTC, timeframe="1h") == Written(0, 9, 0)
        assert store.write_candles(again.to_pandas(), symbol=BTC, timeframe="1h") == Written(0, 9, 0)
        assert store.write_candles([]) == Written(0, 0, 0)


def test_funding_rates_and_open_interest_are_stored_too(place: Place) -> None:
    funding = [
        {
            "symbol": BTC,
            "funding_timestamp": (AT + timedelta(hours=8 * n, milliseconds=17)).astimezone(TOKYO),
            "funding_rate": n / 1e4,
            **({"mark_price": 1.5} if n % 2 else {}),
        }
        for n in range(5)
    ]
    interest = [{"data_timestamp": AT + timedelta(hours=n), "open_interest_value": 1.0 * n} for n in range(5)]
    with place.open() as store:
        assert store.write_funding_rates(funding) == Written(5, 0, 0)
        assert store.write_funding_rates(funding, replace=True) == Written(
            0, 5, 0
        )  # saved later: no difference
        funding[1]["index_price"] = 2.5
        assert store.write_funding_rates(funding, replace=True) == Written(0, 4, 1)
        assert store.write_open_interest(interest, symbol=BTC) == Written(5, 0, 0)
        assert (
            store.write_open_interest([{**interest[0], "open_interest_value": math.inf}], symbol=BTC).new == 0
        )
    found = place.rows("funding_rate_data", "funding_timestamp, funding_rate, mark_price, index_price")
    assert found == [
        (
            AT + timedelta(hours=8 * n, milliseconds=17),
            n / 1e4,
            1.5 if n % 2 else None,
            2.5 if n == 1 else None,
        )
        for n in range(5)
    ]
    saved = place.rows("open_interest_data", "timestamp, data_timestamp, open_interest_value")
    assert [row[1:] for row in saved] == [(AT + timedelta(hours=n), 1.0 * n) for n in range(5)]
    assert all(abs(row[0] - datetime.now(UTC)) < timedelta(minutes=5) for row in saved)


def test_what_makes_no_sense_is_not_stored_and_comes_back_with_every_reason(place: Place) -> None:
    good = _candles(40)
    wrong: dict[int, tuple[dict[str, Any], set[tuple[str, str]]]] = {
        1: ({"open": math.nan}, {("open", "not a finite number: nan")}),
        3: ({"high": math.inf}, {("high", "not a finite number: inf")}),
        5: ({"close": None}, {("close", "null where none may be")}),
        7: ({"low": 0.0}, {("low", "a price that is not positive: 0.0")}),
        9: (
            {"high": 1.25, "low": 1.75},
            {
                ("high", "a high below the open or the close: 1.25"),
                ("low", "a low above the open or the close: 1.75"),
            },
        ),
        11: ({"volume": -1.0}, {("volume", "a negative volume: -1.0")}),
        13: (
            {"timestamp": AT + timedelta(minutes=30)},
            {("timestamp", "no open of a bar of 1h: 2024-01-01T00:30:00+00:00")},
        ),
        15: ({"timeframe": "1M"}, {("timeframe", "no timeframe: '1M'")}),
        17: ({"symbol": "S" * 51}, {("symbol", f"longer than 50 characters: {'S' * 51!r}")}),
        19: ({"symbol": ""}, {("symbol", "an empty name")}),
        21: ({"open": "1.0"}, {("open", "no number")}),
        23: ({"timestamp": "2024-01-01"}, {("timestamp", "no time")}),
        25: (
            {"timestamp": datetime(1, 1, 1, tzinfo=UTC)},
            {("timestamp", "outside the years 1000 to 9998: 0001-01-01T00:00:00+00:00")},
        ),
        27: ({"symbol": "A\0"}, {("symbol", "a NUL character: 'A\\x00'")}),
        29: ({"open": True}, {("open", "no number")}),
    }  # fmt: skip
    given = [{**row, **wrong.get(at, ({}, set()))[0]} for at, row in enumerate(good)]
    with place.open() as store:
        written = store.write_candles(given)
        assert (written.new, written.known) == (len(good) - len(wrong), 0)
        told = {
            reject.row: {(bad.column, bad.reason) for bad in reject.reasons} for reject in written.rejected
        }
        assert told == {at: reasons for at, (_, reasons) in wrong.items()}
        assert dict(written.rejected[0].values) | {"open": None} == {
            "symbol": BTC.encode(), "timeframe": b"1h", "timestamp": b"2024-01-01 01:00:00.000000",
            "open": None, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 1.0,
        }  # fmt: skip
        assert len(store.candles(BTC, "1h")) == written.new


def test_what_cannot_be_stored_at_all_is_said_in_a_sentence_and_nothing_is_stored(place: Place) -> None:
    row = _candles(1)[0]
    without = {name: value for name, value in row.items() if name != "close"}
    naive = {**row, "timestamp": datetime(2024, 1, 1)}  # noqa: DTZ001
    texts = pa.table({**{name: [value] for name, value in row.items()}, "open": ["1"]})
    numbers = pa.table({**{name: [value] for name, value in row.items()}, "timestamp": [1_704_067_200]})
    with place.open() as store:
        for rows, same, error, said in (
            ([row, naive], {}, NaiveTime, "no offset"),
            (pd.DataFrame([naive]), {}, NaiveTime, "no offset"),
            ([without], {}, UsageError, "lack close"),
            ([{**row, "bars": 4}], {}, UsageError, "bars"),
            (row, {}, UsageError, "list of dictionaries"),
            ([[1, 2]], {}, UsageError, "mapping"),
            (7, {}, UsageError, "no table"),
            (texts, {}, UsageError, "open is string"),
            (numbers, {}, UsageError, "timestamp is int64"),
            ([row], {"symbol": "ETH"}, UsageError, "symbol of their own"),
        ):
            with pytest.raises(error) as told:
                store.write_candles(rows, **same)
            assert said in str(told.value)
    assert place.asked("SELECT count(*) FROM ohlcv_data") == [(0,)]


def test_in_a_transaction_that_is_handed_in_its_owner_decides(engine: EngineUnderTest) -> None:
    with engine.empty() as database:
        upgrade(database)
        place = _server(database.fresh())
        count = 0
        for driver in ("psycopg", "psycopg2", "alone"):
            for rows in (5, MANY):
                for kept in (False, True):
                    start = AT + timedelta(days=100 * count)
                    with _handed(database, driver, kept=kept) as connection:
                        store = Store(_Unused(), "the database", lambda: None)  # type: ignore[arg-type]
                        given = _candles(rows, start)
                        assert store.write_candles(given, connection=connection) == Written(rows, 0, 0)
                        corrected = [{**row, "volume": 7.5} for row in given]
                        again = store.write_candles(corrected, replace=True, connection=connection)
                        assert again.replaced == rows
                    since = f"timestamp >= '{start.isoformat()}'"
                    found = place.asked(f"SELECT count(*) FROM ohlcv_data WHERE {since}")
                    assert found == [(rows if kept else 0,)], (driver, rows, kept)
                    count += kept


def test_in_a_session_over_a_file_its_owner_decides(file: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{file}")
    with trdinger.open(f"sqlite:///{file}") as store, Session(engine) as session:
        assert store.write_candles(_candles(5), connection=session) == Written(5, 0, 0)
        session.rollback()
        assert store.inventory() == []
        assert store.write_candles(_candles(5), connection=session).new == 5
        session.commit()
        assert len(store.candles(BTC, "1h")) == 5
    engine.dispose()


@pytest.mark.needs("compression")
def test_late_and_corrected_bars_go_into_compressed_chunks(database: Database) -> None:
    upgrade(database)
    place = _server(database.fresh())
    candles = _candles(2 * MANY)
    with place.open() as store:
        assert store.write_candles(candles[::2]).new == MANY
    compress = "SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks('ohlcv_data') c"
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(compress)
    with place.open() as store:
        assert store.write_candles(candles) == Written(MANY, MANY, 0)
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute(compress)
    corrected = [{**row, "volume": 1e6} for row in candles[:-7]]
    with place.open() as store:
        assert store.write_candles(corrected[:20], replace=True) == Written(0, 0, 20)
        assert store.write_candles(corrected, replace=True) == Written(0, 20, len(corrected) - 20)
        volumes = store.candles(BTC, "1h").arrow.column("volume").to_pylist()
    assert volumes == [1e6] * len(corrected) + [row["volume"] for row in candles[-7:]]


def test_a_locked_file_is_said_and_nothing_is_stored(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trdinger.store.sqlite._WAIT", 0.1)
    with trdinger.open(f"sqlite:///{file}") as store, closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SourceError, match="is locked"):
            store.write_candles(_candles(3))
        other.rollback()
        assert store.write_candles(_candles(3)).new == 3


class _Unused:
    """A side that nothing may be asked of."""


@contextmanager
def _handed(database: Database, driver: str, *, kept: bool) -> Iterator[Any]:
    if driver == "alone":
        with psycopg.connect(database.conninfo) as connection:
            yield connection
            if not kept:
                connection.rollback()
        return
    engine = sa.create_engine(database.url.set(drivername=f"postgresql+{driver}"), poolclass=sa.NullPool)
    with Session(engine) as session:
        yield session
        (session.commit if kept else session.rollback)()
    engine.dispose()


def _server(database: Database) -> Place:
    def asked(query: str) -> list[tuple[Any, ...]]:
        with database.connect(autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    return Place(lambda: of(database), asked, database)


def _candles(count: int, start: datetime = AT) -> list[dict[str, Any]]:
    return [
        {
            "symbol": BTC,
            "timeframe": "1h",
            "timestamp": start + timedelta(hours=n),
            "open": 1.0,
            "high": 2.0,
            "low": 0.5,
            "close": 1.5,
            "volume": float(n),
        }
        for n in range(count)
    ]


def _values(row: dict[str, Any]) -> list[float]:
    return [row[name] for name in ("open", "high", "low", "close", "volume")]


def _plain(value: Any) -> Any:
    """A time of either database as an instant."""
    if isinstance(value, str) and value[:2] == "20":
        assert len(value) == 26, value
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value


def test_a_connection_that_the_server_ended_between_two_writes_is_made_anew(native: Native) -> None:
    with native.empty(timescaledb=False) as database:
        upgrade(database)
        rows = _candles(2)
        with of(database.fresh()) as store:
            assert store.write_candles(rows[:1]) == Written(1, 0, 0)
            with psycopg.connect(database.conninfo, autocommit=True) as other:
                ended = other.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name = 'trdinger' AND datname = current_database()"
                    " AND pid <> pg_backend_pid()"
                )
                assert ended.fetchall() == [(True,), (True,)]  # the one that reads, and the one that writes
            assert store.write_candles(rows) == Written(1, 1, 0)
            with pytest.raises(Transient, match="lost"):
                store.symbols()
            assert store.symbols() == [BTC]
