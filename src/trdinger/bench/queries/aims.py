"""The questions in words, and how many times faster than whom each is meant to be answered."""

from __future__ import annotations

from collections.abc import Mapping

_ALL = {"arcticdb": 1.0, "polars": 1.0, "duckdb": 1.0}

TITLES: Mapping[str, str] = {
    "months": "three months of 1m as a DataFrame",
    "again": "the same three months again",
    "latest": "the latest 100 bars",
    "aligned": "five timeframes over a year as one frame",
    "inventory": "every series with its ends",
    "range": "first and last of a series",
    "symbols": "the symbols",
    "days": "1m to 1d over all, every symbol",
    "days-of-one": "1m to 1d over all, one symbol",
    "new": "candles stored, all new",
    "known": "candles stored, all known",
}
# Times as fast as each; for size as small, for load as many requests. 0.5 of COPY: within twice its time.
AIMS: Mapping[str, Mapping[str, float]] = {
    "months": {"application": 30.0, "COPY": 0.5},
    "again": {"arcticdb": 1.0},
    "latest": {"application": 2.0, **_ALL},
    "aligned": {"application": 30.0},
    "inventory": {"application": 50.0, **_ALL},
    "range": {"application": 50.0},
    "symbols": {"application": 50.0},
    "days": {"application": 300.0, **_ALL},
    "days-of-one": _ALL,
    "new": {"application": 20.0},
    "known": {"application": 20.0},
    "size": {"file": 10.0},
    "load": {"application": 20.0},
}
