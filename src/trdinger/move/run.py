"""The move, stage by stage: inspect, back up, check, schema, copy, finish, verify, report.

Every stage can be run again. What a killed run left is found in the target's ledger and
in the work folder, and the same command goes on from there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from trdinger.declaration import SERIES, TABLES
from trdinger.engine.connect import Database
from trdinger.engine.failures import speaking
from trdinger.errors import EngineBusy, SourceError
from trdinger.legacy import rejects
from trdinger.legacy.backup import Backup, back_up
from trdinger.legacy.survey import Survey, survey
from trdinger.move import ledger, own
from trdinger.move.checking import CHANGES, Checked, look, rules
from trdinger.move.finish import finish, steps
from trdinger.move.ledger import Move
from trdinger.move.plan import Existing, Options, Plan, at_target, treat, without
from trdinger.move.report import Report, Stage, peak_memory
from trdinger.move.since import since
from trdinger.move.spool import Spool
from trdinger.move.units import Sizes, units
from trdinger.move.workers import copy
from trdinger.progress import Progress
from trdinger.schema import aggregates, keys
from trdinger.schema.apply import apply
from trdinger.schema.status import tables
from trdinger.schema.timescale import ensure_extension
from trdinger.schema.upgrade import upgrade
from trdinger.verify.run import verify


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
        self.id = uuid.uuid4()  # of a move that begins
        self.report = Report(
            source=str(plan.survey.source.path.resolve()),
            target=str(plan.database),
            server=str(plan.capabilities),
            workdir=str(plan.workdir),
            left_out=plan.left_out,
            resumed=plan.resumed is not None and plan.resumed.finished is None,
        )

    def run(self) -> Report:
        """All stages in turn; of a move that is finished only the last."""
        with self.database.connect(autocommit=True) as connection, ledger.hold(connection):
            pass  # who is at work already is told now, not after the backup and the check
        resumed = self.plan.resumed
        backup, held = self._back_up()
        checked = self._check(held)
        held = checked.of(held)
        if resumed is not None and resumed.finished is not None:
            move = resumed.id
            self.report.skipped = list(without(self.database.capabilities))
        else:
            self._schema(held)
            move = self._move(backup, held, checked)
        self._verify(self._as_it_became(held, checked, move))
        self._close(move, held)
        return self.report

    def _as_it_became(self, held: Survey, checked: Checked, move: uuid.UUID) -> Survey:
        """The file, without keys that could not be made, and with what came since from its rejects."""
        with self.database.connect(autocommit=True) as connection:
            failed = own.failures(connection)
            judged = held.judged(rules(checked.told), checked.rejected, ledger.replayed(connection, move))
        said = [sentence for each in failed.values() for sentence in each.values()]
        self.report.skipped += said
        for sentence in said:
            self.progress.say(sentence)
        return judged.without_keys(failed)

    def _move(self, backup: Backup, held: Survey, checked: Checked) -> uuid.UUID:
        """What only one process at a time may do to a target; the move's id."""
        sizes = self.plan.resumed.sizes if self.plan.resumed else self.plan.options.sizes
        with self.database.connect(autocommit=True) as connection, ledger.hold(connection):
            self._as_planned(connection)
            ledger.create(connection)
            move = self._enter(connection, backup, checked)
            own.make(connection, move, held)
            self._copy(connection, move, held, sizes, checked.spool)
            self._finish(connection, move, held)
        return move

    def _as_planned(self, connection: psycopg.Connection[Any]) -> None:
        """Raise EngineBusy if another process moved something in while this one backed up and checked."""
        plan, found = self.plan, at_target(connection)
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
            with self._stage("Back up", total=self.plan.survey.bytes, measure="bytes") as stage:
                backup = back_up(
                    source,
                    self.plan.workdir,
                    tell=self.progress.advance,
                    summing=lambda size: self.progress.stage("SHA-256", total=size, measure="bytes"),
                )
                self.progress.stage("Count")
                held = survey(backup.source, self.plan.survey.asked)
                if others := backup.others(source):
                    stage.said.append(_older(others))
                    self.progress.say(stage.said[-1])
        else:
            with self._stage("Back up", total=None) as stage:
                backup = resumed.backup
                stage.said.append(_goes_on(resumed))
                self.progress.say(stage.said[0])
                backup.verify()
                held = survey(backup.source, resumed.choices)
                if (sentence := since(held, self.plan.survey)) is not None:
                    stage.said.append(sentence)
                    self.progress.say(sentence)
        self.report.backup, self.report.sha256 = str(backup.path), backup.sha256
        self.report.source_bytes = backup.bytes
        return backup, held

    def _check(self, held: Survey) -> Checked:
        """Which rows are moved; by the ledger where a move goes on."""
        resumed = self.plan.resumed
        if resumed is not None:
            with self.database.connect(autocommit=True) as connection:
                checked = Checked(resumed.checked, ledger.rejected(connection, resumed.id))
            self._told_once(resumed, checked)
        else:
            with self._stage("Check", total=held.rows) as stage:
                checked = self._look(held, self.id, self.plan.options)
                stage.said = [
                    f"{one['values']:,} × {one['table']}.{one['column']}: {one['form']}"
                    for one in checked.told["converted"]
                ]
                if checked.rejected:
                    rows = sum(map(len, checked.rejected.values()))
                    path = self.plan.workdir / rejects.NAME
                    stage.said.append(f"{rows:,} rows do not fit and are set aside in {path}.")
                    self.progress.say(stage.said[-1])
        self.report.describe(held, checked.told)
        self.report.left_out = self.plan.behind(held)
        return checked

    def _told_once(self, resumed: Move, checked: Checked) -> None:
        """A move goes on as it began, whatever is asked for now; that is said. Its files are there again."""
        options, asked = self.plan.options, self.plan.survey.asked.as_json()
        if asked and asked != checked.told.get("asked"):
            self.progress.say("It goes on by the plan that it began with, not by the one named now.")
        if (rules(checked.told), checked.told.get("stays", "first")) != (options.rules, options.stays):
            self.progress.say("It goes on by the rules that it began with, not by those named now.")
        lost = [
            name
            for name, told in ((rejects.NAME, "rejects"), (CHANGES, "changed"))
            if checked.told.get(told) and not (self.plan.workdir / name).exists()
        ]
        if lost and not resumed.ended:
            began = replace(options, rules=rules(checked.told), stays=checked.told["stays"], strict=False)
            with self._stage("Check", total=sum(checked.told["rows"].values())) as stage:
                stage.said.append(f"Written again, for it was gone: {', '.join(lost)}.")
                held = survey(resumed.backup.source, resumed.choices)
                self._look(held, resumed.id, replace(began, max_rejects=None))

    def _look(self, held: Survey, move: uuid.UUID, options: Options) -> Checked:
        source, folder = self.plan.survey.source.path.resolve(), self.plan.workdir
        checked = look(held, move, options, self.progress, source=source, folder=folder)
        if held.own:
            checked.told |= {"own": held.choices.as_json(), "asked": held.asked.as_json()}
        return checked

    def _schema(self, held: Survey) -> None:
        with self._stage("Schema", total=None) as stage:
            if held.ours:
                stage.said = self._upgrade()
            else:
                with self.database.connect() as connection:
                    ensure_extension(connection)
            self.database = self.database.fresh()
            self.report.server = str(self.database.capabilities)
            self.report.skipped = list(without(self.database.capabilities))
            for sentence in self.report.skipped:
                self.progress.say(sentence)

    def _upgrade(self) -> list[str]:
        """Bring Trdinger's own tables to the schema; what was changed, in sentences."""
        engine = self.database.engine()
        try:
            with speaking(self.database):
                upgrade(engine)
        finally:
            engine.dispose()
        self.database = self.database.fresh()
        with self.database.connect() as connection:
            return apply(connection)

    def _enter(self, connection: psycopg.Connection[Any], backup: Backup, checked: Checked) -> uuid.UUID:
        """Enter the move in the ledger, emptying the tables first where that was asked for."""
        if self.plan.resumed is not None:
            ledger.resume(connection, self.plan.resumed.id)
            return self.plan.resumed.id
        replacing = self.plan.options.existing is Existing.REPLACE
        with connection.transaction():
            if replacing and (present := [name for name in self.plan.target.rows if name in TABLES]):
                aggregates.drop(connection)  # they would go on telling of the rows that go
                connection.execute(f"TRUNCATE {', '.join(present)}")
            own.remove(connection)
            ledger.forget(connection)
            ledger.begin(
                connection,
                self.id,
                self.plan.survey.source.path,
                backup,
                sizes=self.plan.options.sizes,
                checked=checked.told,
                rejected=checked.rejected,
                replacing=replacing,
            )
        return self.id

    def _copy(
        self,
        connection: psycopg.Connection[Any],
        move: uuid.UUID,
        held: Survey,
        sizes: Sizes,
        spool: Spool | None,
    ) -> None:
        with self._stage("Copy", total=held.rows) as stage:
            every = list(units(held, sizes))
            done = ledger.committed(connection, move)
            if held.ours and len(done) < len(every):
                with connection.transaction():
                    for table in SERIES:
                        keys.drop_for_load(connection, table)
            self.progress.advance(sum(done.values()))
            rows = copy(
                self.database, connection, move, held.source, every, progress=self.progress, spool=spool
            )
            if spool is not None:
                spool.close()
            if done:
                stage.said.append(f"{sum(done.values()):,} rows were in already; {rows:,} came now.")
            try:
                _all_in(ledger.committed(connection, move), held)
            except SourceError:
                ledger.finish(connection, move, self.report.as_json(), proven=False)
                raise

    def _finish(self, connection: psycopg.Connection[Any], move: uuid.UUID, held: Survey) -> None:
        capabilities = self.database.capabilities
        with self._stage("Finish", total=steps(held, capabilities), measure="steps"):
            finish(connection, move, capabilities, self.progress, held)

    def _verify(self, held: Survey) -> None:
        with Stage("Verify").timed() as stage:
            self.report.proof = verify(held, self.database, self.progress)
        self.report.stages.append(stage)
        self.progress.end()

    def _close(self, move: uuid.UUID, held: Survey) -> None:
        self.report.peak_memory = peak_memory()
        hypertables = self.database.capabilities.has("hypertables")
        with self.database.connect() as connection:
            ours = tables(connection, hypertables=hypertables)
            self.report.target_bytes = {table["table"]: table["bytes"] for table in ours}
            self.report.target_bytes |= dict(own.sizes(connection, held))
            ledger.finish(connection, move, self.report.as_json(), proven=self.report.equal)

    @contextmanager
    def _stage(self, name: str, *, total: int | None, measure: Any = "rows") -> Iterator[Stage]:
        self.progress.stage(name, total=total, measure=measure)
        with Stage(name).timed() as stage:
            yield stage
        self.report.stages.append(stage)


def _older(backups: list[Path]) -> str:
    many = f"{len(backups)} older backup{'s' * (len(backups) > 1)}"
    size = sum(path.stat().st_size for path in backups)
    return (
        f"{backups[0].parent} holds {many}, too ({size:,} bytes). One of a move that was stopped before it"
        " copied is needed by nothing."
    )


def _goes_on(move: Move) -> str:
    path = move.backup.path
    if move.finished is not None:
        return f"Already moved on {move.finished:%Y-%m-%d %H:%M} UTC; verifying again, by its backup {path}."
    what = "replacement" if move.replacing else "move"
    return (
        f"Going on with the {what} that began on {move.started:%Y-%m-%d %H:%M} UTC, from its backup {path}."
    )


def _all_in(done: dict[tuple[str, int], int], held: Survey) -> None:
    """Rows in = rows moved + rows rejected, by table."""
    for table in held.tables:
        moved = sum(rows for (name, _), rows in done.items() if name == table.shape.name)
        if moved + len(table.rejected) != table.rows:
            raise SourceError(
                f"{table.shape.name}: the backup holds {table.rows:,} rows, {moved:,} were moved and"
                f" {len(table.rejected):,} rejected.",
                hint="Start over with --existing replace.",
            )
