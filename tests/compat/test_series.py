"""Candles, funding rates and open interest through the application's repositories, as it knows them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from trdinger.compat.database.models import FundingRateData, OHLCVData
from trdinger.compat.database.repositories import (
    FundingRateRepository,
    OHLCVRepository,
    OpenInterestRepository,
)
from trdinger.errors import SourceError

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
AT = datetime(2024, 1, 1)  # noqa: DTZ001  # as the application sends it: UTC
TOKYO = timezone(timedelta(hours=9))
NUMBERS = ["open", "high", "low", "close", "volume"]


def candle(n: int, symbol: str = BTC, timeframe: str = "1h", **more: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "timeframe": timeframe, "timestamp": AT + timedelta(hours=n), "open": 1.0,
        "high": 2.0, "low": 0.5, "close": 1.5, "volume": float(n), **more,
    }  # fmt: skip


def funding(n: int, symbol: str = BTC, **more: Any) -> dict[str, Any]:
    due = AT + timedelta(hours=8 * n, milliseconds=17)
    return {"symbol": symbol, "funding_rate": n / 1e4, "funding_timestamp": due, "timestamp": AT, **more}


def utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def as_given(session: Session, moment: datetime) -> datetime:
    """A time as the database gives it: naive from a file, with an offset from a server."""
    return moment if session.get_bind().dialect.name == "sqlite" else moment.replace(tzinfo=UTC)


def check_candles(session: Session) -> None:
    """Every question about candles that are there."""
    candles = OHLCVRepository(session)
    given = [candle(n) for n in range(20)]
    other = [candle(3, ETH), candle(3, timeframe="4h"), candle(4, "btc/usdt:usdt")]
    assert candles.insert_ohlcv_data([given[5], *given, *other, given[5] | {"volume": 9.0}]) == 23
    assert candles.insert_ohlcv_data(given) == 0

    def hours(**asked: Any) -> list[float]:
        found = candles.get_ohlcv_data(BTC, "1h", **asked)
        assert all(isinstance(row, OHLCVData) and row.id and row.created_at for row in found)
        frame = candles.get_ohlcv_dataframe(BTC, "1h", **asked)
        wanted = [
            {"timestamp": as_given(session, AT + timedelta(hours=row.volume)),
             **{name: getattr(row, name) for name in NUMBERS}}
            for row in found
        ]  # fmt: skip
        if not wanted:
            assert list(frame.columns) == ["timestamp", *NUMBERS]
            assert len(frame) == 0
        else:
            pd.testing.assert_frame_equal(frame, pd.DataFrame(wanted).set_index("timestamp"))
        return [row.volume for row in found]

    assert hours() == list(range(20))
    for start, end in (
        (AT + timedelta(hours=2), AT + timedelta(hours=5)),
        (datetime(2024, 1, 1, 11, tzinfo=TOKYO), datetime(2024, 1, 1, 5, tzinfo=UTC)),
    ):
        assert hours(start_time=start, end_time=end) == [2, 3, 4, 5]
        assert hours(start_time=start, end_time=end, limit=2) == [2, 3]
        assert hours(start_time=end, end_time=start) == []
    assert hours(end_time=AT + timedelta(hours=1)) == [0, 1]
    assert hours(end_time=datetime.max.replace(tzinfo=UTC), limit=1) == [0]
    assert hours(limit=3) == [0, 1, 2]
    assert hours(limit=0) == list(range(20))
    assert candles.get_ohlcv_data(BTC, "2h") == []
    ends = as_given(session, AT), as_given(session, AT + timedelta(hours=19))
    assert candles.get_date_range(BTC, "1h") == ends
    assert (candles.get_oldest_timestamp(BTC, "1h"), candles.get_latest_timestamp(BTC, "1h")) == ends
    assert candles.get_latest_timestamp(BTC, "2h") is None
    assert candles.get_date_range("nobody", "1h") == (None, None)
    assert candles.get_data_count(BTC, "1h") == candles.count_records(BTC, "1h") == 20
    assert candles.get_data_count(BTC, "2h") == 0
    assert sorted(candles.get_available_symbols()) == sorted([BTC, ETH, "btc/usdt:usdt"])
    assert sorted(candles.get_available_symbols("timeframe")) == ["1h", "4h"]
    assert candles.get_record_count() == 23
    assert candles.clear_ohlcv_data_by_symbol("nobody") == 0
    assert candles.clear_ohlcv_data_by_symbol(ETH) == 1
    assert candles.clear_ohlcv_data_by_timeframe("4h") == 1
    assert candles.clear_all_ohlcv_data() == 21
    assert candles.get_available_symbols() == []


def test_candles_are_stored_once_and_found(session: Session) -> None:
    check_candles(session)


def test_the_application_s_own_driver_is_answered_the_same(home: sa.Engine, session: Session) -> None:
    if home.dialect.name == "sqlite":
        pytest.skip("sqlite3 is its driver there")
    session.close()
    home.dispose()  # one server has one session
    engine = sa.create_engine(home.url.set(drivername="postgresql+psycopg2"), poolclass=sa.NullPool)
    with Session(engine, autoflush=False) as other:
        other.execute(sa.text("SET TIME ZONE 'UTC'"))
        check_candles(other)
        FundingRateRepository(other).insert_funding_rate_data([funding(n) for n in range(300)])
        assert len(FundingRateRepository(other).get_funding_rate_dataframe(BTC)) == 300
        FundingRateRepository(other).clear_all_funding_rate_data()
    engine.dispose()


def test_funding_rates_keep_their_milliseconds_and_what_they_lack(session: Session) -> None:
    rates = FundingRateRepository(session)
    given = [funding(n, mark_price=None if n % 2 else 1.5) for n in range(4)] + [funding(1, ETH)]
    assert rates.insert_funding_rate_data(given) == 5
    assert rates.insert_funding_rate_data(given) == 0
    found = rates.get_funding_rate_data(BTC, AT + timedelta(hours=8, milliseconds=17), limit=2)
    assert [(row.funding_rate, row.mark_price) for row in found] == [(1e-4, None), (2e-4, 1.5)]
    assert isinstance(found[0], FundingRateData)
    frame = rates.get_funding_rate_dataframe(BTC)
    times = [as_given(session, one["funding_timestamp"]) for one in given[:4]]
    wanted = pd.DataFrame(
        {"funding_rate": [0.0, 1e-4, 2e-4, 3e-4], "mark_price": [1.5, math.nan, 1.5, math.nan],
         "index_price": [math.nan] * 4}, index=pd.Index(times, name="funding_timestamp"),
    )  # fmt: skip
    pd.testing.assert_frame_equal(frame, wanted)
    empty = rates.get_funding_rate_dataframe("nobody")
    assert list(empty.columns) == ["funding_timestamp", "funding_rate", "mark_price", "index_price"]
    assert rates.get_latest_funding_timestamp(BTC) == times[-1]
    assert rates.get_latest_funding_timestamp("nobody") is None
    assert (rates.get_funding_rate_count(BTC), rates.get_available_symbols()) == (4, [BTC, ETH])
    assert rates.clear_funding_rate_data_by_symbol(ETH) == 1
    assert rates.clear_all_funding_rate_data() == 4


def test_open_interest_is_found_by_its_own_time(session: Session) -> None:
    interest = OpenInterestRepository(session)
    given = [
        {"symbol": BTC, "open_interest_value": 10.0 * n, "data_timestamp": AT + timedelta(hours=n),
         "timestamp": AT.replace(tzinfo=UTC)}
        for n in range(5)
    ]  # fmt: skip
    assert interest.insert_open_interest_data(given[::-1]) == 5
    found = interest.get_open_interest_data(BTC, AT + timedelta(hours=1), AT + timedelta(hours=3))
    assert [row.open_interest_value for row in found] == [10.0, 20.0, 30.0]
    assert list(found[0].to_dict()) == [
        "id", "symbol", "open_interest_value", "data_timestamp", "timestamp", "created_at", "updated_at",
    ]  # fmt: skip
    assert found[0].to_dict()["data_timestamp"] == as_given(session, AT + timedelta(hours=1)).isoformat()
    assert interest.get_latest_open_interest_timestamp(BTC) == as_given(session, AT + timedelta(hours=4))
    assert interest.get_open_interest_count(BTC) == 5
    assert interest.clear_open_interest_data_by_symbol(BTC) == 5
    assert interest.clear_all_open_interest_data() == 0


def test_a_file_s_own_forms_of_times_are_read_as_its_rows_are(home: sa.Engine, session: Session) -> None:
    if home.dialect.name != "sqlite":
        pytest.skip("a server has one form of a time")
    candles = OHLCVRepository(session)
    candles.insert_ohlcv_data([candle(n) for n in range(4)])
    for n, text in (
        (1, "2024-01-01 01:00:00"),
        (2, "2024-01-01 02:00:00.5"),
        (3, "2024-01-01 12:00:00+09:00"),
    ):
        session.execute(
            sa.text("UPDATE ohlcv_data SET timestamp = :text WHERE volume = :n"), {"text": text, "n": n}
        )
    frame = candles.get_ohlcv_dataframe(BTC, "1h")
    moments = (AT, AT + timedelta(hours=1), AT + timedelta(hours=2, seconds=0.5), AT + timedelta(hours=3))
    assert frame.index.to_pydatetime().tolist() == [*moments]
    assert frame["volume"].tolist() == [0, 1, 2, 3]
    rows = candles.get_ohlcv_data(BTC, "1h", end_time=AT + timedelta(hours=1))
    assert [row.volume for row in rows] == [0, 1]
    for column, value in (("volume", "much"), ("timestamp", "soon"), ("timestamp", 7)):
        session.execute(sa.text(f"UPDATE ohlcv_data SET {column} = :v WHERE volume = 3"), {"v": value})
        with pytest.raises(SourceError, match=column):
            candles.get_ohlcv_dataframe(BTC, "1h")
        session.rollback()


def test_what_is_valid_and_what_sanitizing_makes() -> None:
    candles = OHLCVRepository(Session())
    odd = [
        {"open": 0.0, "low": 0.0},
        {"close": math.nan},
        {"high": math.inf},
        {"volume": "3"},
        {"symbol": None},
    ]
    assert candles.validate_ohlcv_data([candle(0, **more) for more in odd])
    assert candles.validate_ohlcv_data([])
    wrong: list[dict[str, Any]] = [
        {"high": 1.4}, {"low": 1.1}, {"low": -1.0}, {"volume": -0.5}, {"open": "x"}, {"open": None},
    ]  # fmt: skip
    for more in wrong:
        assert not candles.validate_ohlcv_data([candle(0), candle(1, **more)])
    for name in candle(0):
        assert not candles.validate_ohlcv_data(
            [{key: value for key, value in candle(0).items() if key != name}]
        )
    times = {"2024-01-01T09:00:00Z": datetime(2024, 1, 1, 9, tzinfo=UTC), AT: AT,
             1_704_067_200: datetime(2024, 1, 1, tzinfo=UTC), "1704067200.5": None}  # fmt: skip
    for given, made in times.items():
        record = candle(0, " btc/usdt ", " 1H ", timestamp=given, open="1", extra=1)
        if made is None:
            with pytest.raises(ValueError, match="isoformat"):
                candles.sanitize_ohlcv_data([record])
        else:
            wanted = candle(0, "BTC/USDT", "1h", timestamp=made)
            assert candles.sanitize_ohlcv_data([record]) == [wanted]
