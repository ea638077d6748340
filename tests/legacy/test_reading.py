"""Both ways of reading a series give what Python's own sqlite3, datetime and float make of the cells."""

from __future__ import annotations

import math
import random
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from legacy.conftest import CANDLE, File
from trdinger.errors import SourceError
from trdinger.legacy.judging import BadValue
from trdinger.legacy.reading import Bound, Rows, Span, series_reader
from trdinger.legacy.source import Source
from trdinger.schema.shape import shape

SEED = 20_240_101
CANDLES = shape("ohlcv_data")
BTC = ("BTC/USDT:USDT", "1m")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(
    file: File,
    segment: tuple[str, ...] = BTC,
    after: Bound = None,
    until: Bound = None,
    *,
    table: str = "ohlcv_data",
    rows: int = 100_000,
) -> Rows:
    kind = shape(table)
    with series_reader(file.source, kind, kind.column_names) as reader:
        return reader.read(Span(segment, after, until), rows=rows)


def micros(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def column(held: Rows, name: str) -> list[Any]:
    """The cells of a column; floats as their bits, times as microseconds."""
    cells = held.table.column(name)
    if pa.types.is_timestamp(cells.type):
        return cells.cast(pa.int64()).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_floating(cells.type):
        return [None if cell is None else struct.pack("<d", cell) for cell in cells.to_pylist()]
    return cells.to_pylist()  # type: ignore[no-any-return]


def by_sqlite3(file: File, name: str, table: str = "ohlcv_data", order: str = "timestamp, id") -> list[Any]:
    """The same by Python's sqlite3, datetime and struct."""

    def plain(cell: Any) -> Any:
        if isinstance(cell, float):
            return struct.pack("<d", cell)
        return micros(cell) if isinstance(cell, str) else cell

    return [plain(cell) for (cell,) in file.run(f'SELECT "{name}" FROM {table} ORDER BY {order}')]


def application_time(rng: random.Random) -> str:
    """A time from anywhere in the years 1 to 9999, as the application writes it."""
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
    moment = first + timedelta(microseconds=rng.randrange((last - first) // timedelta(microseconds=1) + 1))
    return f"{moment.year:04}-{moment:%m-%d %H:%M:%S}.{moment.microsecond:06}"


def any_float(rng: random.Random) -> float:
    """A float of any bits but those of NaN."""
    while True:
        value: float = struct.unpack("<d", rng.randbytes(8))[0]
        if not math.isnan(value):
            return value


def test_every_cell_is_what_sqlite3_gives(sample: File, fast_only: Callable[[], None]) -> None:
    fast_only()
    for symbol, timeframe, count in sample.run(
        "SELECT symbol, timeframe, count(*) FROM ohlcv_data GROUP BY 1, 2"
    ):
        held = read(sample, (symbol, timeframe))
        one = File(sample.path)
        assert held.read == held.table.num_rows == count
        for name in ("id", "timestamp", "open", "high", "low", "close", "volume", "created_at", "updated_at"):
            mine = one.run(
                f'SELECT "{name}" FROM ohlcv_data WHERE symbol = ? AND timeframe = ? ORDER BY timestamp',
                (symbol, timeframe),
            )
            plain = [
                struct.pack("<d", cell)
                if isinstance(cell, float)
                else micros(cell)
                if isinstance(cell, str)
                else cell
                for (cell,) in mine
            ]
            assert column(held, name) == plain, (symbol, timeframe, name)


def test_any_time_and_any_float_comes_as_it_is(file: File, fast_only: Callable[[], None]) -> None:
    rng = random.Random(SEED)
    edges = ["0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"]
    times = sorted({*edges, *(application_time(rng) for _ in range(3_000))})
    floats = [0.0, -0.0, 5e-324, -2.2250738585072014e-308, 2.0**53 - 1, 0.1, 1e15 / 3]
    file.candles(
        *(
            {
                "timestamp": time,
                "open": rng.choice(floats),
                "close": rng.random() * 10.0 ** rng.randrange(-320, 15),
            }
            for time in times
        )
    )
    fast_only()
    held = read(file)
    for name in ("timestamp", "open", "close", "id"):
        assert column(held, name) == by_sqlite3(file, name)
    assert held.converted == {}


def test_floats_of_any_bits_come_bit_for_bit(file: File) -> None:
    """What is larger than 2**53 or infinite is looked at cell by cell, and comes the same."""
    rng = random.Random(SEED)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    values = [float("inf"), float("-inf"), 1.7976931348623157e308, *(any_float(rng) for _ in range(500))]
    file.candles(
        *(
            {"timestamp": f"{start + timedelta(minutes=at):%Y-%m-%d %H:%M:%S}.000000", "volume": value}
            for at, value in enumerate(values)
        )
    )
    held = read(file)
    assert (
        column(held, "volume") == by_sqlite3(file, "volume") == [struct.pack("<d", each) for each in values]
    )
    assert held.bad == []


def test_what_sqlite_makes_of_odd_floats(file: File) -> None:
    """The file itself has no NaN (null instead) and no -0.0 in a FLOAT column; what it has arrives."""
    file.insert(
        "funding_rate_data",
        {
            "symbol": "X",
            "funding_rate": -0.0,
            "funding_timestamp": "2024-01-01 00:00:00.017000",
            "timestamp": "2024-01-01 00:00:01.000000",
            "mark_price": float("nan"),
            "index_price": 5e-324,
        },
    )
    held = read(file, ("X",), table="funding_rate_data")
    assert column(held, "mark_price") == [None]
    assert column(held, "funding_rate") == [struct.pack("<d", 0.0)]
    assert column(held, "index_price") == [struct.pack("<d", 5e-324)]
    with pytest.raises(sqlite3.IntegrityError):
        file.candles({"volume": float("nan")})


ODD_TIMES = [
    *("2024-01-01 00:00:00", "2024-01-01 00:00:00.5", "2024-01-01T00:00:00.000000", "20240101T000000"),
    *("2024-01-01 09:00:00+09:00", "2024-01-01 00:00:00,123456", "2024-01-01 00:00:00.00000Z"),
    *("2024-01-01 12:00+09", "2024-01-01 00:00:00.1+0900", "2024-W01-1", "2024-W01-1 12:00:00", "2024-01-01"),
    *("2024-01-01 24:00:00", "2016-12-31 23:59:60", "2016-12-31 23:59:60.000000", "0000-01-01 00:00:00"),
    *("0000-01-01 00:00:00.000000", "2023-02-29 00:00:00", "2024-01-01x00:00:00", "2024-01-01T12.5"),
    *("2024-01-01\t00:00:00", "2024-01-01 0:00:00.000000", "２０２４-01-01 00:00", "2024-01-01 -1:00:00"),
    *("+024-01-01 00:00:00", "2024-01-01 00:00:00.12345x", "2024/01/01 00:00:00", "", "x"),
]


@pytest.mark.parametrize("beside", [True, False], ids=["beside ordinary ones", "alone"])
@pytest.mark.parametrize("stored", ODD_TIMES, ids=repr)
def test_a_time_means_the_same_in_both_ways(file: File, stored: str, *, beside: bool) -> None:
    """In a nullable column, so that the row is there or told; a neighbour of T forces the slow way."""
    row = {"created_at": stored, "updated_at": stored}
    ordinary = {"timestamp": "2023-01-01 00:00:00.000000"}
    forcing = {"timestamp": "2025-01-01 00:00:00.000000", "created_at": "2025-01-01T00:00:00Z"}
    file.candles(row, *([ordinary] if beside else []))
    held = read(file)
    file.candles(forcing)
    slow = read(file)
    assert slow.converted["created_at", "time with an offset"] >= 1
    assert held.bad == slow.bad
    assert column(held, "created_at") == column(slow, "created_at")[:-1]
    assert held.read == slow.read - 1
    if not held.bad:
        assert column(held, "created_at")[-1] == micros(stored.replace(",", "."))
    else:
        assert {(bad.rowid, bad.column) for bad in held.bad} == {(1, "created_at"), (1, "updated_at")}


def test_one_odd_cell_changes_no_other(sample: File) -> None:
    """A span read cell by cell because of one value is the span read fast, but for that value."""
    rng = random.Random(SEED)
    names = ("id", "timestamp", "open", "high", "low", "close", "volume", "created_at", "updated_at")
    segment = ("BTC/USDT:USDT", "1m")
    before = {name: column(read(sample, segment), name) for name in names}
    at = rng.randrange(len(before["id"]))
    sample.run(
        "UPDATE ohlcv_data SET created_at = replace(created_at, ' ', 'T') WHERE id = ?", (before["id"][at],)
    )
    held = read(sample, segment)
    assert held.converted == {("created_at", "time with T"): 1}
    assert {name: column(held, name) for name in names} == before


def test_mixtures_of_storage_classes_are_judged_cell_by_cell(file: File) -> None:
    """Integers, floats, texts and blobs in one column: nothing is turned into a neighbour's type."""
    file.untyped()
    volumes: list[Any] = [1.5, 2**53 + 1, 7, "1.5", b"1.5", None, float("inf"), 2**62, "2024-01-01 00:00:00"]
    start = datetime(2024, 1, 1, tzinfo=UTC)
    file.candles(
        *(
            {"timestamp": f"{start + timedelta(minutes=at):%Y-%m-%d %H:%M:%S}", "volume": volume}
            for at, volume in enumerate(volumes)
        )
    )
    held = read(file)
    assert held.read == len(volumes)
    assert held.table.column("id").to_pylist() == [1, 3, 7, 8]
    assert held.table.column("volume").to_pylist() == [1.5, 7.0, float("inf"), 2.0**62]
    assert held.converted == {("volume", "integer in a float column"): 2}
    assert [(bad.rowid, bad.column) for bad in held.bad] == [(at, "volume") for at in (2, 4, 5, 6, 9)]
    assert [bad.reason for bad in held.bad] == [
        f"an integer that no float holds exactly: {2**53 + 1}",
        "text in a number: '1.5'",
        "a blob in a number: x'312e35'",
        "null where none may be",
        "text in a number: '2024-01-01 00:00:00'",
    ]


@pytest.mark.parametrize("rows", [1, 2, 1_000], ids=["batches of 2", "batches of 3", "one batch"])
@pytest.mark.parametrize("order", [1, -1], ids=["as given", "reversed"])
def test_the_driver_may_not_guess_a_type_by_its_first_rows(file: File, rows: int, order: int) -> None:
    """More rows than were told come in several batches, the first of which would fix the type."""
    file.untyped()
    good = "2024-01-01 00:00:00"
    cells: list[Any] = [2**53 + 1, 0.5, 1, good, good.encode(), None, 2.5, b"\x00"]
    start = datetime(2024, 1, 1, tzinfo=UTC)
    file.candles(
        *(
            {
                "timestamp": f"{start + timedelta(minutes=at):%Y-%m-%d %H:%M:%S}",
                "volume": cell,
                "created_at": cell,
            }
            for at, cell in enumerate(cells[::order])
        )
    )
    held = read(file, rows=rows)
    assert held.table.num_rows == 0
    told = {(bad.column, bad.value) for bad in held.bad}
    assert ("volume", str(2**53 + 1)) in told
    assert ("volume", repr(good)) in told
    assert ("created_at", f"x'{good.encode().hex()}'") in told
    assert ("created_at", repr(good)) not in told
    assert held.read == len(cells)


def test_a_blob_after_the_first_batch_does_not_pass_for_a_text(file: File) -> None:
    times = [f"2024-01-01 00:0{minute}:00" for minute in range(4)]
    cells: list[Any] = [times[0], times[1], times[2], times[3].encode()]
    file.candles(*({"timestamp": time, "created_at": cell} for time, cell in zip(times, cells, strict=True)))
    held = read(file, rows=1)
    assert [(bad.rowid, bad.column) for bad in held.bad] == [(4, "created_at")]
    assert held.table.column("id").to_pylist() == [1, 2, 3]


def test_integers_beside_floats_keep_every_digit(file: File) -> None:
    file.untyped()
    file.candles({"volume": 0.5}, {"timestamp": "2024-01-01 00:01:00.000000", "volume": 2**53 + 1})
    held = read(file)
    assert [(bad.rowid, bad.column) for bad in held.bad] == [(2, "volume")]
    assert str(2**53 + 1) in held.bad[0].reason
    file.run("UPDATE ohlcv_data SET volume = ? WHERE id = 2", (2**53 - 1,))
    assert read(file).table.column("volume").to_pylist() == [0.5, float(2**53 - 1)]


def test_invalid_text_in_a_time_is_told_by_its_row(file: File) -> None:
    file.candles({}, {"timestamp": "2024-01-01 00:01:00.000000"})
    file.run("UPDATE ohlcv_data SET created_at = CAST(x'323032342dff' AS TEXT) WHERE id = 2")
    held = read(file)
    assert held.bad == [
        BadValue(
            "ohlcv_data", 2, "created_at", "'2024-\\\\xff'", "invalid UTF-8: at byte 5 of '2024-\\\\xff'"
        )
    ]
    assert str(held.bad[0]).startswith("ohlcv_data row 2, created_at: invalid UTF-8")
    assert held.table.column("id").to_pylist() == [1]


def test_nulls_are_null_where_they_may_be(file: File, fast_only: Callable[[], None]) -> None:
    base = {"symbol": "X", "funding_rate": 0.0001, "timestamp": "2024-01-01 00:00:01.000000"}
    file.insert(
        "funding_rate_data",
        base | {"funding_timestamp": "2024-01-01 00:00:00.000000", "created_at": None},
        base | {"funding_timestamp": "2024-01-01 08:00:00.017000", "mark_price": 2.5},
    )
    fast_only()
    held = read(file, ("X",), table="funding_rate_data")
    assert held.table.column("mark_price").to_pylist() == [None, 2.5]
    assert held.table.column("next_funding_timestamp").null_count == 2
    assert column(held, "created_at")[0] is None
    assert held.table.schema == shape("funding_rate_data").arrow(tuple(held.table.column_names))


def test_a_column_that_the_file_lacks_arrives_as_null(file: File) -> None:
    file.candles({}, {"timestamp": "2024-01-01T00:01"})
    file.run("ALTER TABLE ohlcv_data DROP COLUMN updated_at")
    present = tuple(name for name in CANDLES.column_names if name != "updated_at")
    with series_reader(file.source, CANDLES, present) as reader:
        for until, ids in (("2024-01-01 00:00:00.000000", [1]), (None, [1, 2])):
            held = reader.read(Span(BTC, until=until), rows=2)
            assert held.table.column("id").to_pylist() == ids
            assert held.table.column("updated_at").null_count == len(ids)
            assert held.table.schema == CANDLES.arrow(reader.names)


def test_a_span_begins_after_one_stored_time_and_ends_with_another(file: File) -> None:
    times = [f"2024-01-01 00:0{minute}:00.000000" for minute in range(6)]
    file.candles(*({"timestamp": time} for time in times))
    ids = {
        (None, None): [1, 2, 3, 4, 5, 6],
        (None, times[2]): [1, 2, 3],
        (times[2], None): [4, 5, 6],
        (times[1], times[3]): [3, 4],
        (times[2], times[2]): [],
        (times[5], None): [],
        # As stored: without its fraction a time sorts before itself with one.
        (times[2][:19], times[3][:19]): [3],
        # A number sorts before every text.
        (1_704_067_200, None): [1, 2, 3, 4, 5, 6],
        (0.5, 1_704_067_200): [],
    }
    for (after, until), expected in ids.items():
        held = read(file, after=after, until=until)
        assert held.table.column("id").to_pylist() == expected, (after, until)
        assert held.read == len(expected)


def test_a_series_is_one_symbol_and_timeframe_to_the_letter(file: File) -> None:
    file.run("DROP TABLE ohlcv_data")
    columns = ", ".join(
        f"{name} TEXT COLLATE NOCASE" if name in ("symbol", "timeframe") else f'"{name}" NUMERIC'
        for name in CANDLES.column_names
        if name != "id"
    )
    file.run(f"CREATE TABLE ohlcv_data (id INTEGER PRIMARY KEY, {columns})")
    segments = [
        ("BTC", "1m"),
        ("btc", "1m"),
        ("BTC", "1M"),
        ("BTC ", "1m"),
        ("it's", '"1m"'),
        ("", ""),
        ("取引", "é"),
    ]
    file.candles(*({"symbol": symbol, "timeframe": timeframe} for symbol, timeframe in segments))
    for number, segment in enumerate(segments, 1):
        assert read(file, segment).table.column("id").to_pylist() == [number]


def test_rows_come_sorted_by_the_instant_then_by_id(file: File) -> None:
    """SQLite sorts texts: a T comes after every blank of its day, an offset nowhere right."""
    file.run("DROP INDEX uq_symbol_timeframe_timestamp")
    file.candles(
        {"timestamp": "2024-01-01T00:00:00"},
        {"timestamp": "2024-01-01 23:00:00.000000"},
        {"timestamp": "2024-01-02 00:30:00+09:00"},
        {"timestamp": 1_704_067_200 + 60},
        {"timestamp": "2024-01-01 00:00:00"},
        {"timestamp": "2024-01-01 00:00:00.000000"},
    )
    held = read(file)
    assert held.table.column("id").to_pylist() == [1, 5, 6, 4, 3, 2]


def test_ids_need_not_rise_with_time(file: File, fast_only: Callable[[], None]) -> None:
    """History is collected newest page first, so ids fall while times rise."""
    times = [f"2024-01-01 00:{minute:02}:00.000000" for minute in range(60)]
    random.Random(SEED).shuffle(times)
    file.candles(*({"timestamp": time} for time in times))
    fast_only()
    held = read(file)
    assert column(held, "timestamp") == sorted(map(micros, times))
    assert column(held, "id") == by_sqlite3(file, "id")


def test_names_in_other_letters_are_the_same_columns(file: File, fast_only: Callable[[], None]) -> None:
    file.run("DROP TABLE ohlcv_data")
    columns = ", ".join(
        f"{name.upper()} {'FLOAT' if name in ('open', 'high', 'low', 'close', 'volume') else 'VARCHAR'}"
        for name in CANDLES.column_names[1:]
    )
    file.run(f"CREATE TABLE Ohlcv_Data (ID INTEGER PRIMARY KEY, {columns})")
    file.candles({})
    fast_only()
    held = read(file)
    assert held.table.column("close").to_pylist() == [CANDLE["close"]]
    assert column(held, "timestamp") == [micros(CANDLE["timestamp"])]


_GROWTH = """
import resource, sys
from pathlib import Path
from trdinger.legacy.reading import series_reader
from trdinger.legacy.source import Source
from trdinger.legacy.survey import spans, survey

held = survey(Source(Path(sys.argv[1])))
table = held.table("ohlcv_data")
size, peak = 0, []
with held.source.connect() as connection, series_reader(held.source, table.shape, table.present) as reader:
    (series,) = table.series
    for number, (span, rows) in enumerate(spans(connection, table, series, int(sys.argv[2]))):
        size += reader.read(span, rows=rows).table.nbytes
        peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(size, (peak[-1] - peak[4]) * (1 if sys.platform == "darwin" else 1024), len(peak))
"""


@pytest.mark.parametrize(("odd", "rows"), [(False, 240_000), (True, 100_000)], ids=["fast", "cell by cell"])
def test_memory_is_that_of_one_span(file: File, *, odd: bool, rows: int) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    with closing(sqlite3.connect(file.path)) as connection, connection:
        connection.executemany(
            "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume,"
            " created_at) VALUES ('BTC', '1m', ?, 1, 1, 1, 1, 1, ?)",
            (
                (
                    f"{start + timedelta(minutes=at):%Y-%m-%d %H:%M:%S}.000000",
                    "2024-01-01T00:00" if odd else None,
                )
                for at in range(rows)
            ),
        )
    ended = subprocess.run(
        [sys.executable, "-c", _GROWTH, str(file.path), str(rows // 20)],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    size, growth, number = map(int, ended.stdout.split())
    assert number == 20
    assert size > rows * 70
    assert growth < size / 4


def test_a_reader_of_a_missing_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(SourceError, match="There is no file"), series_reader(Source(path), CANDLES, ("id",)):
        pass
