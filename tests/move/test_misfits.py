"""Values that do not fit: with --strict all are told and nothing is moved; odd ones arrive."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from move.moving import Heard, move, planned
from trdinger.engine.connect import Database
from trdinger.errors import SourceError, ValuesDoNotFit
from trdinger.legacy import rejects
from trdinger.move.run import migrate
from trdinger.sample import spoil

MISFIT = (
    "time-unparseable",
    "number-text",
    "null",
    "text-nul",
    "text-blob",
    "text-too-long",
    "json-broken",
    "orphan",
    "duplicate-key",
    "integer-out-of-range",
    "boolean-two",
)
ANOTHER_FORM = (
    "time-with-t",
    "time-with-z",
    "time-with-offset",
    "time-without-fraction",
    "time-epoch-seconds",
    "time-epoch-milliseconds",
)


def test_values_that_do_not_fit_are_all_told_and_nothing_is_in_the_target(
    database: Database, source: Path
) -> None:
    damages = spoil(source, MISFIT, each=2)
    heard = Heard()
    plan = planned(source, database, strict=True)
    with pytest.raises(ValuesDoNotFit) as stopped:
        migrate(plan, heard)
    path = plan.workdir / rejects.NAME
    told = [(bad.table, bad.rowid, bad.column) for one in rejects.read(path) for bad in one.reasons]
    assert set(told) >= {(one.table, one.rowid, one.column) for one in damages}
    assert stopped.value.message.startswith(f"{len(told)} value(s) do not fit the target; nothing was moved:")
    assert f"… and {len(told) - 20} more" in stopped.value.message
    assert str(path) in (stopped.value.hint or "")
    assert heard.stages[-1] == "Pages"  # the last part of the check
    assert _made(database) == []


def test_once_they_are_mended_the_same_command_moves(
    database: Database, source: Path, small_file: Path
) -> None:
    spoil(source, ["number-text"])
    with pytest.raises(ValuesDoNotFit):
        move(source, database, strict=True)
    source.write_bytes(small_file.read_bytes())
    report = move(source, database)
    assert report.equal
    assert not report.resumed


def test_a_damaged_file_is_not_moved(database: Database, source: Path) -> None:
    """An index that disagrees with its table: every value can be read, SQLite's own check finds it."""
    with closing(sqlite3.connect(source)) as file:
        (page,) = file.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_funding_rate_data_symbol'"
        ).fetchone()
        file.execute("PRAGMA writable_schema = on")
        file.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
            " WHERE name = 'ix_open_interest_data_symbol') WHERE name = 'ix_funding_rate_data_symbol'"
        )
        file.commit()
    assert page
    with pytest.raises(SourceError, match=r"is damaged: .*\. Nothing was moved\.") as damaged:
        move(source, database)
    assert damaged.value.hint
    assert "\n" not in damaged.value.message
    assert _made(database) == []


def test_other_forms_of_a_value_arrive_as_what_they_mean_and_are_counted(
    database: Database, source: Path, small_file: Path
) -> None:
    damages = spoil(source, ANOTHER_FORM)
    report = move(source, database)
    assert report.equal
    assert (
        sum(one["values"] for one in report.checked["converted"]) >= len(damages) - 3
    )  # without a fraction is as usual
    assert {one["form"] for one in report.checked["converted"]} >= {
        "time with T",
        "time with an offset",
        "epoch seconds",
    }
    with closing(sqlite3.connect(small_file)) as sound, psycopg.connect(database.conninfo) as target:
        for one in damages:
            query = f"SELECT {one.column} FROM {one.table} WHERE id = "
            (text,) = sound.execute(f"{query}?", (one.rowid,)).fetchone()
            (moment,) = target.execute(f"{query}%s", (one.rowid,)).fetchone() or (None,)
            meant = datetime.fromisoformat(text).replace(tzinfo=UTC)
            if one.kind in ("time-without-fraction", "time-epoch-seconds"):
                meant = meant.replace(microsecond=0)
            elif one.kind == "time-epoch-milliseconds":
                meant = meant.replace(microsecond=meant.microsecond // 1000 * 1000)
            assert moment == meant, one


def _made(database: Database) -> list[tuple[object, ...]]:
    """Tables and schemas that a move could have made."""
    with psycopg.connect(database.conninfo) as connection:
        return connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            " UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'trdinger_ledger'"
        ).fetchall()
