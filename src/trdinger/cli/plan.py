"""`trdinger plan`: what shall become of tables that are a user's own, as a file to decide in."""

from __future__ import annotations

from trdinger.cli.options import Decided, Hypertable, Json, Source, choices, group, print_json
from trdinger.legacy import source as files
from trdinger.legacy.own.plan_file import written
from trdinger.legacy.survey import survey

app = group(
    help="Decide what becomes of tables that Trdinger does not know.",
    epilog="Example: trdinger plan init trdinger.db",
)


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
