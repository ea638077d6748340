"""`trdinger plan`: what shall become of tables that are a user's own, as a file to decide in."""

from __future__ import annotations

import typer

from trdinger.cli.options import Decided, Hypertable, Json, Source, choices, print_json
from trdinger.errors import UsageError
from trdinger.legacy import source as files
from trdinger.legacy.own.plan_file import written
from trdinger.legacy.survey import survey

app = typer.Typer(
    help="Decide what becomes of tables that Trdinger does not know.",
    epilog="Example: trdinger plan init trdinger.db",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())  # noqa: T201
        raise typer.Exit(UsageError.exit_code)


@app.command("init", short_help="Write a first plan for a file's own tables, to be changed by hand.")
def init(
    source: Source, *, hypertable: Hypertable = None, decided: Decided = None, as_json: Json = False
) -> None:
    """Print a plan for the tables of a SQLite file that are a user's own: types, and what could be a series.

    Reads every value of these tables, writes nothing. The plan is TOML for trdinger migrate --with.

    \b
    Example:
      trdinger plan init trdinger.db
    """
    file = files.Source(source)
    file.check()
    held = survey(file, choices(decided, hypertable))
    if as_json:
        print_json(held.choices.as_json())
        return
    print(written(held), end="")  # noqa: T201
