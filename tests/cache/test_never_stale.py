"""Whatever another connection does between two reads, the cached answer is the live one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cache.other import COLUMNS, Other, grid
from engines import EngineUnderTest
from proof.moving import searching
from schema.conftest import upgrade
from trdinger.cache.files import Files
from trdinger.cache.fingerprints import Fingerprint
from trdinger.engine.connect import Database
from trdinger.store.asked import UnknownSeries
from trdinger.store.postgres import Postgres, postgres_side
from trdinger.store.store import Store

FIRST, LAST = datetime(2024, 1, 20, tzinfo=UTC), datetime(2024, 6, 10, tzinfo=UTC)  # three chunks
STEP = timedelta(hours=3)
SERIES = [("BTC/USDT:USDT", "30m"), ("ETH/USDT:USDT", "30m")]

_WAITING = """
SELECT 1 FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

segments = st.sampled_from(SERIES)
moments = st.integers(0, (LAST - FIRST) // STEP).map(lambda n: FIRST + n * STEP)
values = st.integers(1, 9).map(float)
lengths = st.sampled_from([STEP, timedelta(days=2), timedelta(days=40)])
places = st.integers(0, 4)


class Reading(RuleBasedStateMachine):
    """A reader with a cache, and others at its database, whose tables are made."""

    database: ClassVar[Database]
    home: ClassVar[Path]
    many: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.folder = self.home / secrets.token_hex(4)
        self.files = Files(self.folder, 1 << 30)
        self.open()
        self.other = Other(self.database, None if self.many else self.side)
        self._stack.callback(self.other.close)
        self.waiting: psycopg.Connection[Any] | None = None

    def teardown(self) -> None:
        if self.waiting is not None:
            self.waiting.close()
        self.reader.close()
        self._stack.close()

    def open(self) -> None:
        self.reader = ExitStack()
        self.side: Postgres = self.reader.enter_context(postgres_side(self.database, self.files))
        self.store = Store(self.side, "the store", lambda: None)

    @initialize(packed=st.booleans())
    def filled(self, packed: bool) -> None:
        self.other.ask("TRUNCATE ohlcv_data")
        for n, segment in enumerate(SERIES):
            self.other.insert(segment, grid(FIRST, LAST, STEP)[:: n + 1], 10.0)
        for place in range(3 * packed):
            self.compressed(place)

    # What the reader does.

    @invariant()
    def answers(self) -> None:
        """After each step, all of each series."""
        for segment in SERIES:
            self.check(segment, None, None, COLUMNS)

    @rule(
        segment=segments,
        start=moments,
        length=st.sampled_from([timedelta(days=3), timedelta(days=31)]),
        columns=st.sampled_from([("timestamp", "close"), ("volume", "timestamp", "id")]),
    )
    def read(
        self, segment: tuple[str, str], start: datetime, length: timedelta, columns: tuple[str, ...]
    ) -> None:
        self.check(segment, start, start + length, columns)

    def check(
        self,
        segment: tuple[str, str],
        start: datetime | None,
        end: datetime | None,
        columns: tuple[str, ...],
    ) -> None:
        there = self.other.rows(segment)
        wanted = [
            row for row in there if (start is None or start <= row[0]) and (end is None or row[0] < end)
        ]
        if not there:
            with pytest.raises(UnknownSeries):
                self.store.candles(*segment, start, end, columns=columns)
            return
        found = self.store.candles(*segment, start, end, columns=columns).arrow
        assert found.num_rows == len(wanted)
        for name in columns:
            if name in COLUMNS:
                assert found.column(name).to_pylist() == [row[COLUMNS.index(name)] for row in wanted], name

    @rule()
    def again(self) -> None:
        """Another process: it shares nothing but the files."""
        if self.many:
            self.reader.close()
            self.files = Files(self.folder, 1 << 30)
            self.open()

    @rule(byte=st.integers(0, 1 << 20), cut=st.booleans())
    def damaged(self, byte: int, cut: bool) -> None:
        """A disk that lies: the files of every month lose a byte, or their end."""
        for path in self.folder.glob("*/*"):
            data = bytearray(path.read_bytes())
            if not data:
                continue
            data[byte % len(data)] ^= 1 << byte % 8
            other = path.with_name(f".{secrets.token_hex(4)}")
            other.write_bytes(data[: byte % len(data)] if cut else data)
            other.replace(path)
        self.files = Files(self.folder, 1 << 30)
        self.side.keep(self.files)

    @rule()
    def cleared(self) -> None:
        Files(self.folder, 1 << 30).clear()

    # What others do.

    @rule(segment=segments, start=moments, length=lengths, value=values, aside=st.booleans())
    def insert(
        self, segment: tuple[str, str], start: datetime, length: timedelta, value: float, aside: bool
    ) -> None:
        first = start + timedelta(minutes=30) if aside else start
        self.other.insert(segment, grid(first, start + length, STEP), value)

    @rule(segment=segments, start=moments, length=lengths, value=values)
    def update(self, segment: tuple[str, str], start: datetime, length: timedelta, value: float) -> None:
        self.other.update(segment, start, start + length, value)

    @rule(segment=segments, start=moments, length=lengths)
    def delete(self, segment: tuple[str, str], start: datetime, length: timedelta) -> None:
        self.other.delete(segment, start, start + length)

    @rule(
        segment=segments,
        start=moments,
        length=lengths,
        order=st.sampled_from(["timestamp DESC", "md5(timestamp::text)"]),
        more=st.sampled_from([0.0, 1.0]),
    )
    def restore(
        self, segment: tuple[str, str], start: datetime, length: timedelta, order: str, more: float
    ) -> None:
        self.other.restore(segment, start, start + length, order=order, more=more)

    @precondition(lambda self: self.waiting is None)
    @rule(place=places)
    def compressed(self, place: int) -> None:
        for chunk in self.other.chunks()[place : place + 1]:
            self.other.tried(f"SELECT compress_chunk('{chunk}', true)::text AS chunk")

    @precondition(lambda self: self.waiting is None)
    @rule(place=places)
    def decompressed(self, place: int) -> None:
        for chunk in self.other.chunks()[place : place + 1]:
            self.other.tried(f"SELECT decompress_chunk('{chunk}', true)::text AS chunk")

    @precondition(lambda self: self.waiting is None)
    @rule(place=places, how=st.sampled_from(["", "FULL", "FREEZE"]))
    def vacuumed(self, place: int, how: str) -> None:
        for chunk in self.other.chunks()[place : place + 1]:
            self.other.tried(f"VACUUM {how} {chunk}")

    @precondition(lambda self: self.waiting is None)
    @rule(place=places)
    def truncated(self, place: int) -> None:
        for chunk in self.other.chunks()[place : place + 1]:
            self.other.tried(f"TRUNCATE {chunk}")

    @precondition(lambda self: self.waiting is None)
    @rule(end=moments)
    def dropped(self, end: datetime) -> None:
        self.other.tried(f"SELECT drop_chunks('ohlcv_data', '{end.isoformat()}'::timestamptz)::text AS chunk")

    @precondition(lambda self: self.many and self.waiting is None)
    @rule(segment=segments, start=moments)
    def begun(self, segment: tuple[str, str], start: datetime) -> None:
        """A transaction that others outlive: what it wrote shows when it has ended."""
        self.waiting = psycopg.connect(self.database.conninfo)
        self.waiting.execute(
            "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
            " VALUES (%s, %s, %s, 1, 1, 1, 1, 1) ON CONFLICT DO NOTHING",
            (*segment, start + timedelta(minutes=90)),
        )

    @precondition(lambda self: self.waiting is not None)
    @rule(done=st.booleans())
    def ended(self, done: bool) -> None:
        assert self.waiting is not None
        waiting, self.waiting = self.waiting, None
        waiting.commit() if done else waiting.rollback()
        waiting.close()


@pytest.fixture
def prepared(database: Database) -> Database:
    upgrade(database)
    return database.fresh()


@pytest.mark.needs("hypertables")
def test_a_cached_answer_is_the_live_one(
    prepared: Database, engine: EngineUnderTest, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    class Here(Reading):
        database, home, many = prepared, tmp_path, prepared.capabilities.has("many_sessions")

    run_state_machine_as_test(Here, settings=searching(5, long=pytestconfig.getoption("--long")))


@contextmanager
def read(database: Database, home: Path) -> Iterator[tuple[Store, Other]]:
    """A store with a cache, filled with one month of BTC that somebody else can change."""
    other = Other(database, None)
    other.insert(SERIES[0], grid(FIRST, FIRST + timedelta(days=5), STEP), 10.0)
    with closing(other), postgres_side(database, Files(home / "months", 1 << 30)) as side:
        yield Store(side, "the store", lambda: None), other


@pytest.mark.many
@pytest.mark.needs("hypertables")
def test_what_was_under_way_when_a_month_was_kept_is_seen_when_as_many_rows_went(
    prepared: Database, tmp_path: Path
) -> None:
    with read(prepared, tmp_path) as (store, other), psycopg.connect(prepared.conninfo) as waiting:
        waiting.execute(
            "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
            " VALUES (%s, %s, %s, 1, 1, 1, 1, 1)",
            (*SERIES[0], FIRST + timedelta(minutes=30)),
        )
        rows = store.candles(*SERIES[0]).arrow.num_rows
        waiting.commit()
        other.delete(SERIES[0], FIRST, FIRST + STEP / 12)
        found = store.candles(*SERIES[0]).arrow
        assert found.num_rows == rows
        assert found.column("timestamp").to_pylist() == [row[0] for row in other.rows(SERIES[0])]


@pytest.mark.many
@pytest.mark.needs("hypertables")
def test_a_chunk_that_is_emptied_and_filled_while_a_read_waits_is_read_as_it_is_after(
    prepared: Database, tmp_path: Path
) -> None:
    with read(prepared, tmp_path) as (store, other), psycopg.connect(prepared.conninfo) as waiting:
        (chunk,) = other.chunks()
        # Two days of February are not worth keeping, so that all is read from one snapshot.
        asked = (*SERIES[0], FIRST - timedelta(days=10), datetime(2024, 2, 3, tzinfo=UTC))
        waiting.execute(f"CREATE TEMPORARY TABLE away AS SELECT * FROM {chunk}".encode())
        waiting.execute(f"TRUNCATE {chunk}".encode())
        waiting.execute(b"INSERT INTO ohlcv_data SELECT * FROM away")
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(store.candles, *asked)
            while not other.ask(_WAITING):
                assert not answer.done()
            waiting.commit()
            assert answer.result(30).arrow.num_rows == len(other.rows(SERIES[0])) == 40
        assert store.candles(*SERIES[0]).arrow.num_rows == 40


def test_a_number_that_came_round_is_taken_for_new() -> None:
    """2^32 transactions cannot be made in a test; their arithmetic can."""
    kept = Fingerprint("here", 5, 100, upcoming=(1 << 33) + 50, horizon=(1 << 33) + 50)
    assert kept.same(kept)
    later = replace(kept, upcoming=kept.upcoming + 10, age=110)
    assert later.same(kept)
    for age in (1, 10):  # a transaction since, whose number an older version may have had, too
        assert not replace(later, age=age).same(kept)
    assert not replace(kept, upcoming=kept.upcoming + (1 << 32), age=(1 << 32) - 1).same(kept)
    assert not replace(kept, upcoming=kept.upcoming - 1).same(kept)  # an older copy of the server
    assert not replace(later, versions=4).same(kept)
    assert not replace(later, relations="there").same(kept)
