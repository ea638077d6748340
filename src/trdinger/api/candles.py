"""`/api/market-data`: candles as they are stored."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Query

from trdinger.api.answers import Answer, market_data, market_data_error
from trdinger.api.asked import DEFAULT_TIMEFRAME, SPELLINGS, SYMBOLS, TIMEFRAMES, Moment, between
from trdinger.api.home import Here
from trdinger.declaration import OHLCV
from trdinger.engine.borrowed import Borrowed
from trdinger.errors import TrdingerError
from trdinger.store.handed import rows

router = APIRouter(prefix="/api/market-data", tags=["market-data"])

_NUMBERS = ("open", "high", "low", "close", "volume")
_MICROSECONDS = 1000  # of a millisecond
_logger = logging.getLogger(__name__)


@router.get("/ohlcv")
def ohlcv(
    home: Here,
    symbol: str,
    timeframe: str = DEFAULT_TIMEFRAME,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    start_date: Moment = None,
    end_date: Moment = None,
) -> Answer:
    """Candles of one series, oldest first, both ends included: of more than `limit` the oldest.

    Each is [epoch milliseconds of its open, open, high, low, close, volume].
    """
    try:
        asked = between(start_date or None, end_date or None)
    except ValueError as error:
        text = str(error).removeprefix("Invalid isoformat string: ").strip("'")
        raise market_data_error(400, f"無効な日時形式: {text}", "VALIDATION_ERROR") from None
    try:
        with home.session() as session:
            columns = (OHLCV.time, *_NUMBERS)
            found = rows(Borrowed(session), OHLCV, (symbol, timeframe), asked, columns, limit=limit)
    except TrdingerError as error:
        _logger.error("%s", error)
        raise market_data_error(500, "データベースエラーが発生しました", "DATABASE_ERROR") from None
    times = found.column(OHLCV.time).cast("int64").to_numpy() // _MICROSECONDS
    numbers = (found.column(name).to_pylist() for name in _NUMBERS)
    data = [list(bar) for bar in zip(times.tolist(), *numbers, strict=True)]
    message = f"{symbol} の {timeframe} OHLCVデータを取得しました"
    return market_data(data, message, symbol=symbol, timeframe=timeframe)


@router.get("/symbols")
def symbols() -> Answer:
    """The symbols that candles are collected of, and how else they may be spelled."""
    data = {"symbols": SYMBOLS, "symbol_mapping": SPELLINGS}
    return market_data(data, "サポートされているシンボル一覧を取得しました")


@router.get("/timeframes")
def timeframes() -> Answer:
    """The timeframes that candles are collected at."""
    data = {"timeframes": TIMEFRAMES, "default": DEFAULT_TIMEFRAME}
    return market_data(data, "サポートされている時間軸一覧を取得しました")
