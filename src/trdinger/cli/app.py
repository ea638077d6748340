"""The application: its commands, and what becomes of an error.

Answers go to stdout, progress and errors to stderr; with --json stdout is JSON alone,
an error included. No traceback reaches a user unless --debug asks for it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Annotated

import typer
from rich.console import Console

import trdinger
from trdinger.cli import (
    archive,
    backup,
    bench,
    cache,
    db,
    export,
    import_,
    inspect,
    migrate,
    migrations,
    plan,
    rejects,
    rollback,
    sample,
    serve,
    verify,
)
from trdinger.cli.options import Json, print_json
from trdinger.errors import EXIT_CODES, Interrupted, TrdingerError, UsageError

_DEBUG = "--debug"

app = typer.Typer(
    name="trdinger",
    help="Move a trdinger.db into TimescaleDB, and prove that every value arrived.",
    epilog="Example: trdinger migrate trdinger.db",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("inspect", short_help="Look at every value of a SQLite file; write nothing.")(inspect.command)
app.command("backup", short_help="Copy a SQLite file safely while a program writes to it.")(backup.command)
app.command("migrate", short_help="Move a SQLite file into TimescaleDB and prove it.")(migrate.command)
app.command("verify", short_help="Compare every cell of a SQLite file with a database.")(verify.command)
app.command("export", short_help="Write the database into a new SQLite file of the application.")(
    export.command
)
app.command("import", short_help="Read exported files back into a database.")(import_.command)
app.command("rollback", short_help="Put the backup of a move back in its place.")(rollback.command)
app.add_typer(rejects.app, name="rejects", short_help="Rows that a move set aside: list, show, replay.")
app.command("sample", short_help="Write a realistic SQLite file to try things with.")(sample.command)
app.command("serve", short_help="Answer the existing application's API from either database.")(serve.command)
app.add_typer(migrations.app, name="migrations", short_help="Look into a target's ledger of moves.")
app.add_typer(
    archive.app, name="archive", short_help="Rows that a database no longer keeps: list, verify, restore."
)
app.add_typer(cache.app, name="cache", short_help="Months that were read, kept on this machine.")
app.add_typer(bench.app, name="bench", short_help="Measure how fast this machine moves a file.")
app.add_typer(plan.app, name="plan", short_help="Decide what becomes of tables of your own.")
app.add_typer(db.app, name="db", short_help="Start, stop and look into the database.")


@app.command("exit-codes")
def exit_codes(*, as_json: Json = False) -> None:
    """List the exit codes and who must act on each.

    Example: trdinger exit-codes
    """
    if as_json:
        print_json(EXIT_CODES)
        return
    for code, audience in sorted(EXIT_CODES.items()):
        print(f"{code:>4}  {audience}")  # noqa: T201


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool, typer.Option(_DEBUG, help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    del debug  # read by run, which is what catches errors
    if version:
        print(trdinger.__version__)  # noqa: T201
    elif context.invoked_subcommand is None:
        print(context.get_help())  # noqa: T201
        raise typer.Exit(UsageError.exit_code)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the same; Python would complain of it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; its exit code. Every error is told in a sentence on stderr."""
    taken, debug = _without_debug(arguments)
    try:
        code = typer.main.get_command(app).main(args=taken, prog_name="trdinger", standalone_mode=False)
    except typer.TyperException as error:
        return _tell(_misused(error), taken, debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        code = Interrupted.exit_code
    except SystemExit:  # Typer's word for a reader of stdout that has had enough (`| head`)
        return 0
    except TrdingerError as error:
        return _tell(error, taken, debug=debug)
    except Exception as error:
        fault = TrdingerError(
            f"This is a fault of trdinger {trdinger.__version__}: {type(error).__name__}: {error}.",
            hint="Run it again with --debug and report what it prints.",
        )
        fault.__cause__ = error
        return _tell(fault, taken, debug=debug)
    if code == Interrupted.exit_code:  # Typer makes it of Ctrl-C
        stopped = Interrupted(
            "Stopped.", hint="What was committed stays; the same command goes on from there."
        )
        return _tell(stopped, taken, debug=debug)
    return code if isinstance(code, int) else 0


def _without_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """The arguments that commands take, and whether --debug was among them; what follows -- is theirs."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    taken = [argument for argument in arguments[:end] if argument != _DEBUG]
    return taken + arguments[end:], len(taken) < end


def _misused(error: typer.TyperException) -> UsageError:
    context: typer.Context | None = getattr(error, "ctx", None)
    command = context.command_path if context else "trdinger"
    said = error.format_message().replace("Value error, ", "")  # pydantic's own words
    return UsageError(said if said.endswith((".", "?")) else f"{said}.", hint=f"What it takes: {command} -h")


def _tell(error: TrdingerError, arguments: list[str], *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    # What differs or was set aside has been printed already, as the report.
    if "--json" in arguments and not error.told:
        told = {
            "kind": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        print(json.dumps({"error": told}))  # noqa: T201
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"trdinger: {error.message}", markup=False, style="red")
    if error.hint:
        console.print(f"  → {error.hint}", markup=False)
    return error.exit_code
