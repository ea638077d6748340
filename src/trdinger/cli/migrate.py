"""`trdinger migrate`: the main job, from a SQLite file to a proven TimescaleDB."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import (
    Json,
    Quiet,
    Source,
    To,
    Workdir,
    answer,
    is_default,
    note,
    print_json,
    target,
)
from trdinger.engine.open import open_database
from trdinger.errors import ValuesDiffer
from trdinger.legacy import source as files
from trdinger.legacy.survey import survey
from trdinger.move.plan import Existing, Options, plan
from trdinger.move.report import Report
from trdinger.move.run import migrate
from trdinger.report.html import render
from trdinger.report.progress import choose
from trdinger.report.terminal import show_plan, show_report

Plan = Annotated[
    bool, typer.Option("--plan", help="Say what would happen, in rows and bytes; write nothing.")
]
ExistingOption = Annotated[
    Existing,
    typer.Option(
        "--existing",
        metavar="refuse|keep|replace",
        help="A target that holds something: refuse it, keep what others have and move in beside it, or"
        " replace the rows of Trdinger's nine tables.",
    ),
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option(
        "--leave-out",
        metavar="TABLE[.COLUMN]",
        help="Leave behind a table or column that Trdinger does not know. May be repeated.",
        show_default=False,
    ),
]


def command(
    source: Source,
    *,
    to: To = None,
    plan_only: Plan = False,
    existing: ExistingOption = Existing.REFUSE,
    leave_out: LeaveOut = None,
    workdir: Workdir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Move a SQLite file into TimescaleDB and prove that every value arrived.

    The source is only read. A run that was stopped or killed goes on where it was when the same
    command is run again. Ends with 6 if any value differs.

    \b
    Examples:
      trdinger migrate trdinger.db --plan
      trdinger migrate trdinger.db
      trdinger migrate trdinger.db --to postgresql://trdinger@localhost/trdinger
    """
    address, connecting = target(to)
    file = files.Source(source)
    file.check()
    options = Options(existing=existing, left_out=tuple(leave_out or ()), workdir=workdir)
    with choose(quiet=quiet, json=as_json) as progress, ExitStack() as opened:
        progress.stage("Look")
        database = opened.enter_context(open_database(address, connecting, writes=not plan_only))
        planned = plan(survey(file), database, options)
        report = None if plan_only else migrate(planned, progress)
        progress.end()
    if report is None:
        print_json(planned.as_json()) if as_json else show_plan(planned.as_json(), answer())
        return
    default = is_default(to, address)
    page, data = _keep(report, planned.workdir, default_target=default)
    if as_json:
        print_json(report.as_json())
    else:
        show_report(
            report.as_json(), answer(), html=page, data=data, workdir=planned.workdir, default_target=default
        )
    if not report.equal:
        where = f"See {page}; the" if page else "The"
        raise ValuesDiffer(
            "Source and target are not equal.", hint=f"{where} source and its backup are untouched."
        )


def _keep(report: Report, folder: Path, *, default_target: bool) -> tuple[Path | None, Path | None]:
    """Write the report as a page and as JSON into the work folder; both paths.

    A disk without room for them spoils no move: that is said, and the ledger has the report.
    """
    page, data = folder / "report.html", folder / "report.json"
    told = report.as_json()
    try:
        data.write_text(json.dumps(told, indent=1), encoding="utf-8")
        page.write_text(render(told, default_target=default_target), encoding="utf-8")
    except OSError as error:
        note(f"The report cannot be written to {folder}: {error.strerror}. The ledger in the target has it.")
        return None, None
    return page, data
