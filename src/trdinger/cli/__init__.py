"""The command line: parse, call one function, show. Rules and SQL are other rooms' business.

`main` is the only place that turns errors into exit codes; `trdinger exit-codes` lists these.
"""

from __future__ import annotations

import gc

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    # A start makes half a million objects and no garbage; looking for it took a fifth of the start's time.
    gc.disable()
    from trdinger.cli.app import main as run_and_exit  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    run_and_exit(arguments)
