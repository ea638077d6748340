"""`trdinger bench layouts`: what chunks, segments, order and batches of candles cost and give."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trdinger.bench.layouts import LAYOUTS, LayoutsOptions
from trdinger.bench.layouts import bench as measure
from trdinger.bench.place import Place
from trdinger.cli.bench_options import Seed, server
from trdinger.cli.options import Json, Quiet, answer, print_json
from trdinger.report.layouts import show_layouts
from trdinger.report.progress import choose

_DEFAULT = LayoutsOptions()

On = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS",
        help="The server, with TimescaleDB's Community edition, on which a database is made and dropped"
        " again: its user must be allowed to create databases. With embedded: a directory. Default: as for"
        " migrate.",
        show_default=False,
    ),
]
Rows = Annotated[
    int, typer.Option("--rows", help="Candles: of as many symbols as leave each two years, one at least.")
]
Timeframe = Annotated[
    list[str] | None,
    typer.Option(
        "--timeframe",
        metavar="NAME",
        help="Timeframe of the candles; may be repeated. Default: those of trdinger sample.",
        show_default=False,
    ),
]
Repeat = Annotated[int, typer.Option("--repeat", help="Rounds of questions.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help=f"One of {', '.join(layout.name for layout in LAYOUTS)}; may be repeated. Default: all.",
        show_default=False,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIRECTORY",
        help="Where the file is kept. Default: bench in the user's cache.",
        show_default=False,
    ),
]


def command(
    *,
    to: On = None,
    rows: Rows = _DEFAULT.rows,
    seed: Seed = _DEFAULT.seed,
    timeframe: Timeframe = None,
    repeat: Repeat = _DEFAULT.repeat,
    only: Only = None,
    folder: Folder = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Load the same candles by several layouts, and show size, load, answers and planning of each.

    Layouts differ from the declared one in the span of a chunk, in what is compressed together, in its order
    or in the rows of a batch. Ends with 6 where one does not hold, cell by cell, what was sent.

    \b
    Examples:
      trdinger bench layouts --rows 20000 --timeframe 1h --repeat 1
      trdinger bench layouts --to postgresql://postgres@localhost/postgres
    """
    address, connecting = server(to, otherwise="SQLite has no chunks.")
    options = LayoutsOptions(
        rows=rows,
        seed=seed,
        timeframes=tuple(timeframe) if timeframe else _DEFAULT.timeframes,
        repeat=repeat,
        only=tuple(only or ()),
        folder=(folder or _DEFAULT.folder).absolute(),
    )
    place = Place(address, connecting, options.folder)
    with choose(quiet=quiet, json=as_json) as progress, place.fresh() as database:
        result = measure(database, options, progress)
        progress.end()
    if as_json:
        print_json(result)
    else:
        show_layouts(result, answer())
