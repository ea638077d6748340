"""Layouts of candles for people: what each costs, how fast it answers, how long it is planned.

Takes what the program's JSON holds.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console

from trdinger.report import figures, layout


def show_layouts(result: dict[str, Any], console: Console) -> None:
    """What was measured."""
    file = result["file"]
    title = (
        f"{figures.counted(file['candles'], 'candle')} of {file['series']} series,"
        f" {figures.moment(file['first'])} to {figures.moment(file['last'])}; each layout was proven equal."
    )
    layout.title(console, title, good=True)
    machine = result["machine"]
    layout.facts(
        console,
        [
            ("File", file["path"]),
            ("Server", result["server"]),
            ("Machine", f"{figures.counted(machine['cores'], 'core')}, {machine['platform']}"),
            ("Answers", f"medians of {figures.counted(result['repeat'], 'round')}, in milliseconds"),
        ],
    )
    _costs(result, console)
    _times(result, console, "Answers, ms", "milliseconds")
    _times(result, console, "Planning, ms", "plan_milliseconds")
    layout.listing(console, "Questions", [f"{each['name']}: {each['what']}" for each in result["questions"]])


def _costs(result: dict[str, Any], console: Console) -> None:
    table = layout.table("Layout", ">Chunks", ">Size", ">Bytes a row", ">Load", ">µs CPU a row", "What")
    for line in result["layouts"]:
        cpu = line["cpu_microseconds_a_row"]
        layout.row(
            table,
            _name(line),
            figures.count(line["chunks"]),
            figures.size(line["bytes"]),
            f"{line['bytes_a_row']:.1f}",
            figures.duration(line["load_seconds"]),
            f"{cpu:.2f}" if cpu is not None else "",
            line["what"],
        )
    layout.show(console, table)


def _times(result: dict[str, Any], console: Console, head: str, what: str) -> None:
    planning = what == "plan_milliseconds"
    names = [each["name"] for each in result["layouts"][0]["asked"] if each[what] is not None]
    first = ["first, new connection"] if planning else []
    table = layout.table(head, *(f">{name}" for name in (*first, *names)))
    for line in result["layouts"]:
        times = {each["name"]: each[what] for each in line["asked"]}
        cells = [line["first_plan_milliseconds"]] if planning else []
        layout.row(
            table,
            _name(line),
            *(_milliseconds(each) for each in (*cells, *(times[name] for name in names))),
        )
    layout.show(console, table)


def _name(line: dict[str, Any]) -> str:
    return f"{line['name']} (declared)" if line["declared"] else str(line["name"])


def _milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
