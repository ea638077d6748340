"""A benchmark for people: a table for the terminal, and a chart.

Takes what the program's JSON holds.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console

from trdinger.report import figures, layout, svg

_WIDTH, _LEFT, _RIGHT = 760, 190, 130  # of the chart: in all, for names, for figures
_TOP, _ROW, _BAR = 64, 34, 18
_OURS, _THEIRS = "#2563eb", "#94a3b8"
_OWN = frozenset({"trdinger", "copy and finish", "proof"})


def show_bench(result: dict[str, Any], console: Console) -> None:
    """What was measured."""
    file = result["file"]
    title = f"{figures.counted(file['rows'], 'row')} of {figures.size(file['bytes'])}, {_runs(result)}"
    layout.title(console, f"{title}; every run of ours was proven equal.", good=True)
    layout.facts(
        console,
        [
            ("File", file["path"]),
            ("Server", result["server"]),
            (
                "Machine",
                f"{figures.counted(result['machine']['cores'], 'core')}, {result['machine']['platform']}",
            ),
            ("Versions", ", ".join(_version(name, said) for name, said in result["versions"].items())),
        ],
    )
    table = layout.table(
        "What", ">Median", ">Spread", ">Rows/s", ">Rows/CPU s", ">× trdinger", ">Memory", ">Size"
    )
    for line in result["lines"]:
        cpu, ratio = line["rows_per_cpu_second"], line["ratios"].get("trdinger")
        layout.row(
            table,
            line["name"],
            figures.duration(line["seconds"]),
            f"{line['spread']:.0%}",
            figures.count(line["rows_per_second"] or 0),
            figures.count(cpu) if cpu is not None else "",
            f"{ratio:.2f}" if ratio is not None else "",
            figures.size(line["peak_memory_bytes"]) if line["name"] != "replay" else "",
            figures.size(line["target_bytes"]),
        )
    layout.show(console, table)
    _parts(console, result["lines"])
    layout.listing(
        console, "Not measured", [f"{each['name']}: {each['reason']}" for each in result["not_measured"]]
    )


def chart(result: dict[str, Any]) -> str:
    """The medians as bars, with the least and the most of the runs, as SVG."""
    lines = result["lines"]
    longest = max((line["most_seconds"] for line in lines), default=0) or 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    height = _TOP + _ROW * len(lines) + 20
    file = result["file"]
    heading = f"{figures.count(file['rows'])} rows, {figures.size(file['bytes'])}: seconds, less is better"
    parts = [
        *svg.begun(_WIDTH, height, heading=heading, font=13),
        svg.text(16, 46, f"{result['server']}; {_runs(result)}", colour=svg.PALE),
    ]
    for at, line in enumerate(lines):
        top = _TOP + _ROW * at
        middle = top + _BAR / 2
        colour = _OURS if line["name"] in _OWN else _THEIRS
        width = max(line["seconds"] * scale, 1)
        least, most = (_LEFT + line[name] * scale for name in ("least_seconds", "most_seconds"))
        parts += [
            svg.text(_LEFT - 10, middle + 5, line["name"], anchor="end"),
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>',
            f'<path d="M{least:.1f} {middle}H{most:.1f}M{least:.1f} {middle - 4}v8M{most:.1f} {middle - 4}v8"'
            f' stroke="{svg.INK}" fill="none"/>',
            svg.text(max(most, _LEFT + width) + 8, middle + 5, figures.duration(line["seconds"])),
        ]
    return svg.ended(parts)


def _runs(result: dict[str, Any]) -> str:
    return f"median of {figures.counted(result['repeat'], 'run')}"


def _version(name: str, said: str) -> str:
    return said if name.lower() in said.lower() else f"{name} {said}"


def _parts(console: Console, lines: list[dict[str, Any]]) -> None:
    table = layout.table("Part", ">Time", ">CPU here", ">CPU server", ">µs CPU a row")
    for line in lines:
        if line["name"] == "copy and finish":  # told among the parts of the whole
            continue
        for part in line["parts"]:
            server, each = part["server_cpu_seconds"], part["cpu_microseconds_a_row"]
            layout.row(
                table,
                f"{line['name']}: {part['name'].lower()}",
                figures.duration(part["seconds"]),
                figures.duration(part["client_cpu_seconds"]),
                figures.duration(server) if server is not None else "",
                f"{each:.2f}" if each is not None else "",
            )
    layout.show(console, table)
