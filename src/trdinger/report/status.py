"""At a terminal: what a database is and holds, and how the jobs on it went."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from trdinger.report import figures, layout


def show_status(status: dict[str, Any], console: Console) -> None:
    """What a database is and holds."""
    facts = [("Address", status["address"])]
    if status.get("directory"):
        facts.append(("Directory", status["directory"]))
    if "running" in status:
        running = status["running"]
        facts.append(
            ("Running", f"{running['url']}, process {running['pid']}" if running else "only for this answer")
        )
    facts += [("Server", status["server"]), ("Edition", status["edition"])]
    if status.get("time_zone"):
        facts.append(("Time zone", status["time_zone"]))
    facts.append(("Revision", status["revision"] or "none: trdinger db upgrade makes the tables"))
    layout.facts(console, facts)
    if not status["tables"]:
        console.print("It holds none of Trdinger's tables.")
        return
    table = layout.table("Table", ">Rows, about", ">Size", ">Chunks", ">Compressed", ">Ratio")
    for each in status["tables"]:
        chunks = each["chunks"] if each["hypertable"] else None
        layout.row(
            table,
            each["table"],
            figures.count(each["rows_estimate"]),
            figures.size(each["bytes"]),
            figures.count(chunks) if chunks is not None else "",
            figures.count(each["compressed"]) if chunks is not None else "",
            _ratio(each["bytes_before_compression"], each["bytes_after_compression"]),
        )
    layout.show(console, table)
    if status["jobs"]:
        show_jobs(status["jobs"], console)


def show_jobs(jobs: list[dict[str, Any]], console: Console) -> None:
    """Each job with its last run and what went wrong in it."""
    table = layout.table("Job", "By", "Last run", "Last success", "Next run", "~Error")
    for one in jobs:
        times = [_time(one[name]) for name in ("last_run", "last_success", "next_run")]
        layout.row(table, one["job"], one["by"], *times, one["error"] or "")
    layout.show(console, table)


def _ratio(before: int | None, after: int | None) -> str:
    return f"{before / after:.1f}" if before and after else ""


def _time(moment: Any) -> str:
    return "" if moment is None else str(moment)[:16]
