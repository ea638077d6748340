"""Runs the contestants in turn, each in a process and on a database of its own."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

import trdinger
from trdinger.bench import child, duckdb, ours, pgloader
from trdinger.bench.clock import Part
from trdinger.bench.file import kept_file
from trdinger.bench.hypertables import rows
from trdinger.bench.options import BenchOptions
from trdinger.bench.place import Place
from trdinger.bench.processes import finished, server_process
from trdinger.bench.result import Line, Result, Run
from trdinger.declaration import SERIES, TABLES
from trdinger.engine.connect import Database
from trdinger.errors import TargetError, TrdingerError, ValuesDiffer
from trdinger.move.workers import connections
from trdinger.progress import Progress

TRANSFER = ("Copy", "Finish")  # the stages of a move that other contestants have, too
_ONE_SESSION = "it needs a server that takes many connections; the embedded engine has one"


def bench(place: Place, options: BenchOptions, progress: Progress) -> Result:
    """Measure every contestant that is here, `repeat` times in turn.

    Raises ValuesDiffer when a move of ours is not proven equal, TargetError when rows are missing
    or a contestant fails.
    """
    file = kept_file(options.folder, options.rows, options.seed, progress)
    counted = _counted(file)
    absent = _absent(place, options)
    taking_part = [name for name in options.only if name not in absent]
    runs: dict[str, list[Run]] = {name: [] for name in taking_part}
    server = ""
    progress.stage("Measure", total=options.repeat * len(taking_part), measure="steps")
    for _ in range(options.repeat):
        for name in taking_part:
            progress.advance(0, detail=name)
            with (
                tempfile.TemporaryDirectory(prefix="run-", dir=options.folder) as workdir,
                place.fresh() as database,
            ):
                runs[name].append(_run(name, file, database, Path(workdir) / "work"))
                server = server or str(database.fresh().capabilities)
                _whole(name, runs[name][-1], counted)
            progress.advance(1, detail=name)
    result = Result(_about(file, options, counted, server), absent=absent)
    every = sum(counted.values())
    for name in taking_part:
        result.lines += _lines(name, tuple(runs[name]), every)
    return result


def _absent(place: Place, options: BenchOptions) -> dict[str, str]:
    found = {}
    for name, peer in (("duckdb", duckdb), ("pgloader", pgloader)):
        reason = _ONE_SESSION if place.embedded else peer.absent()
        if name in options.only and reason is not None:
            found[name] = reason
    return found


def _run(name: str, file: Path, database: Database, workdir: Path) -> Run:
    if name == "pgloader":
        parts, done = pgloader.transfer(file, database, server_process(database))
        with database.connect(autocommit=True) as connection:
            arrived = rows(connection)
    else:
        job = child.job(name, file, database, workdir=workdir, connections=connections(database.capabilities))
        done = finished(list(child.COMMAND), said=job)
        answer = _answer(name, done.out, done.err)
        parts, arrived = [Part(**part) for part in answer["parts"]], answer["rows"]
    shutil.rmtree(workdir, ignore_errors=True)
    return Run(tuple(parts), arrived, size_of(database), done.peak_memory)


def _answer(name: str, out: str, err: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(out)
    except json.JSONDecodeError:
        raise TargetError(f"{name} failed: {(err or out)[-2000:]}") from None
    if answer.get("kind") == ValuesDiffer.__name__:
        raise ValuesDiffer(f"The benchmark ends: {answer['error']}")
    if "error" in answer:
        raise TrdingerError(f"{name}: {answer['error']}")
    return answer


def _whole(name: str, run: Run, counted: dict[str, int]) -> None:
    expected = sum(counted[table] for table in SERIES)
    if run.rows != expected:
        raise TargetError(
            f"After {name} the target holds {run.rows:,} rows of series, the file {expected:,}."
        )


def size_of(database: Database) -> int:
    """The bytes of the nine tables with their indexes and chunks."""
    hypertables = database.fresh().capabilities.has("hypertables")
    with database.connect(autocommit=True) as connection:
        total = 0
        for table in TABLES:
            size = "hypertable_size" if hypertables and table in SERIES else "pg_total_relation_size"
            found = connection.execute(f"SELECT coalesce({size}(%s::text::regclass), 0)", (table,)).fetchone()
            plain = connection.execute("SELECT pg_total_relation_size(%s::text::regclass)", (table,))
            (whole,) = plain.fetchone() or (0,)
            total += max(int(found[0]) if found else 0, int(whole))
        return total


def machine() -> dict[str, Any]:
    """Where it is measured."""
    return {"cores": os.cpu_count(), "platform": platform.platform(), "system": sys.platform}


def _lines(name: str, runs: tuple[Run, ...], counted: int) -> list[Line]:
    if name == "trdinger":
        stages = tuple(part.name for part in runs[0].parts)
        move = tuple(stage for stage in stages if stage != ours.PROOF)
        return [
            Line("trdinger", "the whole move: backup, check, copy, keys", runs, counted, move),
            Line("copy and finish", "of the move what the others do", runs, counted, TRANSFER),
            Line("proof", "every cell compared", runs, counted, (ours.PROOF,)),
        ]
    what = {
        "replay": "rows in memory, sent and completed",
        "duckdb": "its SQLite and PostgreSQL extensions; the series",
        "pgloader": "plain tables, uncompressed",
    }[name]
    return [Line(name, what, runs, counted)]


def _counted(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def _about(file: Path, options: BenchOptions, counted: dict[str, int], server: str) -> dict[str, Any]:
    versions = {
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "sqlite": sqlite3.sqlite_version,
    }
    for name, peer in (("duckdb", duckdb), ("pgloader", pgloader)):
        if name in options.only and peer.absent() is None:
            versions[name] = peer.version()
    return {
        "trdinger": trdinger.__version__,
        "server": server,
        "file": {
            "path": str(file),
            "bytes": file.stat().st_size,
            "rows": sum(counted.values()),
            "candles": options.rows,
            "seed": options.seed,
        },
        "machine": machine(),
        "versions": versions,
        "repeat": options.repeat,
    }
