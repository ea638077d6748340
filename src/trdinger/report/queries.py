"""How fast questions are answered, for people: tables for the terminal, and a chart.

Takes what the program's JSON holds.
"""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console

from trdinger.report import figures, layout, svg

_WIDTH, _LEFT, _RIGHT = 860, 300, 150  # of the chart: in all, for names, for figures
_TOP, _ROW, _BAR, _GAP = 64, 20, 13, 16
_COLOURS = {"trdinger": "#2563eb", "application": "#dc2626"}
_OTHERS = "#94a3b8"


def show_queries(result: dict[str, Any], console: Console) -> None:
    """What was measured, what it is beside the others, and what of the aims is met."""
    aims = [aim for one in _parts(result) for aim in one["aims"]]
    met = sum(aim["met"] for aim in aims)
    sentence = f"Every answer is the one the existing application gives; {met} of {len(aims)} aims are met."
    layout.title(console, sentence, good=met == len(aims))
    layout.facts(
        console,
        [
            (
                "File",
                f"{result['file']['path']}, {figures.size(result['file']['bytes'])},"
                f" {figures.counted(result['file']['candles'], 'candle')}",
            ),
            ("Server", result["server"]),
            (
                "Machine",
                f"{figures.counted(result['machine']['cores'], 'core')}, {result['machine']['platform']}",
            ),
            ("Versions", ", ".join(f"{name} {said}" for name, said in result["versions"].items())),
        ],
    )
    table = layout.table("Question", "By", ">Median", ">Least", ">Most", ">Runs", ">× trdinger", "Aim")
    for one in result["questions"]:
        aims_of = {aim["than"]: aim for aim in one["aims"]}
        for at, answer in enumerate(one["answers"]):
            times = answer["times_ours"]
            layout.row(
                table,
                f"{one['what']}, {figures.count(one['rows'])}" if at == 0 else "",
                answer["by"],
                *(milliseconds(answer[name]) for name in ("seconds", "least_seconds", "most_seconds")),
                str(answer["runs"]),
                _times(times) if times is not None and answer["by"] != "trdinger" else "",
                _aim(aims_of.get(answer["by"])),
            )
    layout.show(console, table)
    if result["size"]["sizes"]:
        _sizes(console, result["size"])
    if result["load"]["sides"]:
        _load(console, result)
    absent = [f"{each['name']}: {each['reason']}" for each in result["not_measured"]]
    layout.listing(console, "Not measured", absent)


def chart(result: dict[str, Any]) -> str:
    """The medians of each question as bars, as SVG: each ten times longer is the same step to the right."""
    shown = [(one, answer) for one in result["questions"] for answer in one["answers"]]
    least = min((answer["seconds"] for _, answer in shown), default=1e-3)
    most = max((answer["seconds"] for _, answer in shown), default=1.0)
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    step = (_WIDTH - _LEFT - _RIGHT) / max(high - low, 1)
    height = _TOP + _ROW * len(shown) + _GAP * len(result["questions"]) + 20
    heading = "Time to answer, less is better; each line to the right is ten times as long"
    parts = [
        *svg.begun(_WIDTH, height, heading=heading, font=12),
        svg.text(
            16,
            44,
            f"{figures.counted(result['file']['candles'], 'candle')}; {result['server']}",
            colour=svg.PALE,
        ),
    ]
    for power in range(low, high + 1):
        x = _LEFT + (power - low) * step
        parts += [
            f'<path d="M{x:.1f} {_TOP - 4}V{height - 12}" stroke="#e2e8f0"/>',
            svg.text(x, _TOP - 8, milliseconds(10.0**power), colour=svg.PALE, anchor="middle"),
        ]
    top = _TOP
    for one in result["questions"]:
        parts.append(svg.text(16, top + _BAR, one["what"]))
        for answer in one["answers"]:
            width = max((math.log10(max(answer["seconds"], 1e-9)) - low) * step, 1)
            colour = _COLOURS.get(answer["by"], _OTHERS)
            parts += [
                f'<rect x="{_LEFT}" y="{top + 2}" width="{width:.1f}" height="{_BAR}" rx="2"'
                f' fill="{colour}"/>',
                svg.text(_LEFT + width + 6, top + _BAR, f"{answer['by']} {milliseconds(answer['seconds'])}"),
            ]
            top += _ROW
        top += _GAP
    return svg.ended(parts)


def milliseconds(seconds: float) -> str:
    """0.00042 → "0.42 ms", 0.066 → "66 ms", 8.1 → "8.1 s"."""
    if seconds >= 1:
        return figures.duration(seconds)
    amount = seconds * 1000
    return f"{amount:.2f} ms" if amount < 9.995 else f"{amount:.0f} ms"


def _parts(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [*result["questions"], result["size"], result["load"]]


def _times(times: float) -> str:
    return f"{times:,.0f}" if times >= 9.95 else f"{times:.2f}"


def _aim(aim: dict[str, Any] | None) -> str:
    if aim is None:
        return ""
    return f"{aim['times']:g} {'met' if aim['met'] else 'missed'}"


def _sizes(console: Console, size: dict[str, Any]) -> None:
    aims = {aim["than"]: aim for aim in size["aims"]}
    table = layout.table("Size", ">Bytes", "Aim")
    for one in size["sizes"]:
        aim = aims.get(one["of"])
        said = f"{aim['reached']:.1f} times ours, {_aim(aim)}" if aim else ""
        layout.row(table, one["of"], figures.size(one["bytes"]), said)
    layout.show(console, table)


def _load(console: Console, result: dict[str, Any]) -> None:
    clients = result["clients"]
    table = layout.table(
        f"{clients['readers']} readers, {clients['writers']} writers",
        ">Requests", ">p50", ">p99", ">Pages", ">Page p50", ">Page p99", ">Errors",
    )  # fmt: skip
    for one in result["load"]["sides"]:
        layout.row(
            table,
            one["by"],
            figures.count(one["requests"]),
            *(_known(one[name]) for name in ("p50_seconds", "p99_seconds")),
            figures.count(one["pages"]),
            *(_known(one[name]) for name in ("page_p50_seconds", "page_p99_seconds")),
            figures.count(one["errors"]),
        )
    layout.show(console, table)


def _known(seconds: float | None) -> str:
    return "" if seconds is None else milliseconds(seconds)
