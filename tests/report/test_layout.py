"""Tables at every width: names and numbers stay whole, texts fold, a pipe gets a row a line."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from trdinger.declaration import TABLES
from trdinger.report import layout
from trdinger.report.status import show_status

JSON = '{"trades":[' + ",".join(["0.12345678901234567"] * 20) + "]}"


def shown(table: Table, width: int) -> list[str]:
    """The lines of a table on a terminal without colours."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    layout.show(console, table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def status_lines(width: int) -> list[str]:
    """The status of a database of many rows."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    each = {
        "rows_estimate": 1_234_567_890,
        "bytes": 987_654_321,
        "hypertable": True,
        "chunks": 1234,
        "compressed": 1233,
        "bytes_before_compression": 98_765,
        "bytes_after_compression": 1_234,
    }
    show_status(
        {
            "address": "postgresql://db/trdinger",
            "server": "PostgreSQL 17.5",
            "edition": "community",
            "revision": "0003",
            "jobs": [],
            "tables": [{"table": name} | each for name in TABLES],
        },
        console,
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()[-len(TABLES) :]


@pytest.mark.parametrize("width", [80, 120, 1 << 20])
def test_a_status_has_a_line_for_each_table(width: int) -> None:
    lines = status_lines(width)
    for line, name in zip(lines, TABLES, strict=True):
        assert line.split() == [name, "1,234,567,890", "941.9", "MiB", "1,234", "1,233", "80.0"]
        assert len(line.rstrip()) <= min(width, 80)


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_cuts_no_name_and_no_number(width: int) -> None:
    for line, name in zip(status_lines(width), TABLES, strict=True):
        assert line.split() == [name, "1,234,567,890", "941.9", "MiB", "1,234", "1,233", "80.0"]


@pytest.mark.parametrize("width", [20, 80, 120])
def test_a_text_folds_and_loses_nothing(width: int) -> None:
    table = layout.table(">Row", "Column", "~Value")
    layout.row(table, "48,213", "performance_metrics", JSON)
    lines = shown(table, width)[2:]
    assert len(lines) > 1
    assert lines[0].split()[:2] == ["48,213", "performance_metrics"]
    assert "".join(lines).replace(" ", "") == "48,213performance_metrics" + JSON
    if width >= 80:
        assert max(map(len, lines)) <= width


def test_a_line_without_end_folds_nothing() -> None:
    table = layout.table("Column", "~Value")
    layout.row(table, "performance_metrics", JSON)
    assert shown(table, 1 << 20)[-1].split() == ["performance_metrics", JSON]


def test_heads_and_cells_are_no_markup_and_no_control() -> None:
    table = layout.table("[red]", "~\x1b[2J")
    layout.row(table, "[bold]x[/bold]", "one\ntwo")
    assert [line.split() for line in (shown(table, 80)[0], shown(table, 80)[-1])] == [
        ["[red]", r"\x1b[2J"],
        ["[bold]x[/bold]", r"one\ntwo"],
    ]
