"""Rejected rows for people at a terminal. Takes what the program's JSON holds."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from trdinger.report import figures, layout

_SHOWN = 20  # reasons or rows of a table; --json lists all


def show_list(told: dict[str, Any], console: Console) -> None:
    """How many rows a rejects file holds, and why."""
    rows = sum(told["rows"].values())
    layout.title(console, f"{figures.counted(rows, 'row')} set aside.", good=not rows)
    layout.facts(console, [("File", told["file"]), ("Of", told["source"])])
    reasons(console, told["reasons"])
    layout.listing(
        console, "Rows", [f"{figures.count(count)} of {name}" for name, count in told["rows"].items()]
    )


def reasons(console: Console, found: list[dict[str, Any]]) -> None:
    """Why values do not fit, the most frequent first."""
    if not found:
        return
    table = layout.table("Table", "Column", "~Why it does not fit", ">Values")
    ordered = sorted(found, key=lambda one: -one["values"])
    for one in ordered[:_SHOWN]:
        layout.row(table, one["table"], one["column"], one["reason"], figures.count(one["values"]))
    layout.show(console, table)
    layout.more(console, len(ordered) - _SHOWN, "; --json lists all")


def show_row(told: dict[str, Any], console: Console) -> None:
    """One rejected row."""
    layout.title(console, f"{told['table']} row {told['row']}", good=False)
    why = {bad["column"]: bad["reason"] for bad in told["reasons"]}
    table = layout.table("Column", "~Stored", "~Why it does not fit")
    for name, value in told["values"].items():
        layout.row(table, name, json.dumps(value, ensure_ascii=False), why.get(name, ""))
    layout.show(console, table)
    layout.listing(console, "Besides", [reason for name, reason in why.items() if name not in told["values"]])


def show_replay(told: dict[str, Any], console: Console) -> None:
    """What became of the rows of a rejects file."""
    done, known = (sum(told[name].values()) for name in ("replayed", "known"))
    left = len({(bad["table"], bad["rowid"]) for bad in told["left"]})
    verb = "put in" if told["writes"] else "would be put in; nothing was written"
    layout.title(console, f"{figures.counted(done, 'row')} {verb}.", good=not left)
    layout.facts(
        console,
        [
            ("File", told["file"]),
            ("To", told["target"]),
            ("In already", figures.counted(known, "row") if known else ""),
            ("Left", figures.counted(left, "row") if left else ""),
        ],
    )
    if told["left"]:
        table = layout.table("Table", ">Row", "Column", "~Why it stays out")
        for bad in told["left"][:_SHOWN]:
            layout.row(table, bad["table"], str(bad["rowid"]), bad["column"], bad["reason"])
        layout.show(console, table)
        layout.more(console, len(told["left"]) - _SHOWN, "; --json lists all")
