"""`trdinger sample`: a realistic legacy file to try things with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import Json, Quiet, answer, print_json
from trdinger.report.progress import choose
from trdinger.sample import SampleOptions, write_sample

_DEFAULT = SampleOptions()

Out = Annotated[Path, typer.Argument(help="The file to write.", show_default=False)]
Rows = Annotated[int, typer.Option("--rows", help="Candles in all.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed and options give the same rows.")]
Symbols = Annotated[
    list[str] | None, typer.Option("--symbol", help="A symbol; may be repeated.", show_default=False)
]
Timeframes = Annotated[
    list[str] | None, typer.Option("--timeframe", help="A timeframe; may be repeated.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")]


def command(
    path: Out,
    *,
    rows: Rows = _DEFAULT.rows,
    seed: Seed = _DEFAULT.seed,
    symbol: Symbols = None,
    timeframe: Timeframes = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a SQLite file as the existing application would have: nine tables, realistic candles.

    Example: trdinger sample sample.db --rows 100000 --seed 7
    """
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
                progress.stage(name.capitalize(), total=total)
                stage, before = name, 0
            progress.advance(done - before)
            before = done

        summary = write_sample(path, options, progress=tell, overwrite=force)
        progress.end()
    if as_json:
        print_json({"path": str(path), "bytes": path.stat().st_size, "rows": dict(summary.rows)})
    else:
        total = sum(summary.rows.values())
        answer().print(
            f"{path}: {total:,} rows in nine tables, {path.stat().st_size:,} bytes", soft_wrap=True
        )
