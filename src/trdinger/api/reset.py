"""`/api/data-reset`: how much there is of each series, and deleting it.

Deletes at once, as the existing application does: nothing asks twice, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter

from trdinger.api.answers import Answer, Refused, now
from trdinger.api.home import Here, Home
from trdinger.declaration import FUNDING_RATE, OHLCV, OPEN_INTEREST, Series
from trdinger.engine.borrowed import Borrowed
from trdinger.errors import TrdingerError
from trdinger.store.handed import clear

router = APIRouter(prefix="/api/data-reset", tags=["data-reset"])

_KINDS: Mapping[str, tuple[Series, str]] = {
    "ohlcv": (OHLCV, "OHLCV"),
    "funding_rates": (FUNDING_RATE, "ファンディングレート"),
    "open_interest": (OPEN_INTEREST, "オープンインタレスト"),
}


@router.delete("/all")
def reset_all(home: Here) -> Answer:
    """Delete all candles, funding rates and open interest, each kind for itself."""
    return Answer(_reset_each(home, {}, "全データのリセットが完了しました"))


@router.delete("/ohlcv")
def reset_ohlcv(home: Here) -> Answer:
    """Delete all candles."""
    return _reset(home, "ohlcv")


@router.delete("/funding-rates")
def reset_funding_rates(home: Here) -> Answer:
    """Delete all funding rates."""
    return _reset(home, "funding_rates")


@router.delete("/open-interest")
def reset_open_interest(home: Here) -> Answer:
    """Delete all open interest."""
    return _reset(home, "open_interest")


@router.delete("/symbol/{symbol:path}")
def reset_symbol(home: Here, symbol: str) -> Answer:
    """Delete all of one symbol, written exactly as it is stored."""
    done = f"シンボル '{symbol}' のデータリセットが完了しました"
    answered = _reset_each(home, {"symbol": symbol}, done)
    return Answer({"success": answered.pop("success"), "symbol": symbol, **answered})


@router.get("/status")
def status(home: Here) -> Answer:
    """How many rows there are of each kind."""
    with home.session() as session:
        counts = {
            kind: int(session.scalar(sa.select(sa.func.count()).select_from(sa.table(series.table))) or 0)
            for kind, (series, _) in _KINDS.items()
        }
    return Answer({"data_counts": counts, "total_records": sum(counts.values()), "timestamp": now()})


def _reset(home: Home, kind: str) -> Answer:
    what = _KINDS[kind][1]
    try:
        deleted = _cleared(home, kind, {})
    except TrdingerError as error:
        raise Refused(500, f"{what}データリセット中にエラーが発生しました: {error.message}") from None
    return Answer(
        {
            "success": True,
            "deleted_count": deleted,
            "data_type": kind,
            "message": f"{what}データを{deleted}件削除しました",
            "timestamp": now(),
        }
    )


def _reset_each(home: Home, which: Mapping[str, str], done: str) -> dict[str, Any]:
    deleted: dict[str, int] = {}
    errors = []
    for kind, (_, what) in _KINDS.items():
        try:
            deleted[kind] = _cleared(home, kind, which)
        except TrdingerError as error:
            deleted[kind] = 0
            errors.append(f"{what}削除エラー: {error.message}")
    return {
        "success": not errors,
        "deleted_counts": deleted,
        "total_deleted": sum(deleted.values()),
        "message": "一部のデータリセットでエラーが発生しました" if errors else done,
        "errors": errors,
        "timestamp": now(),
    }


def _cleared(home: Home, kind: str, which: Mapping[str, str]) -> int:
    with home.session() as session:
        deleted = clear(Borrowed(session), _KINDS[kind][0], which)
        session.commit()
        return deleted
