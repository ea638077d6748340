"""`trdinger db retention`: rows past the age that they are kept for, into the archive."""

from __future__ import annotations

from typing import Annotated

import typer

from trdinger.archive.place import place
from trdinger.cli.options import (
    ArchiveAt,
    Json,
    Quiet,
    Tables,
    To,
    answer,
    archive_address,
    print_json,
    series_chosen,
    target,
)
from trdinger.declaration import Lifecycle
from trdinger.engine.open import open_database
from trdinger.errors import UsageError
from trdinger.report.lifecycle import show_retention
from trdinger.report.progress import choose
from trdinger.settings import age, load
from trdinger.upkeep import retention as rows

Keep = Annotated[
    str | None,
    typer.Option(
        "--keep",
        metavar="AGE",
        help="Keep rows of the tables that are named for so long: 400d, 2y. Default: the settings.",
        show_default=False,
    ),
]
Plan = Annotated[
    bool, typer.Option("--plan", help="Say which chunks would go, with their rows; write nothing.")
]


def retention(
    *,
    to: To = None,
    table: Tables = None,
    keep: Keep = None,
    archive: ArchiveAt = None,
    plan_only: Plan = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write chunks past their age into the archive, prove them there, and only then drop them.

    Every value is read back from the archive and compared, and the chunk once more while nobody can write
    to it. Whatever stops it, each chunk is in the database, in the archive, or in both; the same command goes
    on. Without an age in the settings or here nothing is dropped.

    \b
    Examples:
      trdinger db retention --plan
      trdinger db retention --table ohlcv_data --keep 2y --archive candles-archive
    """
    settings = load()
    chosen = series_chosen(table)
    if keep is not None and table is None:
        raise UsageError(
            "--keep needs the tables that it is meant for.", hint="Name them: --table ohlcv_data."
        )
    ages = settings.lifecycle.keep if keep is None else dict.fromkeys(chosen, age(keep))
    asked = Lifecycle(
        settings.lifecycle.compress_after,
        {name: given for name, given in ages.items() if name in chosen},
        settings.lifecycle.refresh_window,
    )
    address, options = target(to)
    with choose(quiet=quiet, json=as_json) as progress, open_database(address, options) as database:
        planned = rows.plan(database, asked.keep)
        where = None
        if planned and not plan_only:
            where = place(archive_address(archive))
            planned = list(rows.run(database, planned, where, progress))
            progress.end()
        elif archive or settings.trdinger_archive:
            where = place(archive_address(archive))
        told = {
            "address": str(database),
            "archive": str(where) if where else None,
            "writes": not plan_only,
            "rows": sum(one.rows for one in planned),
            "pieces": [one.as_json() for one in planned],
        }
    if as_json:
        print_json(told)
    else:
        show_retention(told, answer())
