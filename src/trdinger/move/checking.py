"""The check of a backup before it is copied: which rows the target does not get, and where they are kept.

What is rejected and what is changed is written into the work folder, line by line, while the check
goes on; SQLite's own check of the pages runs beside it. Judging is `legacy.check`'s.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from trdinger.engine.connect import Database
from trdinger.errors import SourceDamaged, ValuesDoNotFit
from trdinger.legacy import rejects
from trdinger.legacy.check import Check, Duplicates, check
from trdinger.legacy.integrity import agreement, structure
from trdinger.legacy.judging import Change, Reject, Row
from trdinger.legacy.source import damaged
from trdinger.legacy.survey import Survey, survey
from trdinger.legacy.values import Rules
from trdinger.move import ledger, own
from trdinger.move.plan import Options
from trdinger.move.spool import Spool
from trdinger.progress import Progress

CHANGES = "changes.jsonl"
_SHOWN = 20  # misfits that a message shows; the rejects file has all of them


class Checked:
    """What the ledger and the report keep of a check: plain data, and the rows that are rejected.

    told: converted, rejects and changed, by table and column, with the rules that were gone by.
    spool: the rows of series that were read, as long as they are there.
    """

    def __init__(
        self, told: dict[str, Any], rejected: dict[str, frozenset[Row]], spool: Spool | None = None
    ) -> None:
        self.told = told
        self.rejected = rejected
        self.spool = spool

    def of(self, survey: Survey) -> Survey:
        """The file read by the rules of this check, without the rows that it rejected."""
        return survey.judged(rules(self.told), self.rejected)


def rules(told: dict[str, Any]) -> Rules:
    """The rules that a check went by."""
    return Rules(**told.get("rules", {}))


def accounted(held: Survey, database: Database) -> tuple[Survey, dict[str, Any]]:
    """A file as the ledger of a target knows it, and what was told of it then; as it is where it knows none.

    Known is the source of the latest move, and its backup. Raises TargetError.
    """
    path = held.source.path.resolve()
    with database.connect(autocommit=True) as connection:
        move = next(iter(ledger.moves(connection)), None)
        known = move is not None and path in {Path(move.source), move.backup.path.resolve()}
        if known and move is not None:
            rejected, replayed = ledger.rejected(connection, move.id), ledger.replayed(connection, move.id)
            failed = own.failures(connection)
    if held.own:  # as they were decided upon then, unless that is asked for otherwise now
        held = survey(held.source, held.asked if move is None or held.asked.tables else move.choices)
    if not known or move is None:
        return held, {}
    return held.judged(rules(move.checked), rejected, replayed).without_keys(failed), move.checked


def look(
    held: Survey, move: uuid.UUID, options: Options, progress: Progress, *, source: Path, folder: Path
) -> Checked:
    """Check every value of a backup of `source`; what is set aside goes into `folder`.

    Raises SourceError for a damaged file, ValuesDoNotFit where the options say so.
    """
    spool = Spool(folder, held.rows)
    with ExitStack() as files:
        on_failure = files.enter_context(ExitStack())
        on_failure.callback(spool.close)
        keeper = _Files(
            *(
                files.enter_context(rejects.writing(folder / name, str(move), str(source), what=what))
                for name, what in ((rejects.NAME, "rejects"), (CHANGES, "changes"))
            )
        )
        # SQLite's own check takes as long as ours and a core of its own.
        with (
            _telling_of(source),
            ThreadPoolExecutor(1, thread_name_prefix="integrity") as thread,
            _stopping() as opened,
        ):
            pages = thread.submit(structure, held.source, opened=opened)
            found = check(
                held.judged(options.rules),
                tell=lambda table, rows: progress.advance(rows, detail=table),
                keeper=keeper,
                stays=options.stays,
                at_most=options.max_rejects,
                read=spool.keep,
            )
            progress.stage("Pages")
            damage = agreement(held, opened=opened)
            if damage := pages.result() + damage:
                raise damaged(held.source.path, "; ".join(damage))
        on_failure.pop_all()
    pa.default_memory_pool().release_unused()  # the copy's own batches would come on top
    if options.strict and found.rejects:
        raise _refused(found, folder / rejects.NAME)
    return Checked(
        summary(found, options.rules, options.stays),
        {table: frozenset(rows) for table, rows in found.rejected.items() if rows},
        spool,
    )


def summary(found: Check, rules: Rules, stays: Duplicates) -> dict[str, Any]:
    """What the ledger and the report keep of a check."""
    return {
        "converted": [
            {"table": table, "column": column, "form": form, "values": count}
            for (table, column, form), count in sorted(found.converted.items())
        ],
        "rejects": [
            {"table": table, "column": column, "reason": reason, "values": count}
            for (table, column, reason), count in sorted(found.reasons.items())
        ],
        "changed": [
            {"table": table, "column": column, "values": count}
            for (table, column), count in sorted(found.changed.items())
        ],
        "rejected": {table: len(rows) for table, rows in found.rejected.items() if rows},
        "rows": dict(found.rows),
        "rules": vars(rules),
        "stays": stays,
    }


class _Files:
    """Keeps rejected rows and changed values in the files of the work folder."""

    def __init__(self, rejected: rejects.Writer, changed: rejects.Writer) -> None:
        self._rejected, self._changed = rejected, changed

    def reject(self, reject: Reject) -> None:
        self._rejected.reject(reject)

    def change(self, change: Change) -> None:
        self._changed.change(change)


def _refused(found: Check, path: Path) -> ValuesDoNotFit:
    values = found.reasons.total()
    lines = [f"  {value}" for value in found.bad[:_SHOWN]]
    if values > _SHOWN:
        more = values - _SHOWN
        lines.append(f"  … and {more:,} more")
    return ValuesDoNotFit(
        f"{values:,} value(s) do not fit the target; nothing was moved:\n" + "\n".join(lines) + "\n",
        hint=f"Every such row is in {path}. Mend them in the source, or leave --strict out: then these"
        " rows are set aside and all others are moved.",
    )


@contextmanager
def _telling_of(source: Path) -> Iterator[None]:
    """Tell of damage that is found in the backup as what it is: damage of the source."""
    try:
        yield
    except SourceDamaged as error:
        told = damaged(source, error.said)
        raise SourceDamaged(f"{told.message} Nothing was moved.", said=error.said, hint=told.hint) from None


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
