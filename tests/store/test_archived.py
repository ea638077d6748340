"""With its archive a store answers as it did before rows left it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from trdinger.archive.archive import Archive
from trdinger.errors import ArchiveError, UsageError
from trdinger.progress import Silent
from trdinger.store.asked import UnknownSeries
from trdinger.store.postgres import postgres_side
from trdinger.store.store import Store
from trdinger.upkeep import retention
from upkeep import conftest as lifecycle
from upkeep.conftest import KEEP, OLD, SYMBOLS, Aged

engine, migrated, aged = lifecycle.engine, lifecycle.migrated, lifecycle.aged
BTC = SYMBOLS[0]


@contextmanager
def opened(aged: Aged, *, archive: bool = True) -> Iterator[Store]:
    with postgres_side(aged.database) as side:
        yield Store(side, "the database", lambda: None, Archive(aged.place) if archive else None)


def answers(store: Store, **how: Any) -> list[Any]:
    """What is asked before rows leave, and together with the archive after."""
    later = OLD + timedelta(days=50)
    return [
        store.candles(BTC, "1h", **how).arrow.to_pylist(),
        store.candles(
            BTC, "1h", later, later + timedelta(days=9), columns=["close"], **how
        ).arrow.to_pylist(),
        store.candles(BTC, "1d", OLD, later, **how).arrow.to_pylist(),
        store.funding_rates(BTC, **how).arrow.to_pylist(),
        store.merged(BTC, "1h", **how).arrow.to_pylist(),
    ]


def test_together_they_answer_as_before(aged: Aged) -> None:
    aged.ask("UPDATE ohlcv_data SET close = 1.5 WHERE close = 'NaN'")  # equal to itself, for a comparison
    with opened(aged) as store:
        before, there = (
            answers(store),
            [store.inventory(rows=True), store.latest(BTC, "1h", 100).arrow.to_pylist()],
        )
    list(retention.run(aged.database, retention.plan(aged.database, KEEP), aged.place, Silent()))
    with opened(aged) as store:
        assert len(store.candles(BTC, "1h")) == 21
        assert answers(store, include_archive=True) == before
        both = store.with_archive()
        assert [both.inventory(rows=True), both.latest(BTC, "1h", 100).arrow.to_pylist()] == there
        assert both.symbols() == sorted(SYMBOLS)
        assert both.symbols("funding_rate_data") == [BTC]
        with pytest.raises(UnknownSeries):
            store.funding_rates(BTC)
        with pytest.raises(UnknownSeries):
            both.candles("NOTHING", "1h")
    aged.ask(
        "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        f" VALUES ('{BTC}', '1h', '{OLD.isoformat()}', 7, 8, 6, 7.5, 1)"
    )
    with opened(aged) as store:
        first = store.candles(BTC, "1h", include_archive=True).arrow
    assert first.num_rows == len(before[0])
    assert first.column("open")[0].as_py() == 7.0, "of both, the database's"


def test_an_archive_that_is_gone_or_not_named_is_told(aged: Aged) -> None:
    with opened(aged, archive=False) as store, pytest.raises(UsageError, match="No archive of the database"):
        store.candles(BTC, "1h", include_archive=True)
    with opened(aged) as store:
        with pytest.raises(ArchiveError, match="is gone"):
            store.candles(BTC, "1h", include_archive=True)
        assert len(store.candles(BTC, "1h"))
