"""`trdinger archive`: rows that left a database: what there is, whether it is whole, and the way back."""

from __future__ import annotations

from typing import Annotated

import typer

from trdinger.archive.archive import Archive, Verified
from trdinger.archive.place import place
from trdinger.cli.options import (
    ArchiveAt,
    End,
    Json,
    Quiet,
    Start,
    Tables,
    To,
    answer,
    archive_address,
    group,
    print_json,
    series_chosen,
    target,
    utc,
)
from trdinger.declaration import SERIES
from trdinger.engine.open import open_database
from trdinger.errors import ArchiveError
from trdinger.report.lifecycle import show_archive
from trdinger.report.progress import choose
from trdinger.upkeep import restoring

app = group(
    help="Look into the archive of rows that a database no longer keeps, prove it, and bring rows back.",
    epilog="Example: trdinger archive list",
)
Symbol = Annotated[
    str | None, typer.Option("--symbol", help="Only of this symbol. Default: all.", show_default=False)
]
Timeframe = Annotated[
    str | None, typer.Option("--timeframe", help="Only of this timeframe. Default: all.", show_default=False)
]
Plan = Annotated[bool, typer.Option("--plan", help="Say what would come back; write nothing.")]


@app.command("list", short_help="Show every series that an archive holds.")
def list_(*, archive: ArchiveAt = None, as_json: Json = False) -> None:
    """Show every series that an archive holds, with its range, rows and size, from its manifest.

    Example: trdinger archive list --archive candles-archive
    """
    opened = _opened(archive)
    listed = opened.manifest()
    told = {
        "archive": str(opened),
        "files": len(listed.files),
        "rows": sum(one.rows for one in listed.files),
        "bytes": sum(one.bytes for one in listed.files),
        "open": listed.open is not None,
        "series": [
            {
                "table": series.table,
                "symbol": held.segment[0],
                "timeframe": next(iter(held.segment[1:]), None),
                "first": held.first_moment.isoformat(),
                "last": held.last_moment.isoformat(),
                "rows": held.rows,
                "bytes": held.bytes,
                "files": held.files,
            }
            for series in SERIES.values()
            for held in opened.held(series)
        ],
    }
    if as_json:
        print_json(told)
    else:
        show_archive(told, answer())


@app.command("verify", short_help="Prove that an archive is as it was written.")
def verify(*, archive: ArchiveAt = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Prove that an archive is as it was written: every byte, every row's time, no file missing or extra.

    Ends with 8 where it is not, and names each fault.

    Example: trdinger archive verify --archive candles-archive
    """
    opened = _opened(archive)
    found = Verified(0, 0, 0)
    with choose(quiet=quiet, json=as_json) as progress:
        progress.stage("Verify", total=len(opened.manifest().files), measure="steps")
        for one in opened.verify():
            if isinstance(one, Verified):
                found = one
            else:
                progress.advance(1, detail=one)
        progress.end()
    if as_json:
        print_json({"archive": str(opened), **vars(found), "wrong": list(found.wrong)})
    else:
        for sentence in found.wrong:
            answer().print(sentence, markup=False, soft_wrap=True)
    if found.wrong:
        error = ArchiveError(
            f"The archive {opened} is not as it was written: {len(found.wrong)} faults.",
            hint="Put these files back from a backup; the others can be read and restored.",
        )
        error.told = True
        raise error
    if not as_json:
        answer().print(
            f"{opened} is as it was written: {found.files:,} files, {found.rows:,} rows.",
            markup=False,
            soft_wrap=True,
        )


@app.command("restore", short_help="Bring rows of an archive back into a database.")
def restore(
    *,
    to: To = None,
    archive: ArchiveAt = None,
    table: Tables = None,
    symbol: Symbol = None,
    timeframe: Timeframe = None,
    start: Start = None,
    end: End = None,
    plan_only: Plan = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bring rows of an archive back into a database, exactly as they were; those that are there stay.

    Running it again changes nothing. The archive stays as it is. Retention takes the rows away again when
    it runs next: keep them for longer first.

    \b
    Examples:
      trdinger archive restore --symbol BTC/USDT:USDT --from 2023-01-01 --plan
      trdinger archive restore --table funding_rate_data
    """
    opened = _opened(archive)
    since, until = utc(start), utc(end)
    files = restoring.choose(
        opened, series_chosen(table), symbol=symbol, timeframe=timeframe, start=since, end=until
    )
    told = {"archive": str(opened), "writes": not plan_only, "files": len(files)}
    told |= {"rows": sum(file.rows for file in files), "new": None, "address": None}
    if not plan_only:
        address, options = target(to)
        with choose(quiet=quiet, json=as_json) as progress, open_database(address, options) as database:
            done = list(restoring.restore(database, opened, files, progress, start=since, end=until))
            progress.end()
            told |= {"address": str(database), "rows": sum(one.rows for one in done)}
            told["new"] = sum(one.new for one in done)
    if as_json:
        print_json(told)
        return
    said = f"{told['files']:,} files with {told['rows']:,} rows would be read; nothing was written."
    if not plan_only:
        said = f"{told['address']}: {told['new']:,} of {told['rows']:,} rows are back; the others were there."
    answer().print(said, markup=False, soft_wrap=True)


def _opened(named: str | None) -> Archive:
    return Archive(place(archive_address(named)))
