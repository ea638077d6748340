"""Answers for people about exports, imports and the way back, from what the program's JSON holds."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from trdinger.report import figures, layout, words

_DIFFERENCES = 20
_OTHERS = "Not exported, for they are not Trdinger's"
_LISTED = 20  # values that a file does not hold; --json has all


def show_export_plan(plan: dict[str, Any], console: Console) -> None:
    """What an export into a file of the existing application would do."""
    rows = sum(table["rows"] for table in plan["tables"])
    layout.title(console, f"{figures.counted(rows, 'row')} would be written; nothing was.", good=True)
    layout.facts(
        console,
        [
            ("From", plan["source"]),
            ("Server", plan["server"]),
            ("To", plan["path"]),
            ("Size", f"about {figures.size(plan['bytes'])}; {figures.size(plan['free_bytes'])} are free"),
        ],
    )
    table = layout.table("Table", ">Rows", ">Series")
    for each in plan["tables"]:
        layout.row(
            table,
            each["table"],
            figures.count(each["rows"]),
            figures.count(each["series"]) if each["series"] else "",
        )
    layout.show(console, table)


def show_export(done: dict[str, Any], console: Console) -> None:
    """What was written into a file of the existing application, and what its proof found."""
    layout.title(console, _verdict(done), good=done["result"] == "equal" and not done["not_held"])
    layout.facts(
        console,
        [
            ("From", done["source"]),
            ("Server", done["server"]),
            ("To", done["path"]),
            ("Size", figures.size(done["bytes"])),
            ("Time", figures.duration(done["seconds"])),
        ],
    )
    table = layout.table("Table", ">Rows", ">Left out", ">Cells compared", ">Differences")
    for each in done["tables"]:
        layout.row(
            table,
            each["table"],
            figures.count(each["rows"]),
            figures.count(each["rows_left_out"]) if each["rows_left_out"] else "",
            figures.count(each["cells_compared"]),
            figures.count(each["differences"]) if each["differences"] else "none",
        )
    layout.show(console, table)
    listed = [one["sentence"] for one in done["not_held"]]
    layout.listing(console, "What SQLite cannot hold as it is", listed[:_LISTED])
    layout.more(console, len(listed) - _LISTED, "; --json lists all")
    if done["result"] != "equal":
        shown = [one["sentence"] for each in done["tables"] for one in each["shown"]]
        layout.listing(console, "Differences, the file as the source", shown[:_DIFFERENCES])
        layout.more(console, len(shown) - _DIFFERENCES, "; --json lists more")
    layout.listing(console, "The database's structure", done["structure"])
    layout.listing(console, _OTHERS, done["others"])


def show_written(done: dict[str, Any], console: Console) -> None:
    """What was written into a folder for other programs."""
    rows = sum(table["rows"] for table in done["tables"])
    files = figures.counted(len(done["tables"]), "file")
    sentence = f"{figures.counted(rows, 'row')} in {files}."
    if done["not_held"]:
        left_out = sum(table["rows_left_out"] for table in done["tables"])
        sentence += f" {figures.counted(left_out, 'row')} left out."
    layout.title(console, sentence, good=not done["not_held"])
    layout.facts(
        console,
        [
            ("From", done["source"]),
            ("Server", done["server"]),
            ("To", done["path"]),
            ("Size", figures.size(done["bytes"])),
            ("Time", figures.duration(done["seconds"])),
        ],
    )
    table = layout.table("File", ">Rows", ">Left out", ">Size")
    for each in done["tables"]:
        left_out = figures.count(each["rows_left_out"]) if each["rows_left_out"] else ""
        layout.row(table, each["file"], figures.count(each["rows"]), left_out, figures.size(each["bytes"]))
    layout.show(console, table)
    listed = [one["sentence"] for one in done["not_held"]]
    layout.listing(console, "What does not fit", listed[:_LISTED])
    layout.more(console, len(listed) - _LISTED, "; manifest.json lists all")
    layout.listing(console, _OTHERS, done["others"])


def _verdict(done: dict[str, Any]) -> str:
    rows = sum(table["rows_compared"] for table in done["tables"])
    cells = sum(table["cells_compared"] for table in done["tables"])
    looked = f"{figures.counted(rows, 'row')}, {figures.counted(cells, 'cell')} compared"
    if done["result"] != "equal":
        return f"Not equal: {figures.counted(words.differing(done), 'difference')}; {looked}."
    if done["not_held"]:
        lost = figures.counted(len(done["not_held"]), "value")
        return f"All is equal but {lost} that SQLite cannot hold: {looked}."
    return f"Every cell is equal: {looked}."


def show_import(done: dict[str, Any], console: Console) -> None:
    """What became of the rows of files, or would."""
    new, known, rejected = (
        sum(each[name] for each in done["tables"]) for name in ("new", "known", "rejected")
    )
    sentence = f"{figures.counted(new, 'new row')}{'' if done['writes'] else ' would come in'}"
    sentence += f", {figures.count(known)} known already"
    sentence += f", {figures.count(rejected)} rejected." if rejected else "."
    layout.title(console, sentence, good=not rejected)
    layout.facts(
        console,
        [("From", done["path"]), ("To", done["target"]), ("Rejects", done["rejects"] or "")],
    )
    table = layout.table("Table", ">Rows", ">New", ">Known", ">Known otherwise", ">Rejected")
    for each in done["tables"]:
        layout.row(
            table,
            each["table"],
            figures.count(each["rows"]),
            figures.count(each["new"]),
            figures.count(each["known"]),
            figures.count(each["known_differing"]) if each["known_differing"] else "",
            figures.count(each["rejected"]) if each["rejected"] else "",
        )
    layout.show(console, table)
    if any(each["known_differing"] for each in done["tables"]):
        console.print("\n  Known otherwise: the database has other values, and keeps them.")
    layout.listing(console, "What does not fit", [one["sentence"] for one in done["shown"]])
    layout.more(console, done["unfit_values"] - len(done["shown"]), "; the rejects file has all")


def show_rollback(done: dict[str, Any], console: Console, *, plan_only: bool) -> None:
    """What was put in its place again and what is kept, or what would be."""
    if done["already_done"]:
        sentence = f"{done['path']} is the backup already; nothing was done."
    elif plan_only:
        sentence = f"{done['path']} would be replaced by its backup; nothing was changed."
    else:
        sentence = f"{done['path']} is as it was backed up."
    layout.title(console, sentence, good=True)
    beside = f", with its {', '.join(done['kept_beside'])}" if done["kept_beside"] else ""
    layout.facts(
        console,
        [
            ("Backup", f"{done['backup']['path']} ({figures.size(done['backup']['bytes'])})"),
            ("SHA-256", done["backup"]["sha256"]),
            ("Kept", f"what was there before: {done['kept']}{beside}" if done["kept"] else ""),
            ("Next", "" if plan_only else "take DATABASE_URL away and start the application"),
        ],
    )
    layout.listing(console, "Older backups, which --backup restores", done["older_backups"])
