"""Numbers as people read them."""

from __future__ import annotations

import pytest

from trdinger.report import figures


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1536, "1.50 KiB"),
        (1 << 30, "1.00 GiB"),
        (1 << 54, "16,384.0 TiB"),
    ],
)
def test_sizes_are_binary(number: int, text: str) -> None:
    assert figures.size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (9.26, "9.3 s"),
        (59.96, "1 min 00 s"),
        (133, "2 min 13 s"),
        (3599.6, "1 h 00 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0:00"), (59.6, "1:00"), (83, "1:23"), (3723, "1:02:03")])
def test_clocks(seconds: float, text: str) -> None:
    assert figures.clock(seconds) == text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (400, 100, "4.0 times smaller"),
        (100, 250, "2.5 times larger"),
        (100, 101, "about the same"),
        (0, 1, ""),
        (1, 0, ""),
    ],
)
def test_ratios(before: int, after: int, text: str) -> None:
    assert figures.shrinking(before, after) == text


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("2024-03-01 00:00:00.000000", "2024-03-01 00:00"),
        ("2024-03-01 00:00:00", "2024-03-01 00:00"),
        ("2024-03-01 00:00:15.000000", "2024-03-01 00:00:15"),
        ("2024-03-01 00:00:00.250000", "2024-03-01 00:00:00.250000"),
        ("2024-03-01T00:00:00+09:00", "2024-03-01T00:00:00+09:00"),
        ("1709251200", "1709251200"),
    ],
)
def test_a_stored_time_loses_its_zeros_and_nothing_else(stored: str, text: str) -> None:
    assert figures.stored_time(stored) == text


def test_rates_speeds_and_short_numbers() -> None:
    assert figures.rate(132_304.7) == "132,305 rows/s"
    assert figures.rate(1.42) == "1.4 rows/s"
    assert figures.speed(14_200_000) == "14.2 MB/s"
    assert figures.speed(1_653_600_000) == "1,654 MB/s"
    assert figures.short(61_146_340) == "61.1 M"
    assert figures.short(5_000) == "5,000"


def test_what_is_not_printable_is_shown_as_such() -> None:
    assert figures.clean("a\x1b[2J\n\u202e\ud800é円") == "a\\x1b[2J\\n\\u202e\\ud800é円"


def test_a_moment_is_told_in_utc() -> None:
    assert figures.moment("2025-06-03T18:12:44+09:00") == "2025-06-03 09:12 UTC"
    assert figures.moment("<soon>") == "<soon>"
