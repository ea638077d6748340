"""Cells are changed, rows lost, doubled, shifted and added: each is told with its place and values.

All at once and verified once; then each test looks for what it did, and the last for anything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from trdinger.verify.differences import Difference, Proof
from verify.conftest import Target

HOUR = timedelta(hours=1)
# What names a series in the middle of which rows are damaged, and its time column.
SERIES = {
    "ohlcv_data": ("symbol = 'BTC/USDT:USDT' AND timeframe = '1h'", "timestamp"),
    "funding_rate_data": ("symbol = 'BTC/USDT:USDT'", "funding_timestamp"),
    "open_interest_data": ("symbol = 'BTC/USDT:USDT'", "data_timestamp"),
}
Row = dict[str, Any]


def one_bit_more(value: float) -> float:
    return math.nextafter(value, math.inf)


def negative(value: float) -> float:
    return -value


def nothing(_: object) -> None:
    return None


def one_microsecond_later(at: datetime) -> datetime:
    return at + timedelta(microseconds=1)


def nine_hours_earlier(at: datetime) -> datetime:
    return at - 9 * HOUR


CHANGED: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("ohlcv_data", "close", one_bit_more),
    ("ohlcv_data", "volume", negative),
    ("ohlcv_data", "id", negative),
    ("ohlcv_data", "created_at", one_microsecond_later),
    ("ohlcv_data", "updated_at", nothing),
    ("funding_rate_data", "funding_rate", one_bit_more),
    ("funding_rate_data", "mark_price", nothing),
    ("funding_rate_data", "timestamp", nine_hours_earlier),
    ("open_interest_data", "open_interest_value", one_bit_more),
    ("open_interest_data", "created_at", nothing),
]
TABLES = tuple(SERIES)


@dataclass
class Damaged:
    """What a verification found, and the differences that were made but not looked for yet."""

    proof: Proof
    changed: dict[tuple[str, str], tuple[Row, Row]] = field(default_factory=dict)
    shifted: dict[str, tuple[Row, Row]] = field(default_factory=dict)
    lost: dict[str, Row] = field(default_factory=dict)
    added: list[Row] = field(default_factory=list)
    doubled: Row = field(default_factory=dict)

    def of(self, table: str, key: str) -> Difference:
        """The one difference of a row."""
        (found,) = [
            one for part in self.proof.tables for one in part.shown if (one.table, one.key) == (table, key)
        ]
        return found


@pytest.fixture(scope="module")
def damaged(target: Target) -> Damaged:
    """Every damage done, at places of its own, inside compressed chunks where the server has them."""
    done = Damaged(Proof())
    with target.connect() as connection:
        # Without its key one row can be there twice, as a copy without the ledger would leave it.
        connection.execute("ALTER TABLE ohlcv_data DROP CONSTRAINT ohlcv_data_pkey")
        for at, (table, column, change) in enumerate(CHANGED):
            with _row(connection, table, 20 + 4 * at) as row:
                changed = {**row, column: change(row[column])}
                done.changed[table, column] = (row, changed)
                _insert(connection, table, changed)
        for table, (_, time) in SERIES.items():
            with _row(connection, table, 14) as row:
                done.shifted[table] = (row, {**row, time: one_microsecond_later(row[time])})
                _insert(connection, table, done.shifted[table][1])
            with _row(connection, table, 10) as row:
                done.lost[table] = row
        with _row(connection, "ohlcv_data", 150) as row:
            done.doubled = row
            _insert(connection, "ohlcv_data", row)
            _insert(connection, "ohlcv_data", row)
        for moment in (
            datetime(2019, 1, 1, tzinfo=UTC),
            row["timestamp"] + HOUR / 2,
            datetime(2031, 1, 1, tzinfo=UTC),
        ):
            done.added.append({**row, "id": -1_000_000 - len(done.added), "timestamp": moment})
            _insert(connection, "ohlcv_data", done.added[-1])
        for n in range(3):
            stranger = {**done.lost["open_interest_data"], "symbol": "DOGE/USDT", "id": -1 - n}
            stranger["data_timestamp"] += n * HOUR
            _insert(connection, "open_interest_data", stranger)
        target.compress(connection)
    done.proof = target.verify()
    return done


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, column, _ in CHANGED], ids=lambda name: name
)
def test_a_changed_cell_is_told_with_its_key_column_and_both_values(
    damaged: Damaged, table: str, column: str
) -> None:
    row, changed = damaged.changed[table, column]
    found = damaged.of(table, _key(table, row))
    assert (found.what, found.column) == ("value", column)
    assert (found.source, found.target) == (_shown(row[column]), _shown(changed[column]))
    assert found.source != found.target
    assert str(found) == (
        f"{table} ({_key(table, row)}) {column}: source {found.source}, target {found.target}"
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_shifted_time_is_a_row_missing_and_one_too_many(damaged: Damaged, table: str) -> None:
    row, shifted = damaged.shifted[table]
    assert damaged.of(table, _key(table, row)).what == "missing"
    assert damaged.of(table, _key(table, shifted)).what == "extra"


@pytest.mark.parametrize("table", TABLES)
def test_a_lost_row_is_told(damaged: Damaged, table: str) -> None:
    key = _key(table, damaged.lost[table])
    assert str(damaged.of(table, key)) == f"{table} ({key}) is missing in the target"


@pytest.mark.parametrize("which", [0, 1, 2], ids=["before the first", "between two", "after the last"])
def test_a_row_too_many_is_told_wherever_it_is(damaged: Damaged, which: int) -> None:
    key = _key("ohlcv_data", damaged.added[which])
    assert str(damaged.of("ohlcv_data", key)) == f"ohlcv_data ({key}) is in the target only"


def test_a_series_that_the_source_lacks_is_told(damaged: Damaged) -> None:
    assert damaged.of("open_interest_data", "DOGE/USDT: 3 rows of a series").what == "extra"


def test_a_doubled_row_is_told(damaged: Damaged) -> None:
    key = _key("ohlcv_data", damaged.doubled)
    assert str(damaged.of("ohlcv_data", key)) == f"ohlcv_data ({key}) is more than once in the target"


def test_nothing_else_is_told(damaged: Damaged) -> None:
    counts = {part.table: dict(part.counts) for part in damaged.proof.tables if part.differing}
    assert counts == {
        "ohlcv_data": {"value": 5, "missing": 2, "extra": 4, "repeated": 1},
        "funding_rate_data": {"value": 3, "missing": 2, "extra": 1},
        "open_interest_data": {"value": 2, "missing": 2, "extra": 2},
    }
    assert not damaged.proof.equal
    (sentence,) = damaged.proof.structure
    assert "ohlcv_data" in sentence
    assert "primary key" in sentence


def test_every_row_of_the_source_was_compared(damaged: Damaged) -> None:
    assert damaged.proof.tables[0].rows == 900


@contextmanager
def _row(connection: psycopg.Connection[Any], table: str, before: int) -> Iterator[Row]:
    """A row of the target, `before` rows from the start of its series, taken out."""
    series, time = SERIES[table]
    cursor = connection.execute(
        f"SELECT * FROM {table} WHERE {series} ORDER BY {time} OFFSET {before} LIMIT 1"
    )
    assert cursor.description is not None
    row = dict(zip([column.name for column in cursor.description], cursor.fetchone() or (), strict=True))
    connection.execute(f"DELETE FROM {table} WHERE {series} AND {time} = %s", (row[time],))
    yield row


def _insert(connection: psycopg.Connection[Any], table: str, row: Row) -> None:
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def _key(table: str, row: Row) -> str:
    segment = [row["symbol"], row["timeframe"]] if "timeframe" in row else [row["symbol"]]
    return ", ".join([*segment, _shown(row[SERIES[table][1]])])


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return str(value.astimezone(UTC))
    return "null" if value is None else repr(value)
