"""The moves that a ledger knows, for people at a terminal. Takes what the program's JSON holds."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from trdinger.report import figures, layout
from trdinger.report.terminal import show_report

_STATES = {
    "under way": "under way",
    "unfinished": "unfinished: it was stopped before its end",
    "differs": "at its end, but not proven: see its report",
    "finished": "finished, and proven equal",
}


def show_moves(moves: list[dict[str, Any]], console: Console) -> None:
    """Every move, a line each."""
    table = layout.table("Id", "State", "~Source", "Started, UTC", "Finished, UTC", ">Rows", ">Rejects")
    for move in moves:
        layout.row(
            table,
            move["id"][:8],
            move["state"],
            move["source"],
            _minute(move["started"]),
            _minute(move["finished"]),
            figures.count(move["rows"]),
            figures.count(move["rejects"]),
        )
    layout.show(console, table)


def show_move(move: dict[str, Any], console: Console) -> None:
    """Everything that the ledger has of one move, its report included."""
    backup = move["backup"]
    gone = "" if backup["there"] else "; it is not there any more"
    layout.facts(
        console,
        [
            ("Id", move["id"]),
            ("State", _STATES[move["state"]]),
            ("Source", move["source"]),
            ("Backup", f"{backup['path']} ({figures.size(backup['bytes'])}){gone}"),
            ("SHA-256", backup["sha256"]),
            ("Started", f"{_second(move['started'])} by {move['worker']}, trdinger {move['trdinger']}"),
            ("Finished", _second(move["finished"])),
            ("Replacing", "what the target held before" if move["replacing"] else ""),
        ],
    )
    if move["tables"]:
        table = layout.table("Table", ">Units", ">Rows", ">Rejects", ">Replayed")
        for each in move["tables"]:
            numbers = [figures.count(each[name]) for name in ("units", "rows", "rejects", "replayed")]
            layout.row(table, each["table"], *numbers)
        layout.show(console, table)
    if move["steps"]:
        table = layout.table("Step after the copy", ">Time", "Done")
        for each in move["steps"]:
            layout.row(table, each["name"], figures.duration(each["seconds"]), _second(each["done"]))
        layout.show(console, table)
    if move["report"]:
        console.print("\nIts report\n")
        show_report(move["report"], console)


def show_cleaning(cleaning: dict[str, Any], console: Console, *, to: str) -> None:
    """What was removed, or would be, and what stays. to: the option that names the target, with its blank."""
    done = cleaning["removed"]
    rows, tables = sum(cleaning["rows"].values()), len(cleaning["rows"])
    what = f"{figures.counted(rows, 'row')} of {figures.counted(tables, 'table')}" if rows else "no rows"
    verb = "Removed" if done else "Would be removed"
    layout.title(
        console, f"{verb}: {what}, and the lines of the move {cleaning['id'][:8]} in the ledger.", good=True
    )
    layout.facts(console, [("Source", cleaning["source"])])
    if rows:
        table = layout.table("Table", ">Rows")
        for name, count in cleaning["rows"].items():
            layout.row(table, name, figures.count(count))
        layout.show(console, table)
    backup = cleaning["backup"]
    held = f"{backup['path']} ({figures.size(backup['bytes'])})"
    if backup["removed"]:
        console.print(f"\nIts backup was removed: {held}", markup=False, soft_wrap=True)
    elif backup["there"]:
        console.print(
            f"\nIts backup stays: {held}. Delete it when you need it no more.", markup=False, soft_wrap=True
        )
    if not done:
        console.print(
            f"\nNothing was written. To do it: trdinger migrations clean {cleaning['id'][:8]} {to}--yes",
            markup=False,
            soft_wrap=True,
        )


def _second(moment: str | None) -> str:
    return f"{moment[:19].replace('T', ' ')} UTC" if moment else ""


def _minute(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else ""
