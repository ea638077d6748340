"""A report in words: the verdict and the figures that the terminal and the page both show."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import Any

from trdinger.report import figures

_STARS = ":***@"  # what an address shows for its password
_DIFFERENCES = {
    "missing": "missing in the target",
    "extra": "in the target only",
    "repeated": "more than once in the target",
    "value": "differs",
    "unread": "counted in the source, not read",
}


def compared(report: dict[str, Any]) -> tuple[int, int]:
    """Rows and cells that were compared, over all tables."""
    tables = report["tables"]
    return (
        sum(table["rows_compared"] or 0 for table in tables),
        sum(table["cells_compared"] or 0 for table in tables),
    )


def differing(report: dict[str, Any]) -> int:
    """How many differences there are, over all tables."""
    return sum(table["differences"] or 0 for table in report["tables"])


def verdict(report: dict[str, Any]) -> str:
    """The result in one sentence."""
    rows, cells = compared(report)
    looked = f"{figures.counted(rows, 'row')}, {figures.counted(cells, 'cell')} compared"
    if report["result"] == "equal":
        return f"Every cell is equal: {looked}."
    if report["result"] == "rejected":
        aside = sum(table["rejected"] for table in report["tables"])
        return f"Every cell is equal: {looked}; {figures.counted(aside, 'row')} set aside."
    if report["result"] == "unproven":
        return "Nothing was compared yet; trdinger verify does it."
    found, faults = differing(report), len(report["structure"])
    structure = f"{figures.counted(faults, 'problem')} of the structure"
    if not found:
        return f"Every cell is equal, but there {'is' if faults == 1 else 'are'} {structure}: {looked}."
    where = [table["table"] for table in report["tables"] if table["differences"]]
    named = where[0] if len(where) == 1 else f"{len(where)} tables"
    besides = f" and {structure}" if faults else ""
    return f"Not equal: {figures.counted(found, 'difference')} in {named}{besides}; {looked}."


def what_differs(difference: dict[str, Any]) -> str:
    """What is wrong about the row or the cell of one difference."""
    return _DIFFERENCES.get(difference["what"], figures.clean(difference["what"]))


def moved(report: dict[str, Any]) -> bool:
    """Whether the report is of a move; otherwise it is of a verification alone."""
    return any(stage["name"] != "Verify" for stage in report["stages"])


def rows_per_second(report: dict[str, Any]) -> float | None:
    """Rows of the source per second of all stages together; None where there is no time."""
    rows = sum(table["rows"] for table in report["tables"])
    return rows / report["seconds"] if report["seconds"] > 0 and rows else None


def sizes(report: dict[str, Any]) -> str:
    """ "1.7 GiB → 402.0 MiB, 4.3 times smaller"; the source's alone where the target's is unknown."""
    before, after = report["source_bytes"], report["target_bytes"]
    if not after:
        return figures.size(before)
    return f"{figures.size(before)} → {figures.size(after)}, {figures.shrinking(before, after)}"


def again(report: dict[str, Any], *, default_target: bool = False) -> str:
    """The command that repeats the proof, without a password: see `hides_password`.

    default_target: whether commands go to that target when none is named.
    """
    source = report["backup"]["path"] or report["source"]
    if default_target:
        return f"trdinger verify {_quoted(source)}"
    return f"trdinger verify {_quoted(source)} --to {_quoted(report['target'].replace(_STARS, '@'))}"


def hides_password(report: dict[str, Any]) -> bool:
    """Whether the target has a password, which a report never holds."""
    return _STARS in report["target"]


def back(report: dict[str, Any]) -> str:
    """The command that puts the file back as it was; empty where there is no backup."""
    if not report["backup"]["path"]:
        return ""
    source, workdir = PurePath(report["source"]), report["workdir"]
    beside = not workdir or PurePath(workdir) == source.with_name(f"{source.stem}-move")
    return f"trdinger rollback {_quoted(str(source))}" + ("" if beside else f" --workdir {_quoted(workdir)}")


def _quoted(text: str) -> str:
    return shlex.quote(figures.clean(text))
