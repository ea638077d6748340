"""`trdinger rollback`: the backup of a move in its place again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import Json, Quiet, Workdir, answer, print_json
from trdinger.export.rollback import plan, roll_back
from trdinger.report.exports import show_rollback
from trdinger.report.progress import choose

Application = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The application's file, trdinger.db.", show_default=False),
]
BackupOption = Annotated[
    Path | None,
    typer.Option(
        "--backup",
        metavar="FILE",
        help="The backup to restore. Default: the newest in the work folder.",
        show_default=False,
    ),
]
Plan = Annotated[bool, typer.Option("--plan", help="Say what would be done; change nothing.")]


def command(
    path: Application,
    *,
    backup: BackupOption = None,
    workdir: Workdir = None,
    plan_only: Plan = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put the backup of a move back in the place of the application's file; keep what is there.

    Stop the application first: a file that a program has open or locked is not touched. What is there
    gets another name, with a date. Killed at any moment, the same command finishes.

    \b
    Examples:
      trdinger rollback trdinger.db --plan
      trdinger rollback trdinger.db
    """
    with choose(quiet=quiet, json=as_json) as progress:
        progress.stage("Look")
        planned = plan(path, workdir=workdir, backup=backup)
        if not plan_only and not planned.done:
            progress.stage("Restore", total=planned.backup.bytes, measure="bytes")
            roll_back(planned, tell=progress.advance)
        progress.end()
    told = planned.as_json(writes=not plan_only)
    if as_json:
        print_json(told)
    else:
        show_rollback(told, answer(), plan_only=plan_only)
