"""The password of the target is in nothing that a move says, keeps or writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
import pytest

from engines import Native
from faults.proxy import Proxy
from move.moving import Heard, move, planned
from trdinger.engine.connect import Database
from trdinger.errors import TrdingerError
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.move.plan import Existing
from trdinger.verify.run import verify


def test_a_password_is_nowhere(native: Native, source: Path, proxy: Callable[[Database], Proxy]) -> None:
    said: list[str] = []
    with native.empty() as database:
        password = str(database.url.password)
        line = proxy(database)
        plan = planned(source, line.database)
        said += [json.dumps(plan.as_json()), str(plan.database), repr(plan)]
        heard = Heard()
        report = move(source, database, heard=heard)
        said += [json.dumps(report.as_json(), default=str), repr(report), *heard.sentences]
        with psycopg.connect(database.conninfo) as connection:
            for table in ("move", "unit", "step"):
                said += [
                    row[0] for row in connection.execute(f"SELECT t::text FROM trdinger_ledger.{table} t")
                ]
        said += [
            path.read_text(errors="replace")
            for path in source.with_name("trdinger-move").iterdir()
            if path.suffix != ".db"
        ]
        said += _errors(source, line, database)
    assert len(said) > 40
    for form in {password, quote(password), quote(password, safe=""), quote_plus(password)}:
        assert not [text for text in said if form in text]


def _errors(source: Path, line: Proxy, database: Database) -> list[str]:
    """What is said of a cut line, a wrong password, a database that is not there, and a refusal."""
    wrong = Database(database.url.set(password=f"{database.url.password}x"))
    absent = Database(database.url.set(database="nowhere"))
    line.refuse()
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int)")
        connection.execute("DROP SCHEMA trdinger_ledger CASCADE")
    told = []
    for attempt in (
        lambda: move(source, line.database),
        lambda: move(source, wrong),
        lambda: move(source, absent),
        lambda: move(source, database, existing=Existing.KEEP),
        lambda: verify(survey(Source(source)), wrong, Heard()),
    ):
        with pytest.raises(TrdingerError) as failed:
            attempt()
        told += [str(failed.value), repr(failed.value), failed.value.hint or ""]
    return told
