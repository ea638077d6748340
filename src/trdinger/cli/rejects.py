"""`trdinger rejects`: the rows that a move set aside: count them, look at one, put the mended ones in."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from trdinger.cli.options import At, Json, Quiet, TextNumbers, answer, group, print_json, target
from trdinger.engine.open import open_database
from trdinger.errors import RowsSetAside, UsageError
from trdinger.legacy import rejects
from trdinger.legacy.values import Rules
from trdinger.move.replay import replay
from trdinger.report.progress import choose
from trdinger.report.rejects import show_list, show_replay, show_row

File = Annotated[
    Path,
    typer.Argument(
        metavar="REJECTS", help="The rejects.jsonl that a move or an import wrote.", show_default=False
    ),
]

app = group(
    help="Rows that a move set aside: count them, look at one, put the mended ones in.",
    epilog="Example: trdinger rejects list trdinger-move/rejects.jsonl",
)


@app.command("list")
def list_(file: File, *, as_json: Json = False) -> None:
    """Count the rejected rows of a file, by table, column and reason.

    Example: trdinger rejects list trdinger-move/rejects.jsonl
    """
    rows: Counter[str] = Counter()
    reasons: Counter[tuple[str, str, str]] = Counter()
    for reject in rejects.read(file):
        rows[reject.table] += 1
        reasons.update((bad.table, bad.column, bad.kind) for bad in reject.reasons)
    told = {
        "file": str(file),
        "source": rejects.header(file).source,
        "rows": dict(rows),
        "reasons": [
            {"table": table, "column": column, "reason": reason, "values": count}
            for (table, column, reason), count in reasons.most_common()
        ],
    }
    print_json(told) if as_json else show_list(told, answer())


@app.command()
def show(
    file: File,
    table: Annotated[str, typer.Argument(metavar="TABLE", show_default=False)],
    row: Annotated[
        str, typer.Argument(metavar="ROW", help="As list and the move name it.", show_default=False)
    ],
    *,
    as_json: Json = False,
) -> None:
    """Show one rejected row: every value as the file stores it, and why it does not fit.

    Example: trdinger rejects show trdinger-move/rejects.jsonl ohlcv_data 17
    """
    found = next(
        (one for one in rejects.read(file) if one.table == table and str(one.row) == row),
        None,
    )
    if found is None:
        raise UsageError(f"{file} has no row {row} of {table}.", hint=f"trdinger rejects list {file}")
    told = {
        "table": found.table,
        "row": found.row,
        "reasons": [vars(bad) for bad in found.reasons],
        "values": {name: rejects.encode(stored) for name, stored in found.values.items()},
    }
    print_json(told) if as_json else show_row(told, answer())


@app.command("replay")
def replay_(
    file: File,
    *,
    to: At = None,
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Try every row and take all back; write nothing.")
    ] = False,
    text_numbers: TextNumbers = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put the mended rows of a rejects file into the database, each exactly once.

    Mend the values in the file first; its first line stays. A row that is in already is left as it is,
    so the same command may be run again. Ends with 7 while rows are left.

    \b
    Examples:
      trdinger rejects replay trdinger-move/rejects.jsonl --plan
      trdinger rejects replay trdinger-move/rejects.jsonl
    """
    address, connecting = target(to)
    rejects.header(file)
    with choose(quiet=quiet, json=as_json) as progress, ExitStack() as opened:
        database = opened.enter_context(open_database(address, connecting, writes=not plan_only))
        told = replay(file, database, Rules(text_numbers=text_numbers), progress, writes=not plan_only)
    print_json(told.as_json()) if as_json else show_replay(told.as_json(), answer())
    if told.left:
        rows = len({(bad.table, bad.rowid) for bad in told.left})
        raise RowsSetAside(
            f"{rows:,} {'row is' if rows == 1 else 'rows are'} left in {file}.",
            hint="Mend them there and run the same command again.",
        )
