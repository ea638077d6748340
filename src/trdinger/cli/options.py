"""Arguments that several commands share, each said once, and where answers go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from trdinger.declaration import SERIES
from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions
from trdinger.errors import UsageError
from trdinger.legacy.own.choices import NOTHING, Choices, read
from trdinger.schema.shape import TableShape, shapes
from trdinger.settings import load

_ENDLESS = 1 << 20  # cells of a line where nothing is wrapped

Source = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="The SQLite file that Trdinger wrote.",
        show_default=False,
        readable=False,  # whether it can be read is told by who reads it
    ),
]
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
At = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS",
        help="The database: postgresql://…, embedded:[DIRECTORY] or sqlite:///…. Default: DATABASE_URL or"
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

TextNumbers = Annotated[
    bool,
    typer.Option("--text-numbers", help="Take text that is a number, in a number's column, for that number."),
]
Hypertable = Annotated[
    list[str] | None,
    typer.Option(
        "--hypertable",
        metavar="TABLE:TIME[:SEGMENT,…]",
        help="Make a table of your own a hypertable, partitioned by the column TIME, its rows compressed"
        " together by the columns SEGMENT. May be repeated.",
        show_default=False,
    ),
]
Decided = Annotated[
    Path | None,
    typer.Option(
        "--with",
        metavar="PLAN.toml",
        help="What is decided about tables of your own; trdinger plan init writes a first one.",
        show_default=False,
    ),
]


def group(*, help: str, epilog: str) -> typer.Typer:  # noqa: A002  # typer's own name for it
    """Commands under one name, which alone shows what there is and ends as misuse does."""
    app = typer.Typer(help=help, epilog=epilog, rich_markup_mode=None)

    @app.callback(invoke_without_command=True)
    def alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            print(context.get_help())  # noqa: T201
            raise typer.Exit(UsageError.exit_code)

    return app


def choices(decided: Path | None, hypertable: list[str] | None, left_out: list[str] | None = None) -> Choices:
    """What the arguments say about the tables of a user's own. Raises UsageError."""
    asked = read(decided) if decided is not None else NOTHING
    return asked.hypertables(hypertable or ()).leaving(left_out or ())


Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table", metavar="TABLE", help="Only this table; may be repeated. Default: all.", show_default=False
    ),
]


def chosen(names: list[str] | None) -> tuple[TableShape, ...]:
    """The tables of these names, all for None, parents before children. Raises UsageError."""
    known = shapes()
    unknown = [name for name in names or () if name not in {shape.name for shape in known}]
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: no table of Trdinger's.",
            hint=f"Tables are: {', '.join(shape.name for shape in known)}.",
        )
    return tuple(shape for shape in known if names is None or shape.name in names)


_FORMS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
Start = Annotated[
    datetime | None,
    typer.Option(
        "--from", formats=_FORMS, help="From this moment (UTC) on. Default: the first.", show_default=False
    ),
]
End = Annotated[
    datetime | None,
    typer.Option(
        "--until", formats=_FORMS, help="Up to this moment (UTC). Default: the last.", show_default=False
    ),
]
ArchiveAt = Annotated[
    str | None,
    typer.Option(
        "--archive",
        metavar="FOLDER",
        help="The archive: a folder, or a URL that fsspec knows. Default: TRDINGER_ARCHIVE.",
        show_default=False,
    ),
]


def utc(moment: datetime | None) -> datetime | None:
    """A moment of the command line, which is UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def series_chosen(names: list[str] | None) -> tuple[str, ...]:
    """The series of these names, all for None. Raises UsageError."""
    unknown = [name for name in names or () if name not in SERIES]
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: no series.", hint=f"Series are: {', '.join(SERIES)}.")
    return tuple(name for name in SERIES if names is None or name in names)


def archive_address(named: str | None) -> str:
    """The archive that the arguments or the settings name. Raises UsageError where neither does."""
    address = named or load().trdinger_archive
    if address is None:
        raise UsageError(
            "No archive is named, and nothing leaves a database without one.",
            hint="Name a folder with --archive, or set TRDINGER_ARCHIVE.",
        )
    return address


def target(named: str | None) -> tuple[Address, ConnectionOptions]:
    """The target that the arguments and the settings name, and how to connect."""
    settings = load()
    return settings.target(named), settings.options


def is_default(named: str | None, address: Address) -> bool:
    """Whether commands go to `address` from any folder when no target is named; settings may change that."""
    return named is None and address.kind == "embedded" and address.directory is None


def note(sentence: str) -> None:
    """Tell a person, on stderr, what is no error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(sentence, markup=False, style="yellow")


def answer() -> Console:
    """Where answers for people go: stdout. In a pipe a row stays a line, however long it is."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_ENDLESS)


def print_json(value: Any) -> None:
    """Print an answer for programs."""
    print(json.dumps(value, indent=2, default=str))  # noqa: T201
