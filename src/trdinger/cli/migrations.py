"""`trdinger migrations`: what the ledger of a target knows, and the removal of what a move left behind."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from trdinger.cli.options import Json, Quiet, To, answer, group, print_json, target
from trdinger.engine.connect import Database
from trdinger.engine.embedded import DEFAULT_DATA_DIRECTORY
from trdinger.engine.open import open_database
from trdinger.errors import UsageError
from trdinger.move.cleaning import clean as clean_move
from trdinger.move.cleaning import would_clean
from trdinger.move.history import abandoned, known, named
from trdinger.report.moves import show_cleaning, show_move, show_moves
from trdinger.report.progress import choose

_NONE = "The target knows of no move."

app = group(
    help="Look into the ledger of a target: its moves, and what an abandoned one left behind.",
    epilog="Example: trdinger migrations list",
)
Newest = Annotated[
    str | None,
    typer.Argument(
        metavar="ID", help="The move's id, or its beginning. Default: the newest.", show_default=False
    ),
]
Abandoned = Annotated[
    str | None,
    typer.Argument(
        metavar="ID",
        help="The move's id, or its beginning. Default: the one that is not finished.",
        show_default=False,
    ),
]
Plan = Annotated[bool, typer.Option("--plan", help="Say what would be removed; write nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it.")]
BackupToo = Annotated[
    bool, typer.Option("--backup", help="Remove the move's backup, too, if it is as the move made it.")
]


@app.command("list", short_help="List the moves that the target's ledger knows.")
def list_(*, to: To = None, as_json: Json = False) -> None:
    """List the moves that the target's ledger knows, newest first; write nothing.

    A move is unfinished (it was stopped), under way, finished (proven equal), or it differs (it came
    to its end and was not proven).

    Example: trdinger migrations list
    """
    with _opened(to) as database:
        moves = [entry.as_json() for entry in known(database)] if database else []
    if as_json:
        print_json(moves)
    elif moves:
        show_moves(moves, answer())
    else:
        answer().print(_NONE)


@app.command("show", short_help="Show everything that the ledger has of one move.")
def show(move: Newest = None, *, to: To = None, as_json: Json = False) -> None:
    """Show everything that the ledger has of one move: backup, tables, steps, and the kept report.

    Example: trdinger migrations show
    """
    with _opened(to) as database:
        entries = known(database) if database else []
    entry = named(entries, move) if move else next(iter(entries), None)
    if as_json:
        print_json(entry.as_json(whole=True) if entry else None)
    elif entry:
        show_move(entry.as_json(whole=True), answer())
    else:
        answer().print(_NONE)


@app.command("clean", short_help="Remove what an abandoned move left in the target.")
def clean(
    move: Abandoned = None,
    *,
    to: To = None,
    plan_only: Plan = False,
    yes: Yes = False,
    backup: BackupToo = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove what an abandoned move left in the target: its rows, and its lines in the ledger.

    Only where the ledger proves that Trdinger's tables hold that move's rows and nothing else; a row
    that anybody wrote or changed since makes it refuse. A finished move is never touched. The tables
    stay, empty; the source and, unless --backup is said, the backup stay as they are.

    \b
    Examples:
      trdinger migrations clean --plan
      trdinger migrations clean --yes
    """
    with _opened(to) as database:
        entries = known(database) if database else []
        entry = named(entries, move) if move else abandoned(entries)
        if database is None or entry is None:
            if as_json:
                print_json(None)
            else:
                answer().print("There is nothing to remove: no move is unfinished.")
            return
        if not (plan_only or yes):
            raise UsageError(
                f"Nothing was done: this would remove the move {entry.short} of {entry.source},"
                f" {entry.rows:,} rows, from {database}.",
                hint="See what exactly with --plan; if that is meant, add --yes.",
            )
        with choose(quiet=quiet, json=as_json) as progress:
            progress.stage("Prove")
            if plan_only:
                cleaning = would_clean(database, entry, progress)
            else:
                cleaning = clean_move(database, entry, progress, backup=backup)
            progress.end()
        again = f"--to {shlex.quote(str(database).replace(':***@', '@'))} " if to else ""
    if as_json:
        print_json(cleaning.as_json())
    else:
        show_cleaning(cleaning.as_json(), answer(), to=again)


@contextmanager
def _opened(to: str | None) -> Iterator[Database | None]:
    """The target; None for an embedded one that is not there, which nothing is started for."""
    address, options = target(to)
    if address.kind == "embedded" and not (address.directory or DEFAULT_DATA_DIRECTORY).exists():
        yield None
        return
    with open_database(address, options) as database:
        yield database
