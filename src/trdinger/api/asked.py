"""What clients ask with: symbols by the two rules of the existing application, times, and limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query

from trdinger.store.side import Between

SYMBOLS = ("BTC/USDT:USDT",)
SPELLINGS = dict.fromkeys(("BTCUSDT", "BTC-USDT", "BTC/USDT:USDT", "BTCUSDT_PERP"), SYMBOLS[0])
TIMEFRAMES = ("15m", "30m", "1h", "4h", "1d")
DEFAULT_TIMEFRAME = "1h"

Moment = Annotated[str | None, Query(description="A time in ISO's form; without an offset it is UTC")]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_MOST = 1 << 62  # what both databases take for a limit or an offset
_LAST_ID = (1 << 31) - 1  # of the small tables


def collected(symbol: str) -> str | None:
    """The symbol that candles are collected under, by one of its spellings; None for any other."""
    return SPELLINGS.get(symbol.strip().upper())


def perpetual(symbol: str) -> str:
    """The symbol that funding rates and open interest are stored under; its case is kept."""
    if ":" in symbol:
        return symbol
    return f"{symbol}:USD" if symbol.endswith("/USD") else f"{symbol}:USDT"


def between(start: str | None, end: str | None) -> Between:
    """A range that holds both its ends; an empty text is none. Raises ValueError, which names the text."""
    first, last = _moment(start), _moment(end)
    open_ended = last is None or last >= _LAST
    return Between(_microseconds(first), None if open_ended else (_microseconds(last) or 0) + 1)


def no_more_than(limit: int) -> int | None:
    """A limit as the repositories take it: none and negative ones are no limit."""
    return None if limit <= 0 else min(limit, _MOST)


def no_further_than(offset: int) -> int:
    """An offset that both databases take."""
    return min(offset, _MOST)


def possible(row_id: int) -> bool:
    """Whether a row could have this id."""
    return 0 <= row_id <= _LAST_ID


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"Invalid isoformat string: {text!r}") from None


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
