"""Answers at a terminal, and what is left of them in a pipe."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from trdinger.report.status import show_status
from trdinger.report.terminal import show_inspection, show_plan, show_report

Json = dict[str, Any]
DEEP = "/srv/" + "a-very-long-folder-name/" * 8 + "trdinger.db"


@pytest.fixture
def console() -> Console:
    """Standard output in a pipe, 80 columns wide."""
    return Console(file=io.StringIO(), width=80, highlight=False)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    found = console.file.getvalue()
    assert "\x1b" not in found
    return found


def series(number: int) -> list[Json]:
    return [
        {
            "key": [f"C{at:02}/USDT:USDT", "1h"],
            "rows": 1000 + at,
            "first": f"2019-09-{at + 1:02} 17:00:00.000000",
            "last": "2025-06-03 09:15:00.250000",
        }
        for at in range(number)
    ]


def plan(**changed: Any) -> Json:
    tables = [
        {
            "table": "ohlcv_data",
            "rows": 5_000_000,
            "hypertable": True,
            "series": series(20),
            "absent_columns": [],
        },
        {"table": "backtest_results", "rows": 1, "hypertable": False, "series": [], "absent_columns": ["id"]},
    ]
    return {
        "source": DEEP,
        "source_bytes": 1_849_561_088,
        "target": "embedded:",
        "server": "PostgreSQL 17.5 with TimescaleDB 2.28.3 (community edition)",
        "workdir": DEEP.removesuffix(".db") + "-move",
        "writes": False,
        "goes_on_with": None,
        "tables": tables,
        "missing_tables": ["strategy_showcase"],
        "left_out": ["notes"],
        "otherwise": ["lists: its primary key holds nulls"],
        "skipped": ["Scheduled jobs need background workers."],
        "backup_bytes": 1_849_561_088,
    } | changed


def inspection(**changed: Any) -> Json:
    return {
        "path": DEEP,
        "bytes": 4096,
        "tables": [
            {
                "table": "ohlcv_data",
                "rows": 20,
                "series": series(2),
                "converted": [{"column": "timestamp", "form": "with an offset", "values": 1204}],
            }
        ],
        "problems": [],
        "rejected": {},
        "rejects": [],
        "damage": [],
        "readable": [],
        "missing_tables": [],
        "strangers": [],
        "others": [],
        "otherwise": [],
    } | changed


def test_a_plan_says_what_would_happen_and_that_nothing_was_written(console: Console) -> None:
    show_plan(plan(), console)
    found = text(console)
    assert "5,000,001 rows would be moved; nothing was written." in found
    assert "1.72 GiB" in found
    assert "hypertable" in found
    for sentence in (
        "Scheduled jobs need background workers.",
        "notes",
        "strategy_showcase",
        "backtest_results.id",
    ):
        assert sentence in found


def test_series_beyond_twelve_are_summed_into_one_line(console: Console) -> None:
    show_plan(plan(), console)
    found = text(console).splitlines()
    assert sum("USDT:USDT" in line for line in found) == 12
    (rest,) = [line for line in found if "more" in line]
    assert rest.split()[:5] == ["…", "and", "8", "more", "8,124"]
    assert rest.split()[5:] == ["2019-09-13", "17:00", "2025-06-03", "09:15:00.250000"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_path_is_cut(equal_report: Json, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    page = Path(DEEP).with_name("report.html")
    show_report(equal_report, console, html=page, data=page.with_suffix(".json"), workdir=page.parent)
    show_plan(plan(), console)
    show_inspection(inspection(), console)
    found = text(console)
    for path in (DEEP, str(page), str(page.with_suffix(".json")), equal_report["backup"]["path"]):
        assert path in found


def test_a_report_says_that_every_cell_is_equal(equal_report: Json, console: Console) -> None:
    show_report(equal_report, console)
    found = text(console)
    assert found.startswith("✓ Every cell is equal: 9,000,000 rows, 99,000,000 cells compared.")
    assert "1.72 GiB → 377.7 MiB, 4.7 times smaller" in found
    assert "1 min 40 s, 90,000 rows/s" in found
    assert "1,204 × ohlcv_data.timestamp: with an offset" in found
    assert equal_report["backup"]["sha256"] in found
    assert "stop the application, then: trdinger rollback" in found


def test_a_report_says_what_was_set_aside_and_where(console: Console, rejected_report: Json) -> None:
    show_report(rejected_report, console)
    found = text(console)
    assert found.startswith("✓ Every cell is equal: ")
    assert "1,234 rows set aside." in " ".join(found.split())
    assert "text in a number" in found
    assert rejected_report["rejects_file"] in found
    assert "Set aside" in found


def test_differences_come_first_with_key_column_and_both_values(
    different_report: Json, console: Console
) -> None:
    show_report(different_report, console)
    found = text(console)
    assert found.startswith("✗ Not equal: 27 differences in 2 tables and 1 problem of the structure")
    assert found.index("61432.100000000006") < found.index("From")
    assert "… and 21 more" in found
    assert "the next id would be 12" in found


def test_a_hostile_value_moves_no_cursor_and_is_no_markup(different_report: Json) -> None:
    console = Console(file=io.StringIO(), width=300, highlight=False)
    different_report["structure"] = ["[bold]\x1b[2J\udfff"]
    show_report(different_report, console)
    found = text(console)
    assert r'<script>alert("x")</script>\x1b[2J\u202e\ud800[bold]&amp;' in found
    assert r"[bold]\x1b[2J\udfff" in found
    assert found.encode("utf-8")


def test_a_verification_alone_speaks_of_no_backup(verify_report: Json, console: Console) -> None:
    show_report(verify_report, console)
    found = text(console)
    assert "Backup" not in found
    assert "Go back" not in found
    assert "Size        1.72 GiB\n" in found


def test_an_inspection_lists_what_does_not_fit(console: Console) -> None:
    problem = {
        "table": "ohlcv_data",
        "rowid": 48213,
        "column": "timestamp",
        "value": "'x'",
        "reason": "no time",
    }
    told = {
        "problems": [problem] * 25,
        "rejected": {"ohlcv_data": 24},
        "rejects": [{"table": "ohlcv_data", "column": "timestamp", "reason": "no time", "values": 25}],
    }
    show_inspection(inspection(**told, strangers=["notes"], others=["view v"]), console)
    found = text(console)
    assert found.startswith("✗ 24 rows of 20 rows in 1 table will be set aside.")
    assert found.count("48213") == 20
    assert "… and 5 more; a move writes all of them into its rejects file" in found
    assert "--leave-out" in found


def test_an_inspection_of_a_good_and_of_a_damaged_file(console: Console) -> None:
    show_inspection(inspection(), console)
    assert text(console).startswith("✓ Every value fits: 20 rows in 1 table.")
    left = [{"sentence": "ohlcv_data: 12 rows can be read; cannot be read: rows 13 to 20"}]
    show_inspection(inspection(damage=["row 7 missing from index"], readable=left), console)
    assert "✗ SQLite finds the file damaged." in text(console)
    assert "row 7 missing from index" in text(console)
    assert "  - ohlcv_data: 12 rows can be read; cannot be read: rows 13 to 20" in text(console)
    show_inspection(inspection(damage=["malformed"], tables=[]), console)
    assert "Not even the list of its tables can be read." in text(console)


def test_a_status_shows_chunks_of_hypertables_only(console: Console) -> None:
    table = {
        "rows_estimate": 5_000_000,
        "bytes": 350_000_000,
        "hypertable": True,
        "chunks": 24,
        "compressed": 23,
        "bytes_before_compression": 4_200_000,
        "bytes_after_compression": 300_000,
    }
    small = {"rows_estimate": 7, "bytes": 49_152, "hypertable": False, "chunks": 0, "compressed": 0}
    small |= {"bytes_before_compression": None, "bytes_after_compression": None}
    status = {
        "address": "postgresql://db/trdinger",
        "server": "PostgreSQL 17.5",
        "edition": "none",
        "revision": None,
        "jobs": [],
        "tables": [{"table": "ohlcv_data"} | table, {"table": "backtest_results"} | small],
    }
    show_status(status, console)
    lines = text(console).splitlines()
    assert "none: trdinger db upgrade makes the tables" in text(console)
    assert [line.split() for line in lines[-2:]] == [
        ["ohlcv_data", "5,000,000", "333.8", "MiB", "24", "23", "14.0"],
        ["backtest_results", "7", "48.0", "KiB"],
    ]
    failed = {"job": "refresh of candles_1h", "by": "server", "next_run": None, "error": "no space left"}
    times = {"last_run": "2026-11-25 14:54:00+00:00", "last_success": None}
    show_status(status | {"jobs": [failed | times]}, console)
    last = text(console).splitlines()[-1].split("  ")
    assert [cell.strip() for cell in last if cell] == [
        "refresh of candles_1h",
        "server",
        "2026-11-25 14:54",
        "no space left",
    ]
    show_status(status | {"tables": [], "revision": "0001"}, console)
    assert "It holds none of Trdinger's tables." in text(console)


def test_the_status_of_an_embedded_database_says_where_and_whether_it_runs(console: Console) -> None:
    running = {"url": "postgresql://postgres@127.0.0.1:54320/trdinger", "pid": 4711}
    status = {
        "address": "embedded:",
        "directory": DEEP,
        "server": "x",
        "edition": "community",
        "revision": "1",
    }
    show_status(status | {"running": running, "tables": []}, console)
    show_status(status | {"running": None, "tables": []}, console)
    found = text(console)
    assert f"{running['url']}, process 4711" in found
    assert "only for this answer" in found
    assert DEEP in found
