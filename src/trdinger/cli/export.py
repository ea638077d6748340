"""`trdinger export`: the database as it is now, as the existing application's file or for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import Json, Quiet, answer, print_json, target
from trdinger.engine.open import open_database
from trdinger.errors import UsageError, ValuesDiffer, ValuesDoNotFit
from trdinger.export.application import export, plan
from trdinger.report.exports import show_export, show_export_plan
from trdinger.report.progress import choose

Out = Annotated[
    Path, typer.Argument(metavar="FILE", help="The new SQLite file to write.", show_default=False)
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="ADDRESS",
        help="The database to read: postgresql://user@host/database, or embedded:[DIRECTORY]. Default:"
        " DATABASE_URL or DB_HOST if they name PostgreSQL, else the embedded TimescaleDB.",
        show_default=False,
    ),
]
Plan = Annotated[bool, typer.Option("--plan", help="Say what would be written, and how much; write nothing.")]


def command(
    path: Out,
    *,
    source: From = None,
    plan_only: Plan = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the database as it is now into a new SQLite file that the existing application opens.

    Everything is read from one moment, and the file is compared with the database, cell by cell. Ends
    with 6 if any value differs, with 7 if some have no form in SQLite; these are listed.

    \b
    Examples:
      trdinger export back.db --plan
      trdinger export back.db
      trdinger export server.db --from postgresql://trdinger@localhost/trdinger
    """
    address, connecting = target(source)
    if address.kind == "sqlite":
        raise UsageError(
            f"{address} is a SQLite file already.", hint="Copy it safely with: trdinger backup FILE"
        )
    with (
        choose(quiet=quiet, json=as_json) as progress,
        open_database(address, connecting, writes=False) as database,
    ):
        if plan_only:
            planned = plan(database, path).as_json()
            progress.end()
            print_json(planned) if as_json else show_export_plan(planned, answer())
            return
        done = export(database, path, progress)
        progress.end()
    told = done.as_json()
    if as_json:
        print_json(told)
    else:
        show_export(told, answer())
    if not done.equal:
        raise ValuesDiffer(
            f"{path} and the database are not equal.",
            hint="If a program wrote to the database meanwhile, stop it, remove the file and export again.",
        )
    if done.unheld:
        raise typer.Exit(ValuesDoNotFit.exit_code)
