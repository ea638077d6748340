"""`trdinger migrate`: the main job, from a SQLite file to a proven TimescaleDB."""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import (
    Decided,
    Hypertable,
    Json,
    Quiet,
    Source,
    TextNumbers,
    To,
    Workdir,
    answer,
    choices,
    is_default,
    note,
    print_json,
    target,
)
from trdinger.engine.open import open_database
from trdinger.errors import RowsSetAside, ValuesDiffer
from trdinger.legacy import source as files
from trdinger.legacy.check import Duplicates
from trdinger.legacy.damage import telling
from trdinger.legacy.survey import survey
from trdinger.legacy.values import Rules
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
        " replace the rows of Trdinger's nine tables and the tables that former moves made.",
    ),
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option(
        "--leave-out",
        metavar="TABLE[.COLUMN]",
        help="Leave behind a table, or a column that Trdinger's tables do not have. May be repeated.",
        show_default=False,
    ),
]

Stays = Annotated[
    Duplicates,
    typer.Option(
        "--duplicates",
        metavar="first|last",
        help="Which of the rows that share a key stays, by id; the others are rejected.",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Move nothing if any row does not fit, instead of setting it aside.")
]
MaxRejects = Annotated[
    int | None,
    typer.Option(
        "--max-rejects",
        metavar="N",
        min=0,
        help="Move nothing if more than N rows do not fit; stop looking then.",
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
    hypertable: Hypertable = None,
    decided: Decided = None,
    stays: Stays = "first",
    text_numbers: TextNumbers = False,
    strict: Strict = False,
    max_rejects: MaxRejects = None,
    workdir: Workdir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Move a SQLite file into TimescaleDB and prove that every value arrived.

    The source is only read. A run that was stopped or killed goes on where it was when the same
    command is run again. Rows that do not fit are set aside in a file, from which trdinger rejects
    replay puts them in once they are mended. Ends with 6 if any value differs, with 7 if rows were
    set aside and all others are proven.

    \b
    Examples:
      trdinger migrate trdinger.db --plan
      trdinger migrate trdinger.db
      trdinger migrate trdinger.db --to postgresql://trdinger@localhost/trdinger
      trdinger migrate other.db --to embedded:other --hypertable prices:at:symbol
    """
    address, connecting = target(to)
    file = files.Source(source)
    file.check()
    options = Options(
        existing=existing,
        left_out=tuple(leave_out or ()),
        rules=Rules(text_numbers=text_numbers),
        stays=stays,
        strict=strict,
        max_rejects=max_rejects,
        workdir=workdir,
    )
    with telling(file), choose(quiet=quiet, json=as_json) as progress, ExitStack() as opened:
        progress.stage("Look")
        database = opened.enter_context(open_database(address, connecting, writes=not plan_only))
        held = survey(file, choices(decided, hypertable, leave_out), look=False)
        planned = plan(held, database, options)
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
    if report.rejected:
        rows = sum(report.rejected.values())
        file = report.as_json()["rejects_file"]
        raise RowsSetAside(
            f"{rows:,} {'row does' if rows == 1 else 'rows do'} not fit and {'is' if rows == 1 else 'are'}"
            f" set aside in {file}; all others are moved and proven.",
            hint=f"Look (trdinger rejects list {shlex.quote(file)}), mend them there, then:"
            f" trdinger rejects replay {shlex.quote(file)}",
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
