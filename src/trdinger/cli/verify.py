"""`trdinger verify`: prove again, at any time, that source and target hold the same values."""

from __future__ import annotations

from contextlib import ExitStack

from trdinger.cli.options import (
    Decided,
    Hypertable,
    Json,
    Quiet,
    Source,
    To,
    answer,
    choices,
    is_default,
    print_json,
    target,
)
from trdinger.engine.open import open_database
from trdinger.errors import ValuesDiffer
from trdinger.legacy import source as files
from trdinger.legacy.survey import survey
from trdinger.move.checking import accounted
from trdinger.move.report import Report, Stage, peak_memory
from trdinger.report.progress import choose
from trdinger.report.terminal import show_report
from trdinger.verify.run import verify


def command(
    source: Source,
    *,
    to: To = None,
    hypertable: Hypertable = None,
    decided: Decided = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare every cell of a SQLite file with a database, as the application reads it; write nothing.

    Ends with 6 if any value differs; the first differences of each table are shown.

    \b
    Examples:
      trdinger verify trdinger.db
      trdinger verify trdinger.db --to postgresql://trdinger@localhost/trdinger
    """
    address, connecting = target(to)
    file = files.Source(source)
    file.check()
    with choose(quiet=quiet, json=as_json) as progress, ExitStack() as opened:
        progress.stage("Look")
        database = opened.enter_context(open_database(address, connecting, writes=False))
        report = Report(source=str(source.resolve()), target=str(database), server=str(database.capabilities))
        held, checked = accounted(survey(file, choices(decided, hypertable), look=False), database)
        report.describe(held, checked)
        stage = Stage("Verify")
        with stage.timed():
            report.proof = verify(held, database, progress)
        progress.end()
        report.stages.append(stage)
        report.peak_memory = peak_memory()
    if as_json:
        print_json(report.as_json())
    else:
        show_report(report.as_json(), answer(), default_target=is_default(to, address))
    if not report.equal:
        raise ValuesDiffer(
            "Source and target are not equal.",
            hint="If the application wrote to the source after the move, its rows are missing in the target.",
        )
