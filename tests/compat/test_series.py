"""Candles, funding rates and open interest through the application's repositories, as it knows them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from records.conftest import Ask
from trdinger.compat.database.models import FundingRateData, OHLCVData
from trdinger.compat.database.repositories import (
    BaseRepository,
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


def test_a_long_list_is_stored_and_known_the_second_time(session: Session, ask: Ask) -> None:
    given = [candle(n) for n in range(10_000)]
    candles = OHLCVRepository(session)
    assert candles.insert_ohlcv_data(given) == 10_000
    assert candles.insert_ohlcv_data([*given, candle(10_000)]) == 1
    assert ask("SELECT count(*), sum(volume), count(created_at) FROM ohlcv_data") == [
        (10_001, sum(range(10_001)), 10_001)
    ]
    assert candles.get_ohlcv_dataframe(BTC, "1h")["volume"].tolist() == list(range(10_001))
    session.execute(sa.text("DELETE FROM ohlcv_data"))


@pytest.mark.parametrize("count", [3, 300])
def test_a_list_with_a_bad_record_is_not_stored_and_the_session_goes_on(
    session: Session, ask: Ask, count: int
) -> None:
    lite = session.get_bind().dialect.name == "sqlite"
    rates = FundingRateRepository(session)
    good = [funding(n) for n in range(count)]
    lacking = {name: value for name, value in good[0].items() if name != "funding_rate"}
    for bad, error in (
        (funding(-9, funding_rate=None), SQLAlchemyError),
        (funding(-9, symbol=None), SQLAlchemyError),
        (lacking | {"symbol": ETH}, SQLAlchemyError),
        (funding(-9, rate=1.0), Exception),
        (funding(-9, funding_rate="much"), Exception),
        (funding(-9, funding_timestamp="soon"), Exception),
        (funding(-9, funding_timestamp=1_704_067_200), Exception),
        (funding(-9, symbol=7), Exception),
        *([] if lite else [(funding(-9, symbol="S" * 51), Exception)]),
    ):
        session.add(FundingRateData(**funding(0, ETH)))
        session.flush()
        with pytest.raises(error):
            rates.insert_funding_rate_data([*good, bad])
        assert ask("SELECT count(*) FROM funding_rate_data") == [(0,)], bad
    with pytest.raises(Exception, match="funding_rate"):
        rates.insert_funding_rate_data([lacking])
    assert rates.insert_funding_rate_data([]) == OHLCVRepository(session).insert_ohlcv_data([]) == 0
    text = {"funding_rate": "0.5", "funding_timestamp": "2024-01-01T09:00:00+09:00"}
    assert rates.insert_funding_rate_data([*good, funding(0, ETH, **text)]) == count + 1
    found = rates.get_funding_rate_data(ETH)[0]
    assert (found.funding_rate, utc(found.funding_timestamp)) == (0.5, datetime(2024, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="valid"):
        OHLCVRepository(session).insert_ohlcv_data([candle(0), candle(1, high=1.0)])
    nan = [candle(n, volume=math.nan) for n in range(count)]
    if lite:  # a file keeps NaN as null, which the table refuses
        with pytest.raises(SQLAlchemyError):
            OHLCVRepository(session).insert_ohlcv_data(nan)
    else:
        assert OHLCVRepository(session).insert_ohlcv_data(nan) == count
        assert OHLCVRepository(session).get_ohlcv_dataframe(BTC, "1h")["volume"].isna().all()


def test_all_happens_in_the_session_s_own_transaction(home: sa.Engine, session: Session, ask: Ask) -> None:
    candles = OHLCVRepository(session)
    session.add(OHLCVData(**candle(1)))
    assert candles.get_ohlcv_dataframe(BTC, "1h").empty  # no autoflush, as in the application
    session.flush()
    session.execute(sa.insert(OHLCVData), [candle(2)])
    assert candles.get_ohlcv_dataframe(BTC, "1h")["volume"].tolist() == [1.0, 2.0]
    assert candles.get_available_symbols() == [BTC]
    session.rollback()
    assert candles.get_ohlcv_dataframe(BTC, "1h").empty
    session.add(OHLCVData(**candle(1)))
    assert candles.insert_ohlcv_data([candle(n) for n in range(2, 5)]) == 3  # and commits both
    session.rollback()
    assert ask("SELECT count(*) FROM ohlcv_data") == [(4,)]
    session.close()
    with _undone(home) as inner:
        assert OHLCVRepository(inner).insert_ohlcv_data([candle(n) for n in range(300)]) == 296
        assert OHLCVRepository(inner).clear_ohlcv_data_by_timeframe("1h") == 300
        assert FundingRateRepository(inner).insert_funding_rate_data([funding(1)]) == 1
    assert ask("SELECT count(*) FROM ohlcv_data") == [(4,)]
    assert ask("SELECT count(*) FROM funding_rate_data") == [(0,)]
    with Session(session.get_bind(), autoflush=True) as flushing:
        session.close()
        flushing.add(OHLCVData(**candle(0)))
        assert len(OHLCVRepository(flushing).get_ohlcv_dataframe(BTC, "1h")) == 5


def test_late_rows_go_into_compressed_chunks_and_are_taken_out_of_them(
    home: sa.Engine, session: Session, ask: Ask
) -> None:
    if home.dialect.name == "sqlite":
        pytest.skip("SQLite compresses nothing")
    session.close()
    home.dispose()
    capabilities = home.get_execution_options()["database"].capabilities
    if reason := capabilities.reason("compression"):
        pytest.skip(reason)
    candles = OHLCVRepository(session)
    given = [candle(n, symbol) for n in range(600) for symbol in (BTC, ETH)]
    assert candles.insert_ohlcv_data(given[::3]) == 400
    compress = "SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks('ohlcv_data') c"
    ask(compress)
    session.commit()
    assert candles.insert_ohlcv_data(given) == 800
    assert candles.insert_ohlcv_data(given[:5]) == 0
    ask(compress)
    session.commit()
    assert candles.get_ohlcv_dataframe(BTC, "1h")["volume"].tolist() == list(range(600))
    assert candles.get_available_symbols() == [BTC, ETH]
    assert candles.clear_ohlcv_data_by_symbol(ETH) == 600
    assert candles.get_data_count(BTC, "1h") == candles.get_record_count() == 600
    assert candles.clear_all_ohlcv_data() == 600
    assert ask("SELECT count(*) FROM ohlcv_data") == [(0,)]


def test_other_tables_take_records_once_too(session: Session, ask: Ask) -> None:
    templates = BaseRepository(session, _template())
    given = [{"name": f"t{n % 700}", "config_json": {"n": n}} for n in range(1_200)]
    assert templates.bulk_insert_with_conflict_handling(given, ["name"]) == 700
    assert templates.bulk_insert_with_conflict_handling(given[:3], ["name"]) == 0
    assert templates.get_record_count({"name": "t5"}) == 1
    with pytest.raises(SQLAlchemyError):
        templates.bulk_insert_with_conflict_handling([{"name": "new", "config": 1}], ["name"])
    assert ask("SELECT count(*) FROM strategy_templates") == [(700,)]


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


def _template() -> Any:
    from trdinger.compat.database.models import StrategyTemplate  # noqa: PLC0415

    return StrategyTemplate


@contextmanager
def _undone(home: sa.Engine) -> Iterator[Session]:
    """A session in a transaction of its caller's, which is undone."""
    with home.connect() as connection, connection.begin() as transaction:
        with Session(connection, join_transaction_mode="rollback_only") as session:
            yield session
        transaction.rollback()
