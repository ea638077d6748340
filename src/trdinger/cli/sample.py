"""`trdinger sample`: a realistic legacy file to try things with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import Json, Quiet, answer, print_json
from trdinger.errors import UsageError
from trdinger.report import figures
from trdinger.report.progress import choose
from trdinger.sample import KINDS, SampleOptions, spoil, write_sample

_DEFAULT = SampleOptions()

Out = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.", show_default=False)]
Rows = Annotated[int, typer.Option("--rows", help="Candles in all.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed and options give the same rows.")]
Symbols = Annotated[
    list[str] | None, typer.Option("--symbol", help="A symbol; may be repeated.", show_default=False)
]
Timeframes = Annotated[
    list[str] | None, typer.Option("--timeframe", help="A timeframe; may be repeated.", show_default=False)
]
Spoil = Annotated[
    list[str] | None,
    typer.Option(
        "--spoil",
        metavar="KIND",
        help="Put a value in that fits no schema, to try what is said of it; may be repeated. KIND is all,"
        " or one of those that a wrong KIND lists.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")]


def command(
    path: Out,
    *,
    rows: Rows = _DEFAULT.rows,
    seed: Seed = _DEFAULT.seed,
    symbol: Symbols = None,
    timeframe: Timeframes = None,
    spoiled: Spoil = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a SQLite file as the existing application would have: nine tables, realistic candles.

    \b
    Examples:
      trdinger sample sample.db --rows 100000 --seed 7
      trdinger sample spoilt.db --rows 1000 --spoil all
    """
    unknown = [kind for kind in spoiled or () if kind not in {*KINDS, "all"}]
    if unknown:
        raise UsageError(
            f"{', '.join(unknown)}: no kind of damage.", hint=f"Kinds are: all, {', '.join(KINDS)}."
        )
    options = SampleOptions(
        rows=rows,
        seed=seed,
        symbols=tuple(symbol or _DEFAULT.symbols),
        timeframes=tuple(timeframe or _DEFAULT.timeframes),
    )
    with choose(quiet=quiet, json=as_json) as progress:
        stage, before = "", 0

        def tell(name: str, done: int, total: int) -> None:
            nonlocal stage, before
            if name != stage:
                progress.stage(
                    name.capitalize(), total=total, measure="rows" if name == "candles" else "steps"
                )
                stage, before = name, 0
            progress.advance(done - before)
            before = done

        summary = write_sample(path, options, progress=tell, overwrite=force)
        progress.end()
    damages = spoil(path, None if "all" in spoiled else spoiled, seed=seed) if spoiled else []
    size = path.stat().st_size
    if as_json:
        print_json(
            {
                "path": str(path),
                "bytes": size,
                "rows": dict(summary.rows),
                "spoiled": [vars(damage) for damage in damages],
            }
        )
        return
    total = figures.count(sum(summary.rows.values()))
    lines = [f"{path}: {total} rows in nine tables, {figures.size(size)}"]
    lines += [f"  spoilt: {each.table} row {each.rowid}, {each.column}: {each.kind}" for each in damages]
    answer().print("\n".join(lines), markup=False, soft_wrap=True)
