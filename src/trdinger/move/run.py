"""The move, stage by stage: inspect, back up, check, schema, copy, finish, verify, report.

Every stage can be run again. What a killed run left is found in the target's ledger and
in the work folder, and the same command goes on from there.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from trdinger.declaration import SERIES, TABLES
from trdinger.engine.connect import Database
from trdinger.engine.failures import speaking
from trdinger.errors import EngineBusy, SourceError, ValuesDoNotFit
from trdinger.legacy.backup import Backup, back_up
from trdinger.legacy.check import check, integrity
from trdinger.legacy.reading import BadValue
from trdinger.legacy.survey import Survey, survey
from trdinger.move import ledger
from trdinger.move.copying import Copier
from trdinger.move.finish import finish, steps
from trdinger.move.ledger import Move
from trdinger.move.plan import Existing, Plan, look, treat, without
from trdinger.move.report import Report, Stage, peak_memory, summary
from trdinger.move.since import since
from trdinger.move.units import Sizes, units
from trdinger.progress import Progress
from trdinger.schema import keys
from trdinger.schema.apply import apply
from trdinger.schema.status import tables
from trdinger.schema.upgrade import upgrade
from trdinger.verify.run import verify

_SHOWN = 20  # misfits that a message shows; the report file has all of them
MISFITS = "does-not-fit.json"


def migrate(plan: Plan, progress: Progress) -> Report:
    """Run a plan. The report tells whether source and target are equal.

    Raises SourceError, TargetError, ValuesDoNotFit; what was committed until then stays,
    and the same call goes on from there.
    """
    return _Run(plan, progress).run()


class _Run:
    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan = plan
        self.progress = progress
        self.database: Database = plan.database
        self.report = Report(
            source=str(plan.survey.source.path.resolve()),
            target=str(plan.database),
            server=str(plan.capabilities),
            workdir=str(plan.workdir),
            left_out=[*plan.options.left_out, *plan.survey.others],
            resumed=plan.resumed is not None and plan.resumed.finished is None,
        )

    def run(self) -> Report:
        """All stages in turn; of a move that is finished only the last."""
        with self.database.connect(autocommit=True) as connection, ledger.hold(connection):
            pass  # who is at work already is told now, not after the backup and the check
        resumed = self.plan.resumed
        backup, held = self._back_up()
        checked = self._check(backup, held)
        if resumed is not None and resumed.finished is not None:
            move = resumed.id
            self.report.skipped = list(without(self.database.capabilities))
        else:
            self._schema()
            move = self._move(backup, held, checked)
        self._verify(held)
        self._close(move)
        return self.report

    def _move(self, backup: Backup, held: Survey, checked: dict[str, Any]) -> uuid.UUID:
        """What only one process at a time may do to a target; the move's id."""
        sizes = self.plan.resumed.sizes if self.plan.resumed else self.plan.options.sizes
        with self.database.connect(autocommit=True) as connection, ledger.hold(connection):
            self._as_planned(connection)
            ledger.create(connection)
            move = self._enter(connection, backup, checked)
            self._copy(connection, move, held, sizes)
            self._finish(connection, move)
        return move

    def _as_planned(self, connection: psycopg.Connection[Any]) -> None:
        """Raise EngineBusy if another process moved something in while this one backed up and checked."""
        plan, found = self.plan, look(connection)
        again = treat(plan.survey, plan.database, found, plan.options)
        before, now = ([move.id for move in target.moves] for target in (plan.target, found))
        if now != before or (again and again.id) != (plan.resumed and plan.resumed.id):
            raise EngineBusy(
                f"Another process began or ended a move into {plan.database} while this one backed up and"
                " checked; this one wrote no row.",
                hint="Run the same command again; it goes by what the target holds then.",
            )

    def _back_up(self) -> tuple[Backup, Survey]:
        source, resumed = self.plan.survey.source, self.plan.resumed
        if resumed is None:
            with self._stage("Back up", total=self.plan.survey.bytes, measure="bytes"):
                backup = back_up(source, self.plan.workdir, tell=self.progress.advance)
                held = survey(backup.source)
        else:
            with self._stage("Back up", total=None) as stage:
                backup = resumed.backup
                stage.said.append(_goes_on(resumed))
                self.progress.say(stage.said[0])
                backup.verify()
                held = survey(backup.source)
                if (sentence := since(held, self.plan.survey)) is not None:
                    stage.said.append(sentence)
                    self.progress.say(sentence)
        self.report.backup, self.report.sha256 = str(backup.path), backup.sha256
        self.report.source_bytes = backup.bytes
        return backup, held

    def _check(self, backup: Backup, held: Survey) -> dict[str, Any]:
        if self.plan.resumed is not None:
            checked = self.plan.resumed.checked
            self.report.describe(held, checked)
            return checked
        with self._stage("Check", total=held.rows) as stage:
            # SQLite's own check takes longer than ours and a core of its own.
            with ThreadPoolExecutor(1, thread_name_prefix="integrity") as thread, _stopping() as opened:
                own = thread.submit(integrity, backup.source, opened=opened)
                found = check(held, tell=lambda table, rows: self.progress.advance(rows, detail=table))
                self.progress.advance(0, detail="SQLite's own integrity check")
                damage = own.result()
            stage.said = [
                f"{count:,} × {table}.{column}: {form}"
                for (table, column, form), count in found.converted.items()
            ]
        if damage:
            raise SourceError(
                f"SQLite finds {self.plan.survey.source.path} damaged: {'; '.join(damage)}."
                " Nothing was moved.",
                hint="Restore it from a copy, or save what can be read with sqlite3's .recover.",
            )
        if found.bad:
            raise self._misfits(found.bad)
        checked = summary(found)
        self.report.describe(held, checked)
        return checked

    def _misfits(self, bad: list[BadValue]) -> ValuesDoNotFit:
        path = self.plan.workdir / MISFITS
        path.write_text(
            json.dumps([vars(value) for value in bad], indent=1, ensure_ascii=True), encoding="ascii"
        )
        lines = [f"  {value}" for value in bad[:_SHOWN]]
        if len(bad) > _SHOWN:
            lines.append(f"  … and {len(bad) - _SHOWN:,} more")
        return ValuesDoNotFit(
            f"{len(bad):,} value(s) do not fit the target; nothing was moved:\n" + "\n".join(lines) + "\n",
            hint=f"All of them are in {path}. Mend them in the source, then run the same command again.",
        )

    def _schema(self) -> None:
        with self._stage("Schema", total=None) as stage:
            engine = self.database.engine()
            try:
                with speaking(self.database):
                    upgrade(engine)
            finally:
                engine.dispose()
            self.database = self.database.fresh()
            with self.database.connect() as connection:
                stage.said = apply(connection)
            self.database = self.database.fresh()
            self.report.server = str(self.database.capabilities)
            self.report.skipped = list(without(self.database.capabilities))
            for sentence in self.report.skipped:
                self.progress.say(sentence)

    def _enter(
        self, connection: psycopg.Connection[Any], backup: Backup, checked: dict[str, Any]
    ) -> uuid.UUID:
        """Enter the move in the ledger, emptying the tables first where that was asked for."""
        if self.plan.resumed is not None:
            ledger.resume(connection, self.plan.resumed.id)
            return self.plan.resumed.id
        replacing = self.plan.options.existing is Existing.REPLACE
        with connection.transaction():
            if replacing:
                connection.execute(f"TRUNCATE {', '.join(TABLES)}")
            ledger.forget(connection)
            return ledger.begin(
                connection,
                self.plan.survey.source.path,
                backup,
                self.plan.options.sizes,
                checked,
                replacing=replacing,
            )

    def _copy(self, connection: psycopg.Connection[Any], move: uuid.UUID, held: Survey, sizes: Sizes) -> None:
        with self._stage("Copy", total=held.rows) as stage:
            every = list(units(held, sizes))
            done = ledger.committed(connection, move)
            if len(done) < len(every):
                with connection.transaction():
                    for table in SERIES:
                        keys.drop_for_load(connection, table)
            self.progress.advance(sum(done.values()))
            rows = Copier(connection, move, self.database.capabilities, self.progress).copy(
                held.source, every
            )
            if done:
                stage.said.append(f"{sum(done.values()):,} rows were in already; {rows:,} came now.")
            try:
                _all_in(ledger.committed(connection, move), held)
            except SourceError:
                ledger.finish(connection, move, self.report.as_json(), proven=False)
                raise

    def _finish(self, connection: psycopg.Connection[Any], move: uuid.UUID) -> None:
        capabilities = self.database.capabilities
        with self._stage("Finish", total=steps(capabilities), measure="steps"):
            finish(connection, move, capabilities, self.progress)

    def _verify(self, held: Survey) -> None:
        with Stage("Verify").timed() as stage:
            self.report.proof = verify(held, self.database, self.progress)
        self.report.stages.append(stage)
        self.progress.end()

    def _close(self, move: uuid.UUID) -> None:
        self.report.peak_memory = peak_memory()
        hypertables = self.database.capabilities.has("hypertables")
        with self.database.connect() as connection:
            held = tables(connection, hypertables=hypertables)
            self.report.target_bytes = {table["table"]: table["bytes"] for table in held}
            ledger.finish(connection, move, self.report.as_json(), proven=self.report.equal)

    @contextmanager
    def _stage(self, name: str, *, total: int | None, measure: Any = "rows") -> Iterator[Stage]:
        self.progress.stage(name, total=total, measure=measure)
        with Stage(name).timed() as stage:
            yield stage
        self.report.stages.append(stage)


@contextmanager
def _stopping() -> Iterator[Callable[[sqlite3.Connection], object]]:
    """Interrupt the connections that it is given when the block is left by an exception."""
    opened: list[sqlite3.Connection] = []
    try:
        yield opened.append
    except BaseException:
        for connection in opened:
            with suppress(sqlite3.ProgrammingError):  # it came to its end by itself
                connection.interrupt()
        raise


def _goes_on(move: Move) -> str:
    path = move.backup.path
    if move.finished is not None:
        return f"Already moved on {move.finished:%Y-%m-%d %H:%M} UTC; verifying again, by its backup {path}."
    what = "replacement" if move.replacing else "move"
    return (
        f"Going on with the {what} that began on {move.started:%Y-%m-%d %H:%M} UTC, from its backup {path}."
    )


def _all_in(done: dict[tuple[str, int], int], held: Survey) -> None:
    """Rows in = rows moved, by table."""
    for table in held.tables:
        moved = sum(rows for (name, _), rows in done.items() if name == table.shape.name)
        if moved != table.rows:
            raise SourceError(
                f"{table.shape.name}: the backup holds {table.rows:,} rows, {moved:,} were moved.",
                hint="Start over with --existing replace.",
            )
