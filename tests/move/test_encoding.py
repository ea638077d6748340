"""What a COPY is sent is what the server's own binary format says, whichever way it was made."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pgpq import ArrowToPostgresBinaryEncoder

from engines import EngineUnderTest
from trdinger.declaration import Series
from trdinger.move.encoding import encode

SERIES = Series("t", "at", ("symbol", "timeframe"), "at", timedelta(1), timedelta(1), "rows to encode")
SEGMENT = ("BTC/ÜSDT:日本", "1m")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = [datetime(1, 1, 1, tzinfo=UTC), EPOCH, datetime(2000, 1, 1, tzinfo=UTC),
         datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)]  # fmt: skip
FLOATS = [-0.0, 5e-324, math.inf, -1.7976931348623157e308]
STAMP = pa.timestamp("us", "UTC")


def table(rows: int, **columns: pa.Array) -> pa.Table:
    """Rows of every type of a series, repeated up to a number; `columns` replace some."""
    again = rows // 4 + 1
    made = {
        "id": pa.array(([-(2**63), -1, 0, 2**63 - 1] * again)[:rows], pa.int64()),
        "at": pa.array((TIMES * again)[:rows], STAMP),
        "small": pa.array(([-(2**31), 0, 1, 2**31 - 1] * again)[:rows], pa.int32()),
        "close": pa.array((FLOATS * again)[:rows], pa.float64()),
        "never": pa.nulls(rows, pa.float64()),
    }
    return pa.table(made | columns)


def by_pgpq(rows: pa.Table) -> bytes:
    """The same rows by pgpq alone."""
    texts = [pa.array([value] * rows.num_rows, pa.string()) for value in SEGMENT]
    whole = pa.table([*texts, *rows.columns], names=["symbol", "timeframe", *rows.column_names])
    encoder = ArrowToPostgresBinaryEncoder(whole.schema)
    parts = [encoder.write_header(), *map(encoder.write_batch, whole.to_batches()), encoder.finish()]
    return b"".join(map(bytes, parts))


@pytest.mark.parametrize("rows", [1, 3, 4096, 4097, 9001])
def test_rows_of_one_length_are_the_same_bytes(rows: int) -> None:
    given = table(rows)
    names, data = encode(SERIES, given, SEGMENT)
    assert names == ("symbol", "timeframe", "id", "at", "small", "close", "never")
    assert bytes(data) == by_pgpq(given)


def test_rows_of_several_lengths_and_of_chunks_are_too() -> None:
    some = table(5000, close=pa.array([None, 1.5] * 2500, pa.float64()))
    assert bytes(encode(SERIES, some, SEGMENT)[1]) == by_pgpq(some)
    halves = pa.concat_tables([table(3000), table(2000)])
    assert bytes(encode(SERIES, halves, SEGMENT)[1]) == by_pgpq(halves)


def test_no_rows_are_a_header_and_an_end() -> None:
    assert len(encode(SERIES, table(0), SEGMENT)[1]) == 21


@pytest.mark.parametrize("nulls", [False, True])
def test_a_server_stores_what_was_encoded(engine: EngineUnderTest, nulls: bool) -> None:
    more: dict[str, Any] = {"close": pa.array([None, *FLOATS[1:]], pa.float64())} if nulls else {}
    given = table(4, **more)
    names, data = encode(SERIES, given, SEGMENT)
    with engine.empty(timescaledb=False) as database, database.connect() as connection:
        connection.execute(
            "CREATE TEMP TABLE t (symbol text, timeframe text, id bigint, at timestamptz, small integer,"
            " close double precision, never double precision)"
        )
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY t ({', '.join(names)}) FROM STDIN (FORMAT binary)") as copy:
                copy.write(data)
            assert cursor.rowcount == 4
        rows = connection.execute("SELECT *, at - %s FROM t ORDER BY id", (EPOCH,)).fetchall()
    assert [row[:3] for row in rows] == [(*SEGMENT, one) for one in given["id"].to_pylist()]
    assert [row[4] for row in rows] == given["small"].to_pylist()
    assert [str(row[5]) for row in rows] == [str(one) for one in given["close"].to_pylist()]
    assert [row[6] for row in rows] == [None] * 4
    assert [EPOCH + row[7] for row in rows] == TIMES
