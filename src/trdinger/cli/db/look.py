"""`trdinger db status` and `psql`: what a database is and holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trdinger.cli.db.serve import described
from trdinger.cli.options import Json, To, answer, print_json, target
from trdinger.cli.sql import answers, interactive, show_answers
from trdinger.engine.address import Address
from trdinger.engine.embedded import DEFAULT_DATA_DIRECTORY
from trdinger.engine.embedded import status as server_status
from trdinger.engine.open import open_database
from trdinger.errors import UsageError
from trdinger.report.status import show_status
from trdinger.schema.status import status as schema_status
from trdinger.upkeep import jobs

Statement = Annotated[
    list[str] | None,
    typer.Option(
        "-c", "--command", metavar="SQL", help="Run this and end. May be repeated.", show_default=False
    ),
]


def status(*, to: To = None, as_json: Json = False) -> None:
    """Show what a database is and holds: server, edition, revision, tables, chunks, sizes, jobs.

    Example: trdinger db status
    """
    address, options = target(to)
    about = _embedded(address) if address.kind == "embedded" else {}
    if about.get("absent"):
        if as_json:
            print_json(about)
        else:
            answer().print(
                f"There is no embedded TimescaleDB in {about['directory']} yet; trdinger migrate makes one.",
                markup=False,
                soft_wrap=True,
            )
        return
    with open_database(address, options) as database:
        about |= {"address": str(database)} | schema_status(database)
        with database.connect(autocommit=True) as connection:
            about["jobs"] = jobs.listed(database, connection)
    if as_json:
        print_json(about)
    else:
        show_status(about, answer())


def psql(*, to: To = None, command: Statement = None, as_json: Json = False) -> None:
    """Ask in SQL: with psql where it is installed, else with a small prompt of our own.

    \b
    Example:
      trdinger db psql -c "SELECT symbol, timeframe, count(*) FROM ohlcv_data GROUP BY 1, 2"
    """
    if as_json and not command:
        raise UsageError("--json answers statements, and there is none.", hint='Add one: -c "SELECT …".')
    address, options = target(to)
    with open_database(address, options) as database:
        if not command:
            interactive(database, answer())
        elif as_json:
            print_json([each.as_json() for each in answers(database, command)])
        else:
            show_answers(answers(database, command), answer())


def _embedded(address: Address) -> dict[str, Any]:
    """Where the embedded database is and whether it runs."""
    directory = (address.directory or DEFAULT_DATA_DIRECTORY).absolute()
    running = server_status(directory)
    return {
        "address": f"embedded:{directory}",
        "directory": str(directory),
        "running": described(running) if running else None,
        "absent": running is None and not directory.exists(),
    }
