"""`trdinger export`: the database as it is now, as the existing application's file or for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import Json, Quiet, Tables, TextNumbers, answer, chosen, print_json, target
from trdinger.engine.address import Address, parse_address
from trdinger.engine.connect import ConnectionOptions
from trdinger.engine.open import open_database
from trdinger.errors import RowsSetAside, UsageError, ValuesDiffer
from trdinger.export import application, folder, manifest
from trdinger.export.file_rows import file_rows
from trdinger.export.formats import Format
from trdinger.export.snapshot import snapshot
from trdinger.legacy import source as files
from trdinger.legacy.values import Rules
from trdinger.progress import Progress
from trdinger.report import figures
from trdinger.report.exports import show_export, show_export_plan, show_written
from trdinger.report.progress import choose
from trdinger.schema.shape import TableShape

Out = Annotated[
    Path,
    typer.Argument(
        metavar="FILE|DIRECTORY",
        help="What to write: a new SQLite file, or a new folder for any other format.",
        show_default=False,
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="ADDRESS",
        help="The database to read: postgresql://user@host/database, embedded:[DIRECTORY], or for another"
        " format than sqlite the path of a SQLite file. Default: DATABASE_URL or DB_HOST if they name"
        " PostgreSQL, else the embedded TimescaleDB.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        metavar="sqlite|parquet|csv|jsonl",
        help="A SQLite file of the existing application, or a folder of files for other programs.",
    ),
]
Plan = Annotated[bool, typer.Option("--plan", help="Say what would be written, and how much; write nothing.")]


def command(
    path: Out,
    *,
    source: From = None,
    form: FormatOption = Format.SQLITE,
    table: Tables = None,
    text_numbers: TextNumbers = False,
    plan_only: Plan = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the database as it is now: into a file of the existing application, or for other programs.

    Everything is read from one moment. A SQLite file is compared with the database, cell by cell.
    Ends with 6 if any value differs, with 7 if some have no form in the files; these are listed.

    \b
    Examples:
      trdinger export back.db --plan
      trdinger export back.db
      trdinger export candles --format parquet --table ohlcv_data
      trdinger export server.db --from postgresql://trdinger@localhost/trdinger
    """
    shapes = chosen(table)
    if form is Format.SQLITE and table:
        raise UsageError(
            "A file of the application has all of its tables.",
            hint="Leave --table out, or choose a --format.",
        )
    read = _source(source)
    with choose(quiet=quiet, json=as_json) as progress:
        if form is Format.SQLITE:
            _application(path, source=read, progress=progress, plan_only=plan_only, as_json=as_json)
        else:
            rules = Rules(text_numbers=text_numbers)
            _folder(
                path,
                form,
                shapes,
                rules,
                source=read,
                progress=progress,
                plan_only=plan_only,
                as_json=as_json,
            )


def _application(
    path: Path,
    *,
    source: tuple[Address, ConnectionOptions],
    progress: Progress,
    plan_only: bool,
    as_json: bool,
) -> None:
    address, connecting = source
    if address.kind == "sqlite":
        raise UsageError(
            f"{address} is a SQLite file already.",
            hint="Copy it safely with trdinger backup, or choose another --format.",
        )
    with open_database(address, connecting, writes=False) as database:
        if plan_only:
            planned = application.plan(database, path).as_json()
            progress.end()
            print_json(planned) if as_json else show_export_plan(planned, answer())
            return
        done = application.export(database, path, progress)
    progress.end()
    print_json(done.as_json()) if as_json else show_export(done.as_json(), answer())
    if not done.equal:
        raise ValuesDiffer(
            f"{path} and the database are not equal.",
            hint="If a program wrote to the database meanwhile, stop it, remove the file and export again.",
        )
    if done.unheld:
        raise RowsSetAside(
            f"{figures.counted(len(done.unheld), 'value')} without a form in SQLite; all else is written and"
            " proven.",
            hint="Each is listed in the answer; the database has them as they were.",
        )


def _folder(
    path: Path,
    form: Format,
    shapes: tuple[TableShape, ...],
    rules: Rules,
    *,
    source: tuple[Address, ConnectionOptions],
    progress: Progress,
    plan_only: bool,
    as_json: bool,
) -> None:
    folder.refuse(path)
    progress.stage("Look")
    with _giver(*source, rules) as giver:
        planned = folder.plan(giver, path, form, shapes)
        if plan_only:
            progress.end()
            print_json(planned.as_json()) if as_json else show_export_plan(planned.as_json(), answer())
            return
        done = folder.export(planned, progress)
    progress.end()
    print_json(done.as_json()) if as_json else show_written(done.as_json(), answer())
    if done.unheld:
        raise RowsSetAside(
            f"{figures.counted(len(done.unheld), 'value')} that no file of this format can hold; all else is"
            " written.",
            hint=f"Each is listed in {path / manifest.NAME}.",
        )


@contextmanager
def _giver(address: Address, connecting: ConnectionOptions, rules: Rules) -> Iterator[folder.Giver]:
    if address.kind == "sqlite":
        assert address.url is not None
        with file_rows(files.Source(Path(address.url.database or "")), rules) as rows:
            yield rows
        return
    with open_database(address, connecting, writes=False) as database, snapshot(database) as moment:
        yield moment


def _source(named: str | None) -> tuple[Address, ConnectionOptions]:
    """The database to read: as elsewhere, or a SQLite file by its path."""
    if named is not None and ":" not in named and Path(named).exists():
        return parse_address(f"sqlite:///{named}"), ConnectionOptions()
    return target(named)
