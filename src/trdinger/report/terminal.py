"""Answers for people at a terminal: plans, reports, inspections, states.

Each takes what the program's JSON holds and prints it on the given console (stdout).
Nothing here is cut: a path or a value that is too long goes on in the next line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from trdinger.report import figures, layout, rejects, words

_SERIES = 12  # series that a table shows; the rest are summed into one line
_DIFFERENCES = 5  # of one table; the report files have up to 20
_PROBLEMS = 20  # values that do not fit; --json has all
_BAR = 24  # cells of a stage's bar


def show_plan(plan: dict[str, Any], console: Console) -> None:
    """What a move would do."""
    rows = sum(table["rows"] for table in plan["tables"])
    layout.title(console, f"{figures.counted(rows, 'row')} would be moved; nothing was written.", good=True)
    facts = [
        ("From", f"{plan['source']} ({figures.size(plan['source_bytes'])})"),
        ("To", plan["target"]),
        ("Server", plan["server"]),
        ("Backup", f"{figures.size(plan['backup_bytes'])} in {plan['workdir']}"),
    ]
    if plan["goes_on_with"]:
        facts.append(("Goes on", f"with the move {plan['goes_on_with']}, from its backup"))
    layout.facts(console, facts)
    table = layout.table("Table", ">Rows", ">Series", "Becomes")
    for each in plan["tables"]:
        layout.row(
            table,
            each["table"],
            figures.count(each["rows"]),
            figures.count(len(each["series"])) if each["series"] else "",
            "hypertable" if each["hypertable"] else "table",
        )
    layout.show(console, table)
    _series(console, plan["tables"])
    layout.listing(console, "Skipped", plan["skipped"])
    layout.listing(console, "Left behind", plan["left_out"])
    layout.listing(console, "Otherwise in the target", plan["otherwise"])
    layout.listing(console, "Not in the file; these arrive empty", plan["missing_tables"])
    layout.listing(
        console,
        "Columns not in the file; these arrive as null",
        [f"{each['table']}.{name}" for each in plan["tables"] for name in each["absent_columns"]],
    )


def show_report(
    report: dict[str, Any],
    console: Console,
    html: Path | None = None,
    data: Path | None = None,
    workdir: Path | None = None,
    *,
    default_target: bool = False,
) -> None:
    """What a move or a verification found. The paths are those of the files that keep it.

    default_target: whether commands go to that target when none is named.
    """
    layout.title(console, words.verdict(report), good=report["result"] in {"equal", "rejected"})
    _differences(console, report)
    rejects.reasons(console, report["rejects"])
    layout.listing(console, "Structure", report["structure"])
    rate = words.rows_per_second(report)
    done = figures.duration(report["seconds"]) + (f", {figures.rate(rate)}" if rate else "")
    layout.facts(
        console,
        [
            ("From", report["source"]),
            ("To", report["target"]),
            ("Server", report["server"]),
            ("Size", words.sizes(report)),
            ("Time", done + (" (a stopped move went on)" if report["resumed"] else "")),
            ("Memory", f"{figures.size(report['peak_memory_bytes'])} at most"),
        ],
    )
    if len(report["stages"]) > 1:
        _stages(console, report["stages"])
    _tables(console, report["tables"])
    layout.listing(console, "Skipped", report["skipped"])
    layout.listing(console, "Left behind", report["left_out"])
    layout.listing(console, "Otherwise in the target", report["otherwise"])
    layout.listing(
        console,
        "Converted",
        [
            f"{figures.count(c['values'])} × {c['table']}.{c['column']}: {c['form']}"
            for c in report["converted"]
        ],
    )
    layout.listing(
        console,
        "Changed: NaN and Infinity in JSON, which became null",
        [f"{figures.count(c['values'])} × {c['table']}.{c['column']}" for c in report["changed"]],
    )
    backup = report["backup"]
    back = words.back(report)
    kept = [
        ("Rejects", report["rejects_file"]),
        ("Changes", report["changes_file"]),
        ("Page", html),
        ("JSON", data),
        ("Work folder", workdir),
        ("Backup", backup["path"]),
    ]
    console.print()
    layout.facts(console, [(name, str(path)) for name, path in kept if path])
    layout.facts(
        console,
        [
            ("SHA-256", backup["sha256"]),
            ("Prove again", words.again(report, default_target=default_target)),
            ("Go back", f"stop the application, then: {back}" if back else ""),
        ],
    )


def show_inspection(found: dict[str, Any], console: Console) -> None:
    """What a file holds, and what does not fit."""
    rows = sum(table["rows"] for table in found["tables"])
    held = f"{figures.counted(rows, 'row')} in {figures.counted(len(found['tables']), 'table')}"
    if found["damage"]:
        shows = f" It shows {held}." if found["tables"] else ""
        layout.title(console, f"SQLite finds the file damaged.{shows}", good=False)
    elif found["problems"]:
        rows = sum(found["rejected"].values())
        layout.title(console, f"{figures.counted(rows, 'row')} of {held} will be set aside.", good=False)
    else:
        layout.title(console, f"Every value fits: {held}.", good=True)
    layout.facts(console, [("File", f"{found['path']} ({figures.size(found['bytes'])})")])
    layout.listing(console, "Damage", found["damage"])
    if found["damage"]:
        lost = "Not even the list of its tables can be read."
        layout.listing(
            console, "What can still be read", [each["sentence"] for each in found["readable"]] or [lost]
        )
        console.print("\nRestore it from a copy, or save what can be read with sqlite3's .recover.")
    _problems(console, found)
    if not found["tables"]:
        return
    table = layout.table("Table", ">Rows", ">Series")
    for each in found["tables"]:
        layout.row(
            table,
            each["table"],
            figures.count(each["rows"]),
            figures.count(len(each["series"])) if each["series"] else "",
        )
    layout.show(console, table)
    _series(console, found["tables"])
    layout.listing(
        console,
        "Written otherwise than the application does; will be converted",
        [
            _conversion(each["table"], conversion)
            for each in found["tables"]
            for conversion in each["converted"]
        ],
    )
    layout.listing(console, "Tables that the file lacks", found["missing_tables"])
    layout.listing(console, "Columns not Trdinger's; a move needs --leave-out for each", found["strangers"])
    layout.listing(console, "What stays behind", found["others"])
    layout.listing(console, "Otherwise in the target", found["otherwise"])


def _differences(console: Console, report: dict[str, Any]) -> None:
    for each in report["tables"]:
        if not each["differences"]:
            continue
        shown = each["shown"][:_DIFFERENCES]
        console.print(
            Text(f"\n{each['table']}: {figures.counted(each['differences'], 'difference')}", style="bold red")
        )
        table = layout.table("~Key", "Column", "~Source", "~Target")
        for one in shown:
            if one["what"] == "value":
                layout.row(table, one["key"], one["column"] or "", one["source"] or "", one["target"] or "")
            else:
                layout.row(
                    table, one["key"], one["column"] or "", one["source"] or "", words.what_differs(one)
                )
        layout.show(console, table)
        layout.more(console, each["differences"] - len(shown))


def _problems(console: Console, found: dict[str, Any]) -> None:
    problems = found["problems"]
    if not problems:
        return
    table = layout.table("Table", ">Row", "Column", "~Value", "~Why it does not fit")
    for one in problems[:_PROBLEMS]:
        layout.row(table, one["table"], str(one["rowid"]), one["column"], one["value"], one["reason"])
    layout.show(console, table)
    values = sum(one["values"] for one in found["rejects"])
    layout.more(console, values - _PROBLEMS, "; a move writes all of them into its rejects file")
    if values > _PROBLEMS:
        rejects.reasons(console, found["rejects"])


def _series(console: Console, tables: Sequence[dict[str, Any]]) -> None:
    for each in tables:
        series = each["series"]
        if not series:
            continue
        table = layout.table(f"~{each['table']}", ">Rows", "First", "Last")
        for one in series[:_SERIES]:
            layout.row(
                table,
                " ".join(one["key"]),
                figures.count(one["rows"]),
                figures.stored_time(one["first"]),
                figures.stored_time(one["last"]),
            )
        if rest := series[_SERIES:]:
            layout.row(
                table,
                f"… and {figures.count(len(rest))} more",
                figures.count(sum(one["rows"] for one in rest)),
                figures.stored_time(min(str(one["first"]) for one in rest)),
                figures.stored_time(max(str(one["last"]) for one in rest)),
                style="dim",
            )
        layout.show(console, table)


def _stages(console: Console, stages: Sequence[dict[str, Any]]) -> None:
    longest = max((stage["seconds"] for stage in stages), default=0) or 1
    fill = "━" if layout.utf8(console) else "="
    table = layout.table("Stage", ">Time", "")
    for stage in stages:
        bar = Text(fill * max(1, round(_BAR * stage["seconds"] / longest)), style="cyan")
        table.add_row(Text(figures.clean(stage["name"])), Text(figures.duration(stage["seconds"])), bar)
    layout.show(console, table)


def _tables(console: Console, tables: Sequence[dict[str, Any]]) -> None:
    sized = any(each["bytes"] for each in tables)
    aside = any(each["rejected"] for each in tables)
    heads = ["Table", ">Rows", *([">Set aside"] if aside else []), ">Cells compared"]
    heads += [*([">Size"] if sized else []), ">Differences"]
    table = layout.table(*heads)
    for each in tables:
        cells = each["cells_compared"]
        differences = each["differences"]
        layout.row(
            table,
            each["table"],
            figures.count(each["rows"]),
            *([figures.count(each["rejected"])] if aside else []),
            figures.count(cells) if cells is not None else "not compared",
            *([figures.size(each["bytes"] or 0)] if sized else []),
            "" if differences is None else figures.count(differences) if differences else "none",
            style="red" if differences else "",
        )
    layout.show(console, table)


def _conversion(table: str, conversion: dict[str, Any]) -> str:
    return f"{figures.count(conversion['values'])} × {table}.{conversion['column']}: {conversion['form']}"
