"""`trdinger db start` and `stop`: the embedded TimescaleDB in the background."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from trdinger.cli.options import Json, answer, print_json
from trdinger.engine.embedded import DEFAULT_DATA_DIRECTORY, Running
from trdinger.engine.embedded import start as start_server
from trdinger.engine.embedded import stop as stop_server
from trdinger.settings import load

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
    int | None,
    typer.Option(
        "--port", min=1, max=65535, help="Port on 127.0.0.1. Default: a free one.", show_default=False
    ),
]
Idle = Annotated[
    float | None,
    typer.Option(
        "--idle-timeout",
        metavar="MINUTES",
        min=0,
        help="Stop after so long without a client.",
        show_default=False,
    ),
]


def start(
    *, directory: Directory = None, port: Port = None, idle_timeout: Idle = None, as_json: Json = False
) -> None:
    """Start the embedded TimescaleDB in the background and print its address.

    It serves one connection at a time, the others wait. Stop it with: trdinger db stop

    Example: trdinger db start --idle-timeout 60
    """
    running = start_server(
        _directory(directory),
        port=port,
        idle_timeout=timedelta(minutes=idle_timeout) if idle_timeout is not None else None,
    )
    if as_json:
        print_json(described(running))
        return
    answer().print(
        f"The embedded TimescaleDB ({running.version}) answers at\n  {described(running)['url']}\n"
        f"Its data is in {running.data_directory}. It serves one connection at a time.",
        markup=False,
        soft_wrap=True,
    )


def stop(*, directory: Directory = None, as_json: Json = False) -> None:
    """Stop the embedded TimescaleDB cleanly.

    Example: trdinger db stop
    """
    stopped = stop_server(_directory(directory))
    if as_json:
        print_json({"stopped": stopped})
    else:
        answer().print("Stopped." if stopped else "None was running.")


def described(running: Running) -> dict[str, Any]:
    """A running server for programs."""
    return {
        "url": running.url.replace("postgresql+psycopg://", "postgresql://"),
        "pid": running.pid,
        "port": running.port,
        "directory": str(running.data_directory),
        "started": running.started.isoformat(),
        "version": running.version,
    }


def _directory(given: Path | None) -> Path:
    return given or load().embedded_directory or DEFAULT_DATA_DIRECTORY
