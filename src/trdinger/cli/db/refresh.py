"""`trdinger db refresh`: continuous aggregates of candles, made where they lack and brought up to date."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trdinger.cli.options import End, Json, Quiet, Start, To, answer, print_json, target, utc
from trdinger.declaration import AGGREGATES
from trdinger.engine.open import open_database
from trdinger.report.progress import choose
from trdinger.schema import aggregates

Drop = Annotated[bool, typer.Option("--drop", help="Take the aggregates away instead; the candles stay.")]


def refresh(
    *,
    to: To = None,
    start: Start = None,
    end: End = None,
    drop: Drop = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the continuous aggregates of candles where they lack, and bring them up to date.

    From 5m to 1w, each out of the next finer one, for every series that is stored. They are real-time:
    what came after the refresh shows at once, computed at the question. Run it after a move or a
    backfill. Needs TimescaleDB's Community edition.

    \b
    Examples:
      trdinger db refresh
      trdinger db refresh --from 2024-01-01
    """
    address, options = target(to)
    with choose(quiet=quiet, json=as_json) as progress, open_database(address, options) as database:
        database.capabilities.require("continuous_aggregates")
        with database.connect(autocommit=True) as connection:
            if drop:
                told: dict[str, Any] = {"dropped": aggregates.drop(connection)}
            else:
                made = aggregates.create(connection)
                progress.stage("Refresh", total=len(AGGREGATES), measure="steps")
                done = []
                for one in aggregates.refresh(connection, utc(start), utc(end)):
                    progress.advance(1, detail=one.name)
                    done.append(
                        {
                            "aggregate": one.name,
                            "start": one.start.isoformat(),
                            "end": one.end.isoformat(),
                            "seconds": round(one.seconds, 3),
                        }
                    )
                told = {"created": made, "refreshed": done}
        progress.end()
    if as_json:
        print_json({"address": str(database), **told})
        return
    out = answer()
    if drop:
        out.print(f"{database}: {len(told['dropped'])} aggregates were taken away.", soft_wrap=True)
        return
    for one in told["refreshed"]:
        out.print(f"{one['aggregate']}: {one['start']} to {one['end']}, {one['seconds']} s", soft_wrap=True)
    out.print(f"{database}: {len(told['refreshed'])} aggregates are up to date.", soft_wrap=True)
