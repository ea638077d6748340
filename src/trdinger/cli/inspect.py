"""`trdinger inspect`: what a file holds and whether every value fits. Writes nothing."""

from __future__ import annotations

from typing import Any

import typer

from trdinger.cli.options import Json, Quiet, Source, TextNumbers, answer, print_json
from trdinger.errors import SourceError, ValuesDoNotFit
from trdinger.legacy import source as files
from trdinger.legacy.check import Check, check, integrity
from trdinger.legacy.survey import Survey, survey
from trdinger.legacy.values import Rules
from trdinger.report.progress import choose
from trdinger.report.terminal import show_inspection


def command(
    source: Source, *, text_numbers: TextNumbers = False, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Look at every value of a SQLite file and tell what does not fit; write nothing.

    Ends with 4 if SQLite finds the file damaged, with 7 if values do not fit.

    Example: trdinger inspect trdinger.db
    """
    file = files.Source(source)
    file.check()
    with choose(quiet=quiet, json=as_json) as progress:
        progress.stage("Look")
        held = survey(file).judged(Rules(text_numbers=text_numbers))
        progress.stage("Check", total=held.rows)
        found = check(held, tell=lambda table, rows: progress.advance(rows, detail=table))
        progress.stage("SQLite's own integrity check", total=None)
        damage = integrity(held.source)
        progress.end()
    result = describe(held, found, damage)
    if as_json:
        print_json(result)
    else:
        show_inspection(result, answer())
    if damage:
        raise typer.Exit(SourceError.exit_code)
    if found.rejects:
        raise typer.Exit(ValuesDoNotFit.exit_code)


def describe(held: Survey, found: Check, damage: list[str]) -> dict[str, Any]:
    """What an inspection found, for programs and for the table."""
    return {
        "path": str(held.source.path),
        "bytes": held.bytes,
        "tables": [
            {
                "table": table.shape.name,
                "rows": table.rows,
                "series": [series.as_json() for series in table.series],
                "converted": [
                    {"column": column, "form": form, "values": count}
                    for (name, column, form), count in sorted(found.converted.items())
                    if name == table.shape.name
                ],
            }
            for table in held.tables
        ],
        "rejected": {table: len(rows) for table, rows in found.rejected.items() if rows},
        "rejects": [
            {"table": table, "column": column, "reason": reason, "values": count}
            for (table, column, reason), count in sorted(found.reasons.items())
        ],
        "changed": [
            {"table": table, "column": column, "values": count}
            for (table, column), count in sorted(found.changed.items())
        ],
        "problems": [vars(bad) for bad in found.bad],
        "damage": damage,
        "missing_tables": list(held.missing),
        "strangers": list(held.strangers),
        "others": list(held.others),
    }
