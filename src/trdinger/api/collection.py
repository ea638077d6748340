"""`/api/data-collection`: what has been collected. Collecting itself is not there yet."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query

from trdinger.api.answers import Answer, Refused, not_yet
from trdinger.api.asked import DEFAULT_TIMEFRAME, SYMBOLS, TIMEFRAMES, collected
from trdinger.api.home import Here
from trdinger.schema.models import OHLCVData

router = APIRouter(prefix="/api/data-collection", tags=["data-collection"])


@router.get("/status/{symbol:path}/{timeframe}")
def status(
    home: Here,
    symbol: str,
    timeframe: str,
    auto_fetch: Annotated[bool, Query(description="Collect what is not there; answers 501 for now")] = False,
) -> Answer:
    """How many candles of a series there are, the oldest and the newest. The symbol may hold a slash."""
    stored = collected(symbol)
    if stored is None:
        known = ", ".join(SYMBOLS)
        raise Refused(400, f"サポートされていないシンボルです: {symbol}. サポート対象: {known}")
    if timeframe not in TIMEFRAMES:
        raise Refused(400, f"無効な時間軸: {timeframe}")
    one = (OHLCVData.symbol == stored, OHLCVData.timeframe == timeframe)
    ends = sa.func.min(OHLCVData.timestamp), sa.func.max(OHLCVData.timestamp)
    with home.session() as session:
        count, oldest, newest = session.execute(sa.select(sa.func.count(), *ends).where(*one)).one()
    told: dict[str, Any] = {
        "success": True,
        "symbol": stored,
        "original_symbol": symbol,
        "timeframe": timeframe,
        "data_count": count,
    }
    if count:
        return Answer(
            told
            | {
                "status": "data_exists",
                "latest_timestamp": newest.isoformat(),
                "oldest_timestamp": oldest.isoformat(),
            }
        )
    if auto_fetch:
        raise not_yet("Collecting")
    return Answer(
        told
        | {
            "status": "no_data",
            "message": f"{stored} {timeframe} のデータが存在しません。新規収集が必要です。",
            "suggestion": {
                "manual_fetch": f"/api/data-collection/historical?symbol={stored}&timeframe={timeframe}",
                "auto_fetch": f"/api/data-collection/status/{stored}/{timeframe}?auto_fetch=true",
            },
        }
    )


@router.get("/supported-symbols")
def supported_symbols() -> Answer:
    """What can be collected."""
    return Answer(
        {
            "success": True,
            "symbols": SYMBOLS,
            "timeframes": TIMEFRAMES,
            "default_symbol": SYMBOLS[0],
            "default_timeframe": DEFAULT_TIMEFRAME,
            "message": "サポートされている取引ペアと時間軸の一覧です。",
        }
    )
