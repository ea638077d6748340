"""Which observations make sense: the others are told apart, each whole and with every reason.

A candle has positive prices, its high at or above open and close, its low at or below them, a volume of
zero or more, and opens where bars of its timeframe begin. Every number is finite, every needed value there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trdinger.declaration import OHLCV, Series
from trdinger.errors import UsageError
from trdinger.legacy.judging import BadValue, Reject
from trdinger.legacy.source import Text
from trdinger.legacy.values import Stored
from trdinger.series.timeframes import origin, width
from trdinger.store.observations import Observations, writable

Mask = npt.NDArray[np.bool_]
Finding = tuple[str, Mask, str]
"""A column, where it is wrong, and why; a reason that ends in a colon is followed by the value."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# SQLite's form of a time has four digits for the year.
_FIRST, _LAST = (
    (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) for year in (1000, 9999)
)


def sound(series: Series, given: Observations) -> tuple[pa.Table, list[Reject]]:
    """The rows that make sense, in their order, and the rejects. A reject's row is its place, from 0."""
    table = given.table
    reasons: dict[int, list[BadValue]] = defaultdict(list)
    told = set()
    for one in given.strange:
        reasons[one.at].append(BadValue(series.table, one.at, one.column, repr(one.value), one.reason))
        told.add((one.at, one.column))
    for column, wrong, reason in _findings(series, table):
        for at in map(int, np.flatnonzero(wrong)):
            if (at, column) not in told:
                reasons[at].append(_bad(series, table, at, column, reason))
    if not reasons:
        return table, []
    rejects = [Reject(series.table, at, _stored(table, at), tuple(reasons[at])) for at in sorted(reasons)]
    kept = np.ones(table.num_rows, bool)
    kept[list(reasons)] = False
    return table.filter(pa.array(kept)), rejects


def _findings(series: Series, table: pa.Table) -> Iterator[Finding]:
    for column in writable(series):
        values = table.column(column.name)
        if not column.nullable:
            yield column.name, _mask(values.is_null()), "null where none may be"
        yield from _KINDS[column.kind](column.name, values, column.length)
    if series is OHLCV:
        yield from _candles(table)


def _text(name: str, values: pa.ChunkedArray, length: int | None) -> Iterator[Finding]:
    yield name, _mask(pc.equal(values, "")), "an empty name"
    yield name, _mask(pc.match_substring(values, "\x00")), "a NUL character:"
    if length is not None:
        yield name, _mask(pc.greater(pc.utf8_length(values), length)), f"longer than {length} characters:"


def _number(name: str, values: pa.ChunkedArray, _: int | None) -> Iterator[Finding]:
    yield name, _mask(pc.invert(pc.is_finite(values))), "not a finite number:"


def _moment(name: str, values: pa.ChunkedArray, _: int | None) -> Iterator[Finding]:
    moments = values.cast(pa.int64())
    outside = pc.or_(pc.less(moments, _FIRST), pc.greater_equal(moments, _LAST))
    yield name, _mask(outside), "outside the years 1000 to 9998:"


_KINDS: dict[str, Callable[[str, pa.ChunkedArray, int | None], Iterator[Finding]]] = {
    "text": _text,
    "float": _number,
    "time": _moment,
}


def _candles(table: pa.Table) -> Iterator[Finding]:
    # A null compares as NaN: false, whatever is asked.
    opened, high, low, close, volume = (
        table.column(name).to_numpy() for name in ("open", "high", "low", "close", "volume")
    )
    for name, prices in (("open", opened), ("high", high), ("low", low), ("close", close)):
        yield name, prices <= 0, "a price that is not positive:"
    yield "high", (high < opened) | (high < close), "a high below the open or the close:"
    yield "low", (low > opened) | (low > close), "a low above the open or the close:"
    yield "volume", volume < 0, "a negative volume:"
    yield from _alignment(table)


def _alignment(table: pa.Table) -> Iterator[Finding]:
    named = table.column("timeframe")
    moments = table.column(OHLCV.time).cast(pa.int64()).fill_null(0).to_numpy()
    there = _mask(table.column(OHLCV.time).is_valid())
    for timeframe in pc.unique(named).drop_null().to_pylist():
        these = _mask(pc.equal(named, timeframe))
        try:
            astray = (moments - origin(timeframe)) % width(timeframe) != 0
        except UsageError:
            yield "timeframe", these, "no timeframe:"
        else:
            yield OHLCV.time, these & there & astray, f"no open of a bar of {timeframe}:"


def _mask(found: pa.ChunkedArray) -> Mask:
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _bad(series: Series, table: pa.Table, at: int, column: str, reason: str) -> BadValue:
    value = table.column(column)[at].as_py()
    shown = value.isoformat() if isinstance(value, datetime) else "null" if value is None else repr(value)
    said = f"{reason} {shown}" if reason.endswith(":") else reason
    return BadValue(series.table, at, column, shown, said)


def _stored(table: pa.Table, at: int) -> dict[str, Stored]:
    """A row as a file of the application would have it; SQLite keeps null for NaN."""
    return {name: _cell(table.column(name)[at].as_py()) for name in table.column_names}


def _cell(value: Any) -> Stored:
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M:%S.%f}".encode())
    if isinstance(value, str):
        return Text(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, float) and value != value:  # noqa: PLR0124  # NaN
        return None
    return value  # type: ignore[no-any-return]
