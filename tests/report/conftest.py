"""Reports as the move makes them, from its own classes: equal, different, and of a verification alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from turned_clock import Clock

from trdinger.declaration import SERIES, TABLES
from trdinger.move.report import Report, Stage
from trdinger.verify.differences import Difference, Proof, TableProof

Json = dict[str, Any]

HOSTILE = '<script>alert("x")</script>\x1b[2J\u202e\ud800[bold]&amp;'
ROWS = 1_000_000


@pytest.fixture
def equal_report() -> Json:
    """A move of 9,000,000 rows that was proven, with something in every field."""
    return _report().as_json()


@pytest.fixture
def different_report() -> Json:
    """The same with 27 differences, whose values are hostile, and a wrong structure."""
    report = _report()
    assert report.proof is not None
    ohlcv = report.proof.tables[0]
    for what in ("missing", "extra", "repeated"):
        ohlcv.add(Difference("ohlcv_data", what, f"{HOSTILE}, 1h, 2024-03-01 00:00:00"))
    for _ in range(23):
        ohlcv.add(
            Difference("ohlcv_data", "value", "BTC/USDT:USDT, 1h", "close", "61432.1", "61432.100000000006")
        )
    report.proof.tables[4].add(
        Difference("backtest_results", "value", "id 17", "config_json", HOSTILE, "null")
    )
    report.proof.structure = ["ohlcv_data: the next id would be 12, the highest present is 5000000."]
    return report.as_json()


@pytest.fixture
def rejected_report() -> Json:
    """A move that was proven and set rows aside."""
    report = _report()
    report.checked |= {
        "rejected": {"ohlcv_data": 1_234},
        "rejects": [
            {"table": "ohlcv_data", "column": "open", "reason": "text in a number", "values": 1_000},
            {"table": "ohlcv_data", "column": "timestamp", "reason": HOSTILE, "values": 235},
        ],
    }
    return report.as_json()


@pytest.fixture
def verify_report() -> Json:
    """What `trdinger verify` reports: one stage, no backup, no sizes of the target."""
    whole = _report()
    report = Report(whole.source, "postgresql://me:***@db/trdinger", whole.server, rows=whole.rows)
    report.stages = [Stage("Verify", 24.0)]
    report.source_bytes = whole.source_bytes
    report.proof = whole.proof
    return report.as_json()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _report() -> Report:
    tables = [TableProof(name, rows=ROWS, cells=11 * ROWS) for name in TABLES]
    return Report(
        source="/srv/it's here/trdinger.db",
        target="postgresql://trdinger@db.example:5432/trdinger",
        server="PostgreSQL 17.5 with TimescaleDB 2.28.3 (community edition)",
        started=datetime(2025, 6, 3, 9, 12, 44, tzinfo=UTC),
        stages=[
            Stage("Back up", 9.2),
            Stage("Schema", 1.9, ["New sessions of the database speak UTC."]),
            Stage("Copy", 58.1),
            Stage("Verify", 30.8),
        ],
        skipped=["Scheduled jobs need background workers."],
        left_out=["notes"],
        rows=dict.fromkeys(TABLES, ROWS),
        series=dict.fromkeys(SERIES, 4),
        checked={
            "converted": [
                {"table": "ohlcv_data", "column": "timestamp", "form": "with an offset", "values": 1204}
            ],
            "changed": [{"table": "backtest_results", "column": "performance_metrics", "values": 3}],
        },
        source_bytes=1_849_561_088,
        target_bytes=dict.fromkeys(TABLES, 44_000_000),
        backup="/srv/it's here/trdinger-move/trdinger-20250603T091244Z.db",
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        workdir="/srv/it's here/trdinger-move",
        peak_memory=312_000_000,
        proof=Proof(tables),
    )
