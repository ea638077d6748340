"""Arguments that several commands share, each said once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions
from trdinger.settings import load

Source = Annotated[Path, typer.Argument(help="The SQLite file that Trdinger wrote.", show_default=False)]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS",
        help="The target: postgresql://user@host/database, or embedded:[DIRECTORY]. Default: DATABASE_URL or"
        " DB_HOST if they name PostgreSQL, else the embedded TimescaleDB.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Workdir = Annotated[
    Path | None,
    typer.Option(
        "--workdir",
        metavar="DIRECTORY",
        help="Where backup and reports go. Default: NAME-move beside the source.",
        show_default=False,
    ),
]


def target(named: str | None) -> tuple[Address, ConnectionOptions]:
    """The target that the arguments and the settings name, and how to connect."""
    settings = load()
    return settings.target(named), settings.options


def answer() -> Console:
    """Where answers for people go: stdout."""
    return Console(highlight=False)


def print_json(value: Any) -> None:
    """Print an answer for programs."""
    print(json.dumps(value, indent=2, default=str))  # noqa: T201
