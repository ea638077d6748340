"""`trdinger import`: files of tables back into a database."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import Json, Quiet, Tables, TextNumbers, To, answer, chosen, print_json, target
from trdinger.engine.open import open_database
from trdinger.errors import RowsSetAside, UsageError
from trdinger.export.importing import given, import_
from trdinger.legacy import rejects
from trdinger.legacy.values import Rules
from trdinger.report import figures
from trdinger.report.exports import show_import
from trdinger.report.progress import choose

In = Annotated[
    Path,
    typer.Argument(
        metavar="DIRECTORY|FILE",
        help="The folder of an export, or one .parquet, .csv or .jsonl file.",
        show_default=False,
    ),
]
Plan = Annotated[
    bool, typer.Option("--plan", help="Try all of it, take it back, and say what would come of it.")
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--workdir",
        metavar="DIRECTORY",
        help="Where rejects.jsonl goes. Default: NAME-rejects.jsonl beside what is read.",
        show_default=False,
    ),
]


def command(
    path: In,
    *,
    to: To = None,
    table: Tables = None,
    text_numbers: TextNumbers = False,
    workdir: Folder = None,
    plan_only: Plan = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read files of tables back into a database: what fits and is new goes in.

    Rows that the database has already stay as they are, so the same command may run again. Ends with 7
    if rows do not fit; these are kept in a file with all their values.

    \b
    Examples:
      trdinger import candles --plan
      trdinger import candles
      trdinger import candles/ohlcv_data.parquet --to postgresql://trdinger@localhost/trdinger
    """
    shapes = chosen(table)
    if path.is_file() and len(table or ()) > 1:
        raise UsageError("One file is of one table.", hint="Name one with --table.")
    address, connecting = target(to)
    beside = path.absolute()
    rejected = workdir / rejects.NAME if workdir else beside.with_name(f"{beside.stem}-{rejects.NAME}")
    with choose(quiet=quiet, json=as_json) as progress:
        files = given(path, shapes, table[0] if table else None, progress)
        with open_database(address, connecting, writes=not plan_only) as database:
            done = import_(
                files,
                path,
                database,
                Rules(text_numbers=text_numbers),
                progress,
                rejected=rejected,
                writes=not plan_only,
            )
        progress.end()
    told = done.as_json()
    print_json(told) if as_json else show_import(told, answer())
    if done.rejected:
        rows = figures.counted(done.rejected, "row")
        if plan_only:
            raise RowsSetAside(f"{rows} would be set aside.", hint="Without --plan they are kept in a file.")
        raise RowsSetAside(
            f"{rows} set aside in {rejected}; all others are in.",
            hint=f"Look at them: trdinger rejects list {shlex.quote(str(rejected))}. Mend them in what was"
            " read, and run the same command again.",
        )
