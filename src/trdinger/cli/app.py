"""The application: its commands, and what becomes of an error.

Answers go to stdout, progress and errors to stderr; with --json stdout is JSON alone,
an error included. No traceback reaches a user unless --debug asks for it.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Annotated

import click
import typer
from rich.console import Console

import trdinger
from trdinger.cli import backup, db, inspect, migrate, sample, verify
from trdinger.errors import EXIT_CODES, Interrupted, TrdingerError

app = typer.Typer(
    name="trdinger",
    help="Move a trdinger.db into TimescaleDB, and prove that every value arrived.",
    epilog="Example: trdinger migrate trdinger.db",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("inspect")(inspect.command)
app.command("backup")(backup.command)
app.command("migrate")(migrate.command)
app.command("verify")(verify.command)
app.command("sample")(sample.command)
app.add_typer(db.app, name="db")


@app.command("exit-codes")
def exit_codes(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the exit codes and who must act on each.

    Example: trdinger exit-codes
    """
    if as_json:
        print(json.dumps(EXIT_CODES))  # noqa: T201
        return
    for code, audience in sorted(EXIT_CODES.items()):
        print(f"{code:>4}  {audience}")  # noqa: T201


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    del debug  # read by main, which is what catches errors
    if version:
        print(trdinger.__version__)  # noqa: T201
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command line; its exit code. Every error is told in a sentence on stderr."""
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="trdinger", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _tell(
            Interrupted("Stopped.", hint="What was committed stays; run the same command again to go on."),
            arguments,
        )
    except TrdingerError as error:
        return _tell(error, arguments)
    except BrokenPipeError:
        return 0
    except Exception as error:
        fault = TrdingerError(
            f"This is a fault of trdinger {trdinger.__version__}: {type(error).__name__}: {error}.",
            hint="Run it again with --debug (trdinger --debug …) and report what it prints.",
        )
        fault.__cause__ = error
        return _tell(fault, arguments)
    return code if isinstance(code, int) else 0


def _tell(error: TrdingerError, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exception(error)
    if "--json" in arguments:
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
