"""`trdinger db policies`, `compress`, `run-jobs`: what the server does by itself, and what is done here."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from trdinger.archive.place import place
from trdinger.cli.options import ArchiveAt, Json, Quiet, Tables, To, answer, print_json, series_chosen, target
from trdinger.engine.open import open_database
from trdinger.errors import UsageError
from trdinger.report.lifecycle import show_compression, show_policies
from trdinger.report.progress import choose
from trdinger.settings import age, load
from trdinger.upkeep import compression, jobs
from trdinger.upkeep import policies as server

Apply = Annotated[bool, typer.Option("--apply", help="Set what is missing or other than it should be.")]
After = Annotated[
    str | None,
    typer.Option(
        "--after",
        metavar="AGE",
        help="Chunks of this age on: 12h, 30d. Default: the settings.",
        show_default=False,
    ),
]
Plan = Annotated[bool, typer.Option("--plan", help="Say which chunks would be compressed; write nothing.")]
Every = Annotated[
    str | None,
    typer.Option(
        "--every",
        metavar="TIME",
        help="Run them again each time so long has passed: 15m, 1h.",
        show_default=False,
    ),
]


def policies(*, to: To = None, apply: Apply = False, as_json: Json = False) -> None:
    """Show what the server's scheduler is told and should be, by the declaration and the settings.

    Compression of each series and refresh of each aggregate that is there. With --apply what is missing
    or other is set; running that again changes nothing. Retention is not the scheduler's: it archives first
    (trdinger db retention, trdinger db run-jobs).

    \b
    Examples:
      trdinger db policies
      trdinger db policies --apply
    """
    lifecycle = load().lifecycle
    address, options = target(to)
    with open_database(address, options) as database:
        if apply:
            database.capabilities.require("jobs")
        database.capabilities.require("continuous_aggregates")
        with database.connect() as connection:
            found = server.wanted(connection, lifecycle)
            changed: list[server.Policy] = []
            if apply:
                changed = server.apply(connection, found)
                found = server.wanted(connection, lifecycle)
        said = [_RETENTION]
        if reason := database.capabilities.reason("jobs"):
            said.append(f"{reason} {_HERE}")
        if not any(one.kind == "refresh" for one in found):
            said.append("There are no aggregates to refresh; trdinger db refresh makes them.")
        told = {
            "address": str(database),
            "writes": apply,
            "changed": [f"{one.kind} of {one.relation}" for one in changed],
            "policies": [one.as_json() for one in found],
            "said": said,
        }
    if as_json:
        print_json(told)
    else:
        show_policies(told, answer())


def compress(
    *,
    to: To = None,
    table: Tables = None,
    after: After = None,
    plan_only: Plan = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compress the chunks past their age now, and those that got loose rows since they were compressed.

    \b
    Examples:
      trdinger db compress --plan
      trdinger db compress --table ohlcv_data --after 7d
    """
    ages = load().lifecycle.compress_after
    chosen = series_chosen(table)
    address, options = target(to)
    with choose(quiet=quiet, json=as_json) as progress, open_database(address, options) as database:
        database.capabilities.require("compression")
        with database.connect(autocommit=True) as connection:
            asked = {name: ages[name] if after is None else age(after) for name in chosen}
            chunks = compression.due(connection, asked)
            if not plan_only:
                progress.stage("Compress", total=len(chunks), measure="steps")
                done = []
                for one in compression.compress(connection, chunks):
                    progress.advance(1, detail=str(one.piece))
                    done.append(one)
                chunks = done
            progress.end()
        told = {
            "address": str(database),
            "writes": not plan_only,
            "chunks": [one.as_json() for one in chunks],
        }
    if as_json:
        print_json(told)
    else:
        show_compression(told, answer())


def run_jobs(
    *,
    to: To = None,
    archive: ArchiveAt = None,
    every: Every = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do what is due now: compression, refresh of the aggregates, retention into the archive.

    In this process, whatever the server: the only way on the embedded TimescaleDB, which has no scheduler of
    its own. What a server's scheduler does already is left to it. A job that fails is told and does
    not stop the others; the command then ends with its error. With --every it goes on until Ctrl-C.

    \b
    Examples:
      trdinger db run-jobs
      trdinger db run-jobs --every 1h
    """
    settings = load()
    pause = None if every is None else _pause(every)
    named = archive or settings.trdinger_archive
    where = place(named) if named else None
    address, options = target(to)
    with choose(quiet=quiet, json=as_json) as progress, open_database(address, options) as database:
        while True:
            done = list(jobs.run(database, settings.lifecycle, where, progress))
            progress.end()
            _tell({"address": str(database), "jobs": [one.as_json() for one in done]}, as_json=as_json)
            if pause is None:
                break
            time.sleep(pause)
    for one in done:
        if one.error is not None:
            one.error.told = as_json
            raise one.error


_RETENTION = "Retention is not the scheduler's: it archives first. trdinger db run-jobs does it."
_HERE = "Run what is due from here: trdinger db run-jobs --every 1h"


def _pause(text: str) -> float:
    """Seconds of 15m, or of an age. Raises UsageError."""
    if text.removesuffix("m").isdecimal() and text.endswith("m") and int(text[:-1]):
        return int(text[:-1]) * 60.0
    given = age(text)
    if given is None:
        raise UsageError("--every needs a time.", hint="15m, 1h, 1d.")
    return given.total_seconds()


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    for one in told["jobs"]:
        sign = "failed: " if one["error"] else "left: " if one["left"] else ""
        answer().print(f"{one['job']}: {sign}{one['said']}", markup=False, soft_wrap=True)
