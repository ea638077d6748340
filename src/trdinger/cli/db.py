"""`trdinger db`: the database itself: start and stop the embedded one, its state, its schema, SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from trdinger.cli.options import Json, To, answer, print_json, target
from trdinger.cli.sql import interactive, run_statements
from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions, sqlite_engine
from trdinger.engine.embedded import server
from trdinger.engine.open import open_database
from trdinger.report.terminal import show_status
from trdinger.schema.apply import apply
from trdinger.schema.status import status as schema_status
from trdinger.schema.upgrade import check as check_schema
from trdinger.schema.upgrade import downgrade as downgrade_schema
from trdinger.schema.upgrade import upgrade as upgrade_schema
from trdinger.settings import load

app = typer.Typer(
    help="Start, stop and look into the database.\n\n" + server.LICENCES,
    no_args_is_help=True,
    rich_markup_mode=None,
)

Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        metavar="DIRECTORY",
        help="Data directory of the embedded TimescaleDB. Default: TRDINGER_EMBEDDED_DIRECTORY, else the"
        " user's data folder.",
        show_default=False,
    ),
]
Port = Annotated[
    int | None, typer.Option("--port", help="Port on 127.0.0.1. Default: a free one.", show_default=False)
]
Idle = Annotated[
    float | None,
    typer.Option(
        "--idle-timeout", metavar="MINUTES", help="Stop after so long without a client.", show_default=False
    ),
]
Statement = Annotated[
    list[str] | None,
    typer.Option(
        "-c", "--command", metavar="SQL", help="Run this and end. May be repeated.", show_default=False
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS",
        help="The database: postgresql://…, sqlite:///… or embedded:[DIRECTORY]. Default: DATABASE_URL or"
        " DB_HOST if set, else the embedded TimescaleDB.",
        show_default=False,
    ),
]


@app.command()
def start(
    *, directory: Directory = None, port: Port = None, idle_timeout: Idle = None, as_json: Json = False
) -> None:
    """Start the embedded TimescaleDB in the background and print its address.

    It serves one connection at a time, the others wait. Stop it with: trdinger db stop

    Example: trdinger db start --port 54320
    """
    running = server.start(
        _directory(directory),
        port=port,
        idle_timeout=timedelta(minutes=idle_timeout) if idle_timeout is not None else None,
    )
    if as_json:
        print_json(_running(running))
        return
    answer().print(
        f"The embedded TimescaleDB {running.version} answers at\n  {_url(running)}\n"
        f"Its data is in {running.data_directory}. It serves one connection at a time.",
        soft_wrap=True,
    )


@app.command()
def stop(*, directory: Directory = None, as_json: Json = False) -> None:
    """Stop the embedded TimescaleDB cleanly.

    Example: trdinger db stop
    """
    stopped = server.stop(_directory(directory))
    if as_json:
        print_json({"stopped": stopped})
    else:
        answer().print("Stopped." if stopped else "None was running.")


@app.command()
def status(*, to: At = None, as_json: Json = False) -> None:
    """Show what a database is and holds: server, edition, revision, tables, chunks, sizes.

    Example: trdinger db status
    """
    address, options = target(to)
    if address.kind == "embedded":
        directory = address.directory or server.DEFAULT_DATA_DIRECTORY
        running = server.status(directory)
        about: dict[str, Any] = {
            "directory": str(directory),
            "running": _running(running) if running else None,
        }
        if running is None and not directory.exists():
            about["address"] = str(address)
            if as_json:
                print_json(about)
            else:
                answer().print(
                    f"There is no embedded TimescaleDB in {directory} yet; trdinger migrate makes one."
                )
            return
    else:
        about = {}
    with open_database(address, options) as database:
        about |= {"address": str(address)} | schema_status(database)
    if as_json:
        print_json(about)
    else:
        show_status(about, answer())


@app.command()
def psql(*, to: To = None, command: Statement = None) -> None:
    """Ask in SQL: with psql where it is installed, else with a small prompt of our own.

    Example: trdinger db psql -c "SELECT symbol, timeframe, count(*) FROM ohlcv_data GROUP BY 1, 2"
    """
    address, options = target(to)
    with open_database(address, options) as database:
        if command:
            run_statements(database, command, answer())
        else:
            interactive(database, answer())


@app.command()
def upgrade(*, to: At = None, revision: Annotated[str, typer.Argument(help="A revision.")] = "head") -> None:
    """Bring a database to the schema: migrations, hypertables, compression settings, time zone.

    Works on PostgreSQL, TimescaleDB and SQLite; what the server cannot have is said.

    Example: trdinger db upgrade --to sqlite:///new.db
    """
    address, options = target(to)
    with _engine(address, options) as engine:
        upgrade_schema(engine, revision)
    if revision == "head" and address.kind != "sqlite":
        with open_database(address, options) as database, database.connect() as connection:
            for sentence in apply(connection):
                answer().print(sentence)
    answer().print(f"{address} is at the schema's {revision}.", soft_wrap=True)


@app.command()
def downgrade(
    *,
    to: At = None,
    revision: Annotated[str, typer.Argument(help='A revision, or "base" for none of our tables.')],
    yes: Annotated[bool, typer.Option("--yes", help="Do it: rows of dropped tables are lost.")] = False,
) -> None:
    """Take migrations back. Tables that a migration made go with their rows.

    Example: trdinger db downgrade base --to sqlite:///old.db --yes
    """
    address, options = target(to)
    if not yes:
        answer().print(
            f"Nothing was done. This would take {address} down to {revision}: add --yes.", soft_wrap=True
        )
        raise typer.Exit(2)
    with _engine(address, options) as engine:
        downgrade_schema(engine, revision)
    answer().print(f"{address} is at {revision}.", soft_wrap=True)


@app.command()
def check(*, to: At = None) -> None:
    """Compare a database's schema with this program's; end with 5 and the differences if there are any.

    Example: trdinger db check
    """
    address, options = target(to)
    with _engine(address, options) as engine:
        check_schema(engine)
    answer().print(f"{address}: the schema is this program's.", soft_wrap=True)


@contextmanager
def _engine(address: Address, options: ConnectionOptions) -> Iterator[sa.Engine]:
    """A SQLAlchemy engine on the address, SQLite included; closed at the end of the block."""
    with ExitStack() as stack:
        if address.kind == "sqlite":
            assert address.url is not None
            engine = sqlite_engine(address.url, options)
        else:
            engine = stack.enter_context(open_database(address, options)).engine()
        stack.callback(engine.dispose)
        yield engine


def _directory(given: Path | None) -> Path:
    return given or load().embedded_directory or server.DEFAULT_DATA_DIRECTORY


def _url(running: server.Running) -> str:
    return running.url.replace("postgresql+psycopg://", "postgresql://")


def _running(running: server.Running) -> dict[str, Any]:
    return {
        "url": _url(running),
        "pid": running.pid,
        "port": running.port,
        "directory": str(running.data_directory),
        "started": running.started.isoformat(),
        "version": running.version,
    }
