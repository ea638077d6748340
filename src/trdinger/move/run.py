"""The move, stage by stage: inspect, back up, check, schema, copy, finish, verify, report.

Every stage can be run again. What a killed run left is found in the target's ledger and
in the work folder, and the same command goes on from there.
"""

from __future__ import annotations

import json
import resource
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from trdinger.declaration import SERIES, TABLES
from trdinger.engine.connect import Database
from trdinger.engine.failures import speaking
from trdinger.errors import SourceError, ValuesDoNotFit
from trdinger.legacy.backup import Backup, back_up
from trdinger.legacy.check import check, integrity
from trdinger.legacy.reading import BadValue
from trdinger.legacy.survey import Survey, survey
from trdinger.move import ledger
from trdinger.move.copying import Copier
from trdinger.move.finish import finish, steps
from trdinger.move.plan import Existing, Plan, without
from trdinger.move.report import Report, Stage, summary
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
            resumed=plan.resumed is not None,
        )

    def run(self) -> Report:
        """All stages in turn."""
        backup = self._back_up()
        held = self._survey(backup)
        checked = self._check(backup, held)
        self._schema()
        with self.database.connect(autocommit=True) as connection:
            ledger.create(connection)
            ledger.hold(connection)
            move = self._enter(connection, backup, checked)
            sizes = self.plan.resumed.sizes if self.plan.resumed else self.plan.options.sizes
            self._copy(connection, move, held, sizes)
            self._finish(connection, move)
            held_by_target = tables(connection, hypertables=self.database.capabilities.has("hypertables"))
            self.report.target_bytes = {table["table"]: table["bytes"] for table in held_by_target}
        self._verify(held)
        self._close(move)
        return self.report

    def _back_up(self) -> Backup:
        source = self.plan.survey.source
        if self.plan.resumed is not None:
            backup = self.plan.resumed.backup
            self.progress.say(
                f"Going on with the move that began on {self.plan.resumed.started:%Y-%m-%d %H:%M} UTC,"
                f" from its backup {backup.path}."
            )
            with self._stage("Back up", total=None):
                backup.verify()
        else:
            with self._stage("Back up", total=self.plan.survey.bytes, measure="bytes"):
                backup = back_up(source, self.plan.workdir, tell=self.progress.advance)
        self.report.backup, self.report.sha256 = str(backup.path), backup.sha256
        return backup

    def _survey(self, backup: Backup) -> Survey:
        held = survey(backup.source)
        self.report.source_bytes = backup.bytes
        return held

    def _check(self, backup: Backup, held: Survey) -> dict[str, Any]:
        if self.plan.resumed is not None:
            checked = self.plan.resumed.checked
            self.report.describe(held, checked)
            return checked
        with self._stage("Check", total=held.rows) as stage:
            # SQLite's own check takes longer than ours and a core of its own.
            with ThreadPoolExecutor(1, thread_name_prefix="integrity") as thread:
                own = thread.submit(integrity, backup.source)
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
        with connection.transaction():
            if self.plan.options.existing is Existing.REPLACE:
                connection.execute(f"TRUNCATE {', '.join(TABLES)}")
            ledger.forget(connection)
            return ledger.begin(
                connection, self.plan.survey.source.path, backup, self.plan.options.sizes, checked
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
            _all_in(ledger.committed(connection, move), held)

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
        with self.database.connect() as connection:
            ledger.finish(connection, move, self.report.as_json(), proven=self.report.equal)

    @contextmanager
    def _stage(self, name: str, *, total: int | None, measure: Any = "rows") -> Iterator[Stage]:
        self.progress.stage(name, total=total, measure=measure)
        with Stage(name).timed() as stage:
            yield stage
        self.report.stages.append(stage)


def peak_memory() -> int:
    """The most memory that this process ever held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _all_in(done: dict[tuple[str, int], int], held: Survey) -> None:
    """Rows in = rows moved, by table."""
    for table in held.tables:
        moved = sum(rows for (name, _), rows in done.items() if name == table.shape.name)
        if moved != table.rows:
            raise SourceError(
                f"{table.shape.name}: the backup holds {table.rows:,} rows, {moved:,} were moved.",
                hint="Start over with --existing replace.",
            )
