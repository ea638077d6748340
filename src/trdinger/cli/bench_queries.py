"""`trdinger bench queries`: how fast the store answers, beside the existing application and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trdinger.bench.queries import QUESTIONS, QueriesOptions
from trdinger.bench.queries import bench as measure
from trdinger.bench.queries import drop as take_away
from trdinger.bench.queries.place import Kept
from trdinger.cli.bench_options import Seed, Svg, server
from trdinger.cli.options import Json, Quiet, answer, print_json
from trdinger.report.progress import choose
from trdinger.report.queries import chart, show_queries

_DEFAULT = QueriesOptions()

On = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS",
        help="The server on which the file gets a database of its own, which is kept: its user must be"
        " allowed to create databases. With embedded: a directory of its own. Default: as for migrate.",
        show_default=False,
    ),
]
Rows = Annotated[int, typer.Option("--rows", help="Candles of the file.")]
Repeat = Annotated[int, typer.Option("--repeat", help="How often each question is put to each.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help=f"One of {', '.join(QUESTIONS)}; may be repeated. Default: all.",
        show_default=False,
    ),
]
Seconds = Annotated[
    float, typer.Option("--seconds", help="How long readers and writers work side by side; 0: not at all.")
]
Stored = Annotated[int, typer.Option("--stored", help="Candles that are stored at once.")]
Readers = Annotated[int, typer.Option("--readers", help="Readers, a process each.")]
Writers = Annotated[int, typer.Option("--writers", help="Writers, a process each.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIRECTORY",
        help="Where the file is kept, and its copies for others. Default: bench in the user's cache.",
        show_default=False,
    ),
]
Drop = Annotated[
    bool, typer.Option("--drop", help="Take the database and the copies away instead; the file stays.")
]


def command(
    *,
    to: On = None,
    rows: Rows = _DEFAULT.rows,
    seed: Seed = _DEFAULT.seed,
    repeat: Repeat = _DEFAULT.repeat,
    only: Only = None,
    seconds: Seconds = _DEFAULT.seconds,
    stored: Stored = _DEFAULT.stored,
    readers: Readers = _DEFAULT.readers,
    writers: Writers = _DEFAULT.writers,
    folder: Folder = None,
    svg: Svg = None,
    drop: Drop = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask the store what the existing application is asked, each in turn, and show medians and ratios.

    The file is moved once, into a database that is kept for the next time. ArcticDB, polars and DuckDB take
    part where they are installed; pandas is needed. Ends with 6 where our answer is not theirs.

    \b
    Examples:
      trdinger bench queries --rows 20000 --repeat 1 --seconds 1 --stored 100
      trdinger bench queries --to postgresql://postgres@localhost/postgres --svg queries.svg
    """
    address, connecting = server(to, otherwise="SQLite is no target.")
    options = QueriesOptions(
        rows=rows, seed=seed, repeat=repeat, only=tuple(only or ()), seconds=seconds, stored=stored,
        readers=readers, writers=writers, folder=(folder or _DEFAULT.folder).absolute(),
    )  # fmt: skip
    place = Kept(address, connecting, options.folder)
    if drop:
        take_away(place, options)
        return
    with choose(quiet=quiet, json=as_json) as progress:
        result = measure(place, options, progress).as_json()
        progress.end()
    if svg is not None:
        svg.write_text(chart(result), encoding="utf-8")
    if as_json:
        print_json(result)
    else:
        show_queries(result, answer())
