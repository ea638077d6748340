"""Arguments that benchmarks share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import target
from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions
from trdinger.errors import UsageError

Seed = Annotated[int, typer.Option("--seed", help="The same seed and rows are the same file, which is kept.")]
Svg = Annotated[
    Path | None,
    typer.Option("--svg", metavar="FILE", help="Write a chart to this file.", show_default=False),
]


def server(named: str | None, *, otherwise: str) -> tuple[Address, ConnectionOptions]:
    """Where a benchmark makes its databases, and how to connect; of SQLite it says `otherwise`."""
    address, connecting = target(named)
    if address.kind == "sqlite":
        raise UsageError(otherwise, hint="Name --to postgresql://… or --to embedded:")
    return address, connecting
