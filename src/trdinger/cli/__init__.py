"""The command line: parse, call one function, show. Rules and SQL are other rooms' business.

`main` is the only place that turns errors into exit codes; `trdinger exit-codes` lists these.
"""

from __future__ import annotations

from trdinger.cli.app import main

__all__ = ["main"]
