"""Brings the file, the database and all who are asked together, and puts the questions to them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa

import trdinger
from trdinger.bench.file import kept_file
from trdinger.bench.queries import peers
from trdinger.bench.queries.application import Application
from trdinger.bench.queries.asked import asked
from trdinger.bench.queries.client import PAGE
from trdinger.bench.queries.joining import pandas
from trdinger.bench.queries.load import WRITTEN, load
from trdinger.bench.queries.options import QueriesOptions
from trdinger.bench.queries.ours import Copy, Ours
from trdinger.bench.queries.place import Kept
from trdinger.bench.queries.result import Result
from trdinger.bench.queries.rounds import put, stored
from trdinger.bench.queries.statement import Statement
from trdinger.bench.run import machine, size_of
from trdinger.engine.connect import Database
from trdinger.progress import Progress, Silent

_WRITES = ("new", "known")
_MEASURED = ("size", "load")  # what is no question to one
_ONE_SESSION = "it needs a server that takes many connections; the embedded engine has one"


def bench(place: Kept, options: QueriesOptions, progress: Progress) -> Result:
    """Ask and compare.

    Raises ValuesDiffer where the store answers otherwise than another, UsageError without pandas.
    """
    pandas()
    file = kept_file(options.folder, options.rows, options.seed, progress)
    with place.of(file, progress) as database:
        return _Bench(file, database, options, progress).result()


def drop(place: Kept, options: QueriesOptions) -> None:
    """Take the database and the copies of the file away; the file itself stays."""
    file = kept_file(options.folder, options.rows, options.seed, Silent())
    place.drop(file)
    shutil.rmtree(_copies(file), ignore_errors=True)


class _Bench:
    """One run over one file and its database."""

    def __init__(self, file: Path, database: Database, options: QueriesOptions, progress: Progress) -> None:
        self._file = file
        self._database = database
        self._options = options
        self._progress = progress
        self._asked = asked(file)
        self._result = Result(_about(file, database, options))

    def result(self) -> Result:
        questions = self._options.questions
        self._progress.stage("Ask", total=len(questions), measure="steps")
        with ExitStack() as opened:
            cache = _copies(self._file) / "cache"
            ours = opened.enter_context(closing(Ours(self._database, self._asked, cache)))
            alone = [one for one in questions if one not in (*_WRITES, *_MEASURED)]
            sides = self._sides(ours, opened) if alone else []
            for question in alone:
                self._progress.advance(0, detail=question)
                self._result.asked.append(put(question, sides, self._options.repeat))
                self._progress.advance(1, detail=question)
            if any(one in questions for one in (*_WRITES, "load")):
                self._written(ours)
        if "size" in questions:
            copies = _copies(self._file)
            self._result.sizes = {"trdinger": size_of(self._database), "file": self._file.stat().st_size}
            self._result.sizes |= {name: size for name in peers.PLACES if (size := _size(copies / name))}
            self._progress.advance(1, detail="size")
        return self._result

    def _sides(self, ours: Ours, opened: ExitStack) -> list[Any]:
        """Who is asked, ours first; who cannot be is named with the reason."""
        sides: list[Any] = [ours]
        self._copy(sides, opened)
        sides.append(opened.enter_context(closing(Application(self._file, self._asked))))
        sides.append(opened.enter_context(closing(Statement(self._file, self._asked))))

        def candles() -> Iterable[tuple[str, str, pa.Table]]:
            for held in ours.store.inventory():
                if held.timeframe is not None:
                    yield held.symbol, held.timeframe, ours.store.candles(held.symbol, held.timeframe).arrow

        for name in peers.PEERS:
            reason = peers.absent(name)
            if reason is not None:
                self._result.absent[name] = reason
                continue
            self._progress.advance(0, detail=f"copy for {name}")
            sides.append(peers.opened(name, _copies(self._file), candles, self._asked))
            self._result.about["versions"][name] = version(name)
        return sides

    def _copy(self, sides: list[Any], opened: ExitStack) -> None:
        if self._database.sessions == 1:
            self._result.absent[Copy.name] = _ONE_SESSION
            return
        copy = Copy(opened.enter_context(self._database.connect(autocommit=True)), self._asked)
        try:
            copy.months()
        except psycopg.errors.InsufficientPrivilege:
            reason = "its user may not write files on the server (pg_write_server_files)"
            self._result.absent[Copy.name] = reason
        else:
            sides.append(copy)

    def _written(self, ours: Ours) -> None:
        """What writes, on a copy of the file that is taken away afterwards."""
        options = self._options
        copy = _copies(self._file) / "written.db"
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(self._file, copy)
        try:
            wanted = [one for one in _WRITES if one in options.questions]
            if wanted:
                with closing(Application(copy, self._asked)) as application:
                    found = stored(ours, application, self._asked, options.stored, options.repeat)
                self._result.asked += [one for one in found if one.question in wanted]
                self._progress.advance(len(wanted), detail="stored")
            if "load" in options.questions and options.seconds:
                self._load(copy)
                self._progress.advance(1, detail="load")
        finally:
            copy.unlink(missing_ok=True)

    def _load(self, copy: Path) -> None:
        if self._database.sessions == 1:
            self._result.absent["load"] = _ONE_SESSION
            return
        options = self._options
        job = {
            "file": str(copy),
            "url": self._database.url.render_as_string(hide_password=False),
            "symbols": self._asked.symbols,
            "months": [one.isoformat() for one in self._asked.months],
        }
        try:
            for side in (Ours.name, Application.name):
                self._progress.advance(0, detail=f"load on {side}")
                self._result.load.append(
                    load(
                        {"side": side, **job},
                        readers=options.readers,
                        writers=options.writers,
                        seconds=options.seconds,
                    )
                )
        finally:
            with closing(Ours(self._database, self._asked)) as ours:
                for at in range(options.writers):
                    ours.forget(WRITTEN.format(at), datetime(1970, 1, 1, tzinfo=UTC))


def _copies(file: Path) -> Path:
    """Where those who work on files have theirs."""
    return file.with_suffix(".copies")


def _size(folder: Path) -> int:
    """What a folder takes on the disk: a file of LMDB is mostly holes."""
    return sum(one.stat().st_blocks * 512 for one in folder.rglob("*") if one.is_file())


def _about(file: Path, database: Database, options: QueriesOptions) -> dict[str, Any]:
    return {
        "trdinger": trdinger.__version__,
        "server": str(database.capabilities),
        "file": {
            "path": str(file),
            "bytes": file.stat().st_size,
            "candles": options.rows,
            "seed": options.seed,
        },
        "machine": machine(),
        "versions": {
            **{name: version(name) for name in ("pandas", "pyarrow", "sqlalchemy")},
            "sqlite": sqlite3.sqlite_version,
        },
        "repeat": options.repeat,
        "stored": options.stored,
        "clients": {
            "readers": options.readers,
            "writers": options.writers,
            "page": PAGE,
            "seconds": options.seconds,
        },
    }
