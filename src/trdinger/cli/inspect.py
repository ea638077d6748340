"""`trdinger inspect`: what a file holds and whether every value fits. Writes nothing."""

from __future__ import annotations

from typing import Any

import typer

from trdinger.cli.options import Json, Quiet, Source, TextNumbers, answer, print_json
from trdinger.errors import SourceDamaged, SourceError, ValuesDoNotFit
from trdinger.legacy import source as files
from trdinger.legacy.check import Check, check
from trdinger.legacy.damage import by_table
from trdinger.legacy.integrity import integrity
from trdinger.legacy.survey import Survey, survey
from trdinger.legacy.values import Rules
from trdinger.progress import Progress
from trdinger.report.progress import choose
from trdinger.report.terminal import show_inspection


def command(
    source: Source, *, text_numbers: TextNumbers = False, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Look at every value of a SQLite file and tell what does not fit; write nothing.

    Ends with 4 if SQLite finds the file damaged, and then tells what of each table can still be read;
    with 7 if values do not fit.

    Example: trdinger inspect trdinger.db
    """
    file = files.Source(source)
    file.check()
    with choose(quiet=quiet, json=as_json) as progress:
        result = _look(file, Rules(text_numbers=text_numbers), progress)
        progress.end()
    if as_json:
        print_json(result)
    else:
        show_inspection(result, answer())
    if result["damage"]:
        raise typer.Exit(SourceError.exit_code)
    if result["rejected"]:
        raise typer.Exit(ValuesDoNotFit.exit_code)


def _look(file: files.Source, rules: Rules, progress: Progress) -> dict[str, Any]:
    """What an inspection found, for programs and for the table: of a damaged file as much as can be read."""
    found: dict[str, Any] = _of_file(file) | _of_values(Check())
    try:
        progress.stage("Look")
        held = survey(file).judged(rules)
        found |= _of_survey(held, Check())
        progress.stage("Check", total=held.rows)
        checked = check(held, tell=lambda table, rows: progress.advance(rows, detail=table))
        found |= _of_survey(held, checked) | _of_values(checked)
        progress.stage("SQLite's own integrity check", total=None)
        found["damage"] = integrity(file)
    except SourceDamaged as error:
        found["damage"] = [error.message]
    if found["damage"]:
        progress.stage("What can still be read", total=None)
        found["readable"] = [
            {
                "table": each.table,
                "rows": each.readable,
                "gaps": [vars(gap) for gap in each.gaps],
                "sentence": str(each),
            }
            for each in by_table(file, tell=lambda table, rows: progress.advance(rows, detail=table))
        ]
    return found


def _of_file(file: files.Source) -> dict[str, Any]:
    nothing: dict[str, list[Any]] = {
        name: [] for name in ("tables", "damage", "readable", "missing_tables", "strangers", "others")
    }
    return {"path": str(file.path), "bytes": file.bytes} | nothing


def _of_survey(held: Survey, checked: Check) -> dict[str, Any]:
    return {
        "tables": [
            {
                "table": table.shape.name,
                "rows": table.rows,
                "series": [series.as_json() for series in table.series],
                "converted": [
                    {"column": column, "form": form, "values": count}
                    for (name, column, form), count in sorted(checked.converted.items())
                    if name == table.shape.name
                ],
            }
            for table in held.tables
        ],
        "missing_tables": list(held.missing),
        "strangers": list(held.strangers),
        "others": list(held.others),
        "otherwise": list(held.said),
    }


def _of_values(checked: Check) -> dict[str, Any]:
    return {
        "rejected": {table: len(rows) for table, rows in checked.rejected.items() if rows},
        "rejects": [
            {"table": table, "column": column, "reason": reason, "values": count}
            for (table, column, reason), count in sorted(checked.reasons.items())
        ],
        "changed": [
            {"table": table, "column": column, "values": count}
            for (table, column), count in sorted(checked.changed.items())
        ],
        "problems": [vars(bad) for bad in checked.bad],
    }
