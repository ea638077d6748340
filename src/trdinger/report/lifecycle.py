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


def show_policies(told: dict[str, Any], console: Console) -> None:
    """Each policy and whether it is set."""
    table = layout.table("Policy", "On", "What", "Job", "State")
    for one in told["policies"]:
        if one["kind"] == "compression":
            what = f"after {figures.age(one['after'])}" if one["after"] else "none"
        else:
            reach, behind, every = (figures.age(one[name]) for name in ("reach", "behind", "every"))
            what = f"from {reach} back to {behind} back, every {every}"
        job = str(one["job"]) if one["job"] else ""
        layout.row(table, one["kind"], one["relation"], what, job, one["state"])
    if told["policies"]:
        layout.show(console, table)
    for sentence in told["said"]:
        console.print(sentence, markup=False, soft_wrap=True)


def show_compression(told: dict[str, Any], console: Console) -> None:
    """The chunks that were compressed, or would be."""
    chunks = told["chunks"]
    table = layout.table("Table", "From", "Until", "Chunk", ">Before", ">After")
    for one in chunks[:_SHOWN]:
        after = figures.size(one["bytes_after"]) if one["bytes_after"] is not None else ""
        before, start, end = figures.size(one["bytes_before"]), one["start"][:10], one["end"][:10]
        layout.row(table, one["table"], start, end, one["chunk"], before, after)
    if chunks:
        layout.show(console, table)
        layout.more(console, len(chunks) - _SHOWN)
    done = "were compressed" if told["writes"] else "would be compressed; nothing was written"
    console.print(f"{told['address']}: {figures.counted(len(chunks), 'chunk')} {done}.", markup=False)


def show_findings(told: dict[str, Any], console: Console) -> None:
    """What a doctor found, each with its fix, and which checks found nothing."""
    findings = told["findings"]
    ill = {one["check"] for one in findings}
    well = [name for name in told["checks"] if name not in ill]
    worst = any(one["level"] == "wrong" for one in findings)
    layout.title(console, f"{told['address']}: {figures.counted(len(findings), 'finding')}.", good=not worst)
    for one in findings:
        sign = "wrong" if one["level"] == "wrong" else "note"
        console.print(f"\n  {sign}, {one['check']}: {one['said']}", markup=False, soft_wrap=True)
        console.print(f"    → {one['fix']}", markup=False, soft_wrap=True)
    if well:
        console.print(f"\n  Well: {', '.join(well)}.", markup=False, soft_wrap=True)
