"""The remaining time, on a clock that the tests turn."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from turned_clock import Clock

from trdinger.report.estimate import Tally

TOTAL = 5_000_000
UNIT = 250_000


def estimates(
    clock: Clock, rate: Callable[[float], float], unit: int = UNIT
) -> list[tuple[float, float, float]]:
    """Run a stage whose rate depends on how far it is: share, estimated and true remaining seconds."""
    tally = Tally("Copy", TOTAL, clock=clock)
    told = []
    while tally.done < TOTAL:
        seconds = unit / rate(tally.done / TOTAL)
        for _ in range(4):  # looked at between the units too
            clock.run(seconds / 4)
            told.append((tally.done / TOTAL, tally.remaining(), clock.now))
        tally.advance(unit, "ohlcv_data", unit * 60)
    return [(share, left, clock.now - at) for share, left, at in told if left is not None]


def assert_right(found: list[tuple[float, float, float]], end: float) -> None:
    """Within 20 % of what is left, or of a second, from the first tenth on."""
    late = [one for one in found if one[0] >= 0.1]
    assert late
    for share, left, true in late:
        assert abs(left - true) <= max(0.2 * true, 0.02 * end), (share, left, true)


def test_at_a_constant_rate_the_estimate_is_right_from_the_first_tenth(clock: Clock) -> None:
    begun = clock.now
    assert_right(estimates(clock, lambda _share: 100_000), clock.now - begun)


def test_units_that_vary_do_not_shake_the_estimate(clock: Clock) -> None:
    chance = random.Random(7)
    begun = clock.now
    found = estimates(clock, lambda _share: 100_000 * chance.uniform(0.85, 1.15), unit=50_000)
    assert_right(found, clock.now - begun)


def test_a_rate_that_slows_by_a_quarter_is_still_estimated_within_a_fifth(clock: Clock) -> None:
    begun = clock.now
    assert_right(estimates(clock, lambda share: 100_000 * (1 - 0.25 * share), unit=50_000), clock.now - begun)


def test_a_resumed_stage_takes_no_speed_from_what_was_done_before(clock: Clock) -> None:
    tally = Tally("Copy", TOTAL, clock=clock)
    clock.run(0.1, lambda: tally.advance(TOTAL // 2, None, 0))
    for _ in range(5):
        clock.run(2.5, lambda: tally.advance(UNIT, "ohlcv_data", UNIT * 60))
    assert tally.remaining() == pytest.approx(12.5)
    assert tally.rate() == pytest.approx(100_000)
    assert tally.speed() == pytest.approx(6_000_000)
    assert tally.average() == (pytest.approx(100_000), pytest.approx(6_000_000))


def test_a_stall_never_promises_an_end(clock: Clock) -> None:
    tally = Tally("Copy", TOTAL, clock=clock)
    for _ in range(18):
        clock.run(2.5, lambda: tally.advance(UNIT, "ohlcv_data", 0))
    told = []
    for _ in range(60):
        clock.run(1)
        left = tally.remaining()
        assert left is not None
        told.append(left)
    assert told[1] < told[0]
    assert told[-1] > told[10] > 2


def test_nothing_is_estimated_before_anything_is_known(clock: Clock) -> None:
    tally = Tally("Copy", TOTAL, clock=clock)
    assert tally.remaining() is None
    clock.run(30)
    assert tally.remaining() is None
    assert tally.rate() is None
    endless = Tally("Schema", clock=clock)
    clock.run(1, lambda: endless.advance(5, "x", 0))
    assert endless.remaining() is None
    assert endless.share is None


def test_a_stage_without_rows_is_whole_from_the_start(clock: Clock) -> None:
    assert Tally("Copy", 0, clock=clock).share == 1.0


def test_row_by_row_a_stage_keeps_no_more_than_its_samples(clock: Clock) -> None:
    tally = Tally("Check", 100_000, clock=clock)
    for _ in range(100_000):
        clock.run(0.01, lambda: tally.advance(1, "backtest_results", 0))
    assert len(tally._samples) <= 513
    assert tally.rate() == pytest.approx(100, rel=0.01)
    assert tally.done == 100_000
