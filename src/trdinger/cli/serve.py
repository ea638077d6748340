"""`trdinger serve`: the HTTP API over a database."""

from __future__ import annotations

from typing import Annotated

import typer

from trdinger.engine.address import parse_address
from trdinger.errors import UsageError
from trdinger.settings import load

Database = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS",
        help="The database: postgresql://…, embedded:[DIRECTORY] or sqlite:///…. Default: what DATABASE_URL"
        " or DB_HOST names, else trdinger.db in the working directory, as the application has it.",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option("--host", help="Address to listen on; this machine's own alone for now.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")]


def command(*, to: Database = None, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Answer the endpoints of the existing application from either database, until Ctrl-C.

    Needs the extra: pip install "trdinger[api]"

    Example: trdinger serve --to sqlite:///trdinger.db
    """
    try:
        import fastapi  # noqa: F401, PLC0415  # an extra, and half a second that other commands need not wait
        import uvicorn  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The API needs {error.name}, which is not installed.",
            hint='Install it: pip install "trdinger[api]"',
        ) from None
    from trdinger.api.application import application  # noqa: PLC0415
    from trdinger.api.home import open_home  # noqa: PLC0415
    from trdinger.api.serving import loopback, serve  # noqa: PLC0415

    loopback(host)
    settings = load()
    address = parse_address(to, embedded=settings.embedded_directory) if to else settings.application()
    with open_home(address, settings.options) as home:
        app = application(
            home, name=settings.app_name, version=settings.app_version, origins=settings.origins
        )
        serve(app, host, port)
