"""`/api/funding-rates` and `/api/open-interest`: what is stored of perpetual contracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Query

from trdinger.api.answers import Answer, Refused
from trdinger.api.asked import Moment, between, no_more_than, perpetual
from trdinger.api.home import Here, Home
from trdinger.declaration import FUNDING_RATE, OPEN_INTEREST, Series
from trdinger.engine.borrowed import Borrowed
from trdinger.errors import TrdingerError
from trdinger.store.handed import rows

router = APIRouter(prefix="/api", tags=["derivatives"])

_FUNDING = (
    "funding_rate",
    "funding_timestamp",
    "timestamp",
    "next_funding_timestamp",
    "mark_price",
    "index_price",
)
_INTEREST = ("open_interest_value", "data_timestamp", "timestamp")
Limit = Annotated[int, Query(description="How many at most, the oldest; 0 or less is all")]


@router.get("/funding-rates")
def funding_rates(
    home: Here, symbol: str, limit: Limit = 100, start_date: Moment = None, end_date: Moment = None
) -> Answer:
    """Funding rates of one symbol, oldest first, both ends included."""
    return _answer(
        home, FUNDING_RATE, _FUNDING, "ファンディングレートデータ", symbol, limit, (start_date, end_date)
    )


@router.get("/open-interest")
def open_interest(
    home: Here, symbol: str, limit: Limit = 1000, start_date: Moment = None, end_date: Moment = None
) -> Answer:
    """Open interest of one symbol, oldest first, both ends included."""
    return _answer(
        home, OPEN_INTEREST, _INTEREST, "オープンインタレストデータ", symbol, limit, (start_date, end_date)
    )


def _answer(
    home: Home,
    series: Series,
    names: Sequence[str],
    what: str,
    symbol: str,
    limit: int,
    range_: tuple[str | None, str | None],
) -> Answer:
    failed = f"{what}の取得中にエラーが発生しました"
    stored = perpetual(symbol)
    try:
        asked = between(*range_)
    except ValueError as error:
        raise Refused(400, f"{failed}: {error}") from None
    try:
        with home.session() as session:
            connection = Borrowed(session)
            found = rows(connection, series, (stored,), asked, names, limit=no_more_than(limit))
            aware = connection.dialect == "postgresql"
    except TrdingerError as error:
        raise Refused(500, f"{failed}: {error.message}") from None
    observations = _observations(found, stored, aware=aware)
    kind = "funding_rates" if series is FUNDING_RATE else "open_interest"
    data = {"symbol": stored, "count": len(observations), kind: observations}
    return Answer({"success": True, "data": data, "message": f"{len(observations)}件の{what}を取得しました"})


def _observations(found: pa.Table, symbol: str, *, aware: bool) -> list[dict[str, Any]]:
    """Rows as objects; times in ISO's form, over a file without an offset, as the application's are."""
    columns = {}
    for name in found.column_names:
        column = found.column(name)
        if pa.types.is_timestamp(column.type):
            times = column.cast(pa.timestamp("us")).to_pylist()
            offset = "+00:00" if aware else ""
            columns[name] = [None if at is None else f"{at.isoformat()}{offset}" for at in times]
        else:
            columns[name] = column.to_pylist()
    return [
        {"symbol": symbol, **dict(zip(columns, row, strict=True))}
        for row in zip(*columns.values(), strict=True)
    ]
