"""`trdinger bench`: how fast a move is, what layout it moves into, and how fast the store answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trdinger.bench import BenchOptions
from trdinger.bench import bench as measure
from trdinger.bench.place import Place
from trdinger.cli import bench_layouts, bench_queries
from trdinger.cli.bench_options import Seed, Svg, server
from trdinger.cli.options import Json, Quiet, answer, group, print_json
from trdinger.report.bench import chart, show_bench
from trdinger.report.progress import choose

_DEFAULT = BenchOptions()

app = group(
    help="Measure how fast this machine moves a file and answers questions, and what layouts give.",
    epilog="Example: trdinger bench migrate --rows 100000 --repeat 1",
)

On = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="ADDRESS",
        help="The server on which each run gets a database of its own, dropped after it: its user must be"
        " allowed to create databases. With embedded: each gets a directory of its own. Default: as for"
        " migrate.",
        show_default=False,
    ),
]
Rows = Annotated[int, typer.Option("--rows", help="Candles of the file.")]
Repeat = Annotated[int, typer.Option("--repeat", help="How often each contestant runs.")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help="trdinger, replay, duckdb or pgloader; may be repeated. Default: all that are found here.",
        show_default=False,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIRECTORY",
        help="Where the file is kept and backups go for a while. Default: bench in the user's cache.",
        show_default=False,
    ),
]


@app.command("migrate", short_help="Measure a move beside its limit and its peers.")
def migrate(
    *,
    to: On = None,
    rows: Rows = _DEFAULT.rows,
    seed: Seed = _DEFAULT.seed,
    repeat: Repeat = _DEFAULT.repeat,
    only: Only = None,
    folder: Folder = None,
    svg: Svg = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Move a sample file by every contestant that is here, in turn, and show medians, ratios and CPU.

    Contestants are trdinger; the replay limit, which sends the same rows from memory; DuckDB and pgloader
    where they are installed. Ends with 6 if a move of ours is not proven equal.

    \b
    Examples:
      trdinger bench migrate --rows 100000 --repeat 1
      trdinger bench migrate --to postgresql://postgres@localhost/postgres --svg bench.svg
    """
    address, connecting = server(to, otherwise="SQLite is no target.")
    options = BenchOptions(
        rows=rows,
        seed=seed,
        repeat=repeat,
        only=tuple(only) if only else _DEFAULT.only,
        folder=(folder or _DEFAULT.folder).absolute(),
    )
    with choose(quiet=quiet, json=as_json) as progress:
        result = measure(Place(address, connecting, options.folder), options, progress).as_json()
        progress.end()
    if svg is not None:
        svg.write_text(chart(result), encoding="utf-8")
    if as_json:
        print_json(result)
    else:
        show_bench(result, answer())


app.command("layouts", short_help="Measure chunks, segments, order and batches of candles.")(
    bench_layouts.command
)
app.command("queries", short_help="Measure the store beside the existing application and others.")(
    bench_queries.command
)
