"""What the application stores is there once, whole or not at all, in the session's own transaction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from compat.test_series import BTC, ETH, candle, funding, utc
from records.conftest import Ask
from trdinger.compat.database.models import FundingRateData, OHLCVData, StrategyTemplate
from trdinger.compat.database.repositories import BaseRepository, FundingRateRepository, OHLCVRepository


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
    templates = BaseRepository(session, StrategyTemplate)
    given = [{"name": f"t{n % 700}", "config_json": {"n": n}} for n in range(1_200)]
    assert templates.bulk_insert_with_conflict_handling(given, ["name"]) == 700
    assert templates.bulk_insert_with_conflict_handling(given[:3], ["name"]) == 0
    assert templates.get_record_count({"name": "t5"}) == 1
    with pytest.raises(SQLAlchemyError):
        templates.bulk_insert_with_conflict_handling([{"name": "new", "config": 1}], ["name"])
    assert ask("SELECT count(*) FROM strategy_templates") == [(700,)]


def test_a_locked_file_is_said_and_nothing_is_stored(home: sa.Engine, session: Session, ask: Ask) -> None:
    if home.dialect.name != "sqlite":
        pytest.skip("a server waits for what is locked")
    impatient = sa.create_engine(home.url, connect_args={"timeout": 0.05})
    session.execute(sa.text("UPDATE ohlcv_data SET open = 1"))  # locks the file
    with Session(impatient, autoflush=False) as other, pytest.raises(SQLAlchemyError, match="locked"):
        OHLCVRepository(other).insert_ohlcv_data([candle(0)])
    impatient.dispose()
    session.rollback()
    assert ask("SELECT count(*) FROM ohlcv_data") == [(0,)]


@contextmanager
def _undone(home: sa.Engine) -> Iterator[Session]:
    """A session in a transaction of its caller's, which is undone."""
    with home.connect() as connection, connection.begin() as transaction:
        with Session(connection, join_transaction_mode="rollback_only") as session:
            yield session
        transaction.rollback()
