"""At a terminal: what an archive holds, what retention does, how jobs went, what the doctor found."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from trdinger.report import figures, layout

_SHOWN = 20  # pieces that are listed one by one


def show_archive(held: dict[str, Any], console: Console) -> None:
    """Every series of an archive."""
    layout.facts(
        console,
        [
            ("Archive", held["archive"]),
            ("Files", f"{figures.count(held['files'])}, {figures.size(held['bytes'])}"),
            ("Rows", figures.count(held["rows"])),
        ],
    )
    if held["open"]:
        console.print(
            "One chunk is open: a process was stopped between archive and database. The next goes on."
        )
    table = layout.table("Table", "Symbol", "Timeframe", "First", "Last", ">Rows", ">Size")
    for one in held["series"]:
        layout.row(
            table,
            one["table"],
            one["symbol"],
            one["timeframe"] or "",
            _minute(one["first"]),
            _minute(one["last"]),
            figures.count(one["rows"]),
            figures.size(one["bytes"]),
        )
    if held["series"]:
        layout.show(console, table)


def show_retention(told: dict[str, Any], console: Console) -> None:
    """What is past its age, or what went into the archive."""
    pieces, rows = told["pieces"], figures.count(told["rows"])
    if not pieces:
        console.print(f"{told['address']}: nothing is past the age that it is kept for.", markup=False)
        return
    table = layout.table("Table", "From", "Until", ">Rows", "Chunk")
    for one in pieces[:_SHOWN]:
        start, end = one["start"][:10], one["end"][:10]
        layout.row(table, one["table"], start, end, figures.count(one["rows"]), one["chunk"] or "plain table")
    layout.show(console, table)
    layout.more(console, len(pieces) - _SHOWN)
    where = told["archive"] or "the archive, once one is named"
    if told["writes"]:
        said = f"{rows} rows are in {where}, proven, and no longer in {told['address']}."
    else:
        said = f"{rows} rows would go into {where}; nothing was written."
    console.print(f"\n{said}", markup=False, soft_wrap=True)


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
