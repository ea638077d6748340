"""A report as one HTML page that loads nothing: no script, no font, no picture from elsewhere.

Every value is escaped, and what is not printable in it is shown as such.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from trdinger.report import figures, words

_WIDE = 1000  # units of a chart's width
_LEAST = 2  # units of the smallest bar, so that it is seen
_COLOURS = 7  # that the style sheet has


def render(report: dict[str, Any], *, default_target: bool = False) -> str:
    """The page for a report, which is what `Report.as_json()` gives (docs/report.md).

    default_target: whether commands go to the report's target when none is named.
    """
    again = words.again(report, default_target=default_target)
    return _template().render(_view(report), again=again)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("trdinger.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "apart": _apart,
        "count": figures.count,
        "counted": figures.counted,
        "duration": figures.duration,
        "moment": figures.moment,
        "size": figures.size,
        "what_differs": words.what_differs,
    }
    return environment.get_template("report.html.j2")


def _finalize(value: object) -> object:
    return value if isinstance(value, Markup) else figures.clean(value)


def _view(report: dict[str, Any]) -> dict[str, Any]:
    rows, cells = words.compared(report)
    before, after = report["source_bytes"], report["target_bytes"]
    most = max(before, after) or 1
    tables = report["tables"]
    stages = _stages(report["stages"])
    return {
        "report": report,
        "result": report["result"],
        "verdict": words.verdict(report),
        "moved": words.moved(report),
        "differing": words.differing(report),
        "rows": sum(table["rows"] for table in tables),
        "cells": cells,
        "aside": sum(table["rejected"] for table in tables),
        "figures": _figures(report, rows, cells),
        "stages": stages,
        "stages_words": ", ".join(
            f"{stage['name']} {figures.duration(stage['seconds'])} ({stage['share']:.0%})" for stage in stages
        ),
        "sized": after > 0,
        "tables": [table | {"width": _width(table["bytes"] or 0, after)} for table in tables],
        "before_width": _width(before, most),
        "after_width": _width(after, most),
        "shrinking": figures.shrinking(before, after),
        "back": words.back(report),
        "hidden_password": words.hides_password(report),
    }


def _figures(report: dict[str, Any], rows: int, cells: int) -> list[dict[str, str]]:
    """The figures that people want, with what stands under each."""
    held = sum(table["rows"] for table in report["tables"])
    rate = words.rows_per_second(report)
    found = [
        {
            "name": "Rows",
            "value": figures.count(held),
            "under": "all compared" if rows == held else f"{figures.count(rows)} compared",
        },
        {
            "name": "Cells compared",
            "value": figures.short(cells),
            "under": figures.count(cells) if figures.short(cells) != figures.count(cells) else "",
        },
        {
            "name": "Time",
            "value": figures.duration(report["seconds"]),
            "under": f"{figures.rate(rate)}, all stages" if rate else "",
        },
    ]
    before, after = report["source_bytes"], report["target_bytes"]
    if before and after:
        found.append(
            {
                "name": "Size after",
                "value": figures.size(after),
                "under": f"{figures.size(before)} before: {figures.shrinking(before, after)}",
            }
        )
    elif before:
        found.append({"name": "Size of the file", "value": figures.size(before), "under": ""})
    return found


def _stages(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stages with their places in the stacked bar."""
    whole = sum(stage["seconds"] for stage in stages) or 1
    found, at = [], 0.0
    for number, stage in enumerate(stages):
        share = stage["seconds"] / whole
        found.append(
            stage
            | {
                "share": share,
                "colour": number % _COLOURS,
                "x": f"{at * _WIDE:.2f}",
                "width": f"{max(share * _WIDE - 2, 0.5):.2f}",
            }
        )
        at += share
    return found


def _width(amount: int, most: int) -> str:
    if amount <= 0 or most <= 0:
        return "0"
    return f"{max(amount / most * _WIDE, _LEAST):.2f}"


def _apart(difference: dict[str, Any]) -> dict[str, str]:
    """Both values cut where they part and where they meet again, so that the eye finds the place."""
    source, target = (figures.clean(difference[side] or "") for side in ("source", "target"))
    if difference["source"] is None or difference["target"] is None:
        return {"before": source + target, "source": "", "target": "", "after": ""}
    start = _common(source, target)
    end = _common(source[start:][::-1], target[start:][::-1])
    return {
        "before": source[:start],
        "source": source[start : len(source) - end],
        "target": target[start : len(target) - end],
        "after": source[len(source) - end :],
    }


def _common(one: str, other: str) -> int:
    """How many letters two texts share at their beginning."""
    unequal = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(unequal, min(len(one), len(other)))
