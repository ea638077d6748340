"""The benchmark of questions on a tiny file: what is told, what stays, and that another answer ends it."""

from __future__ import annotations

import io
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console

from bench.test_bench import address, databases
from cli.command import Done, fields, here
from cli.test_json import documented
from engines import Native
from trdinger.bench.queries import QUESTIONS, QueriesOptions
from trdinger.bench.queries.alike import require_alike
from trdinger.bench.queries.application import Application
from trdinger.bench.queries.ours import Ours
from trdinger.bench.queries.peers import PEERS, absent
from trdinger.errors import UsageError, ValuesDiffer
from trdinger.report.queries import show_queries

ROWS = 2_000
TINY = ("--rows", ROWS, "--repeat", 1, "--seconds", 0.5, "--stored", 20, "--readers", 2, "--writers", 1)
BY_NAME = re.compile(r"^versions\..*")  # fields that are names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("queries")


@pytest.fixture
def gone(native: Native, folder: Path) -> Iterator[None]:
    """What the benchmark keeps is taken away at the end."""
    yield
    assert measured(folder, address(native), "--drop").out == ""


def measured(folder: Path, to: str, *more: object) -> Done:
    done = here("bench", "queries", *TINY, "--folder", folder, "--to", to, *more)
    assert done.code == 0, done.err
    return done


def test_every_question_is_put_to_everyone_and_the_database_is_kept(
    native: Native, folder: Path, gone: None
) -> None:
    before = databases(native)
    chart = folder / "chart.svg"
    said: dict[str, Any] = measured(folder, address(native), "--svg", chart, "--json").json
    assert [one["name"] for one in said["questions"]] == list(QUESTIONS[:-2])
    present = {name for name in PEERS if absent(name) is None}
    assert {each["name"] for each in said["not_measured"]} == set(PEERS) - present
    for one in said["questions"]:
        ours, *others = one["answers"]
        assert (ours["by"], ours["times_ours"]) == ("trdinger", 1)
        assert "application" in [each["by"] for each in others]
        assert all(
            each["least_seconds"] <= each["seconds"] <= each["most_seconds"] for each in one["answers"]
        )
        for aim in one["aims"]:
            assert aim["met"] is (aim["reached"] >= aim["times"])
    assert {one["by"] for one in said["load"]["sides"]} == {"trdinger", "application"}
    assert all(one["requests"] > 0 for one in said["load"]["sides"])
    assert said["load"]["sides"][0]["errors"] == 0
    assert {"trdinger", "file"} <= {one["of"] for one in said["size"]["sizes"]}
    told = {field for field in fields(said) if not BY_NAME.match(field)}
    assert told | {"not_measured[].name", "not_measured[].reason"} == documented("bench queries")
    ET.parse(chart)
    shown = io.StringIO()
    show_queries(said, Console(file=shown, width=200, highlight=False))
    assert "the latest 100 bars" in shown.getvalue()
    (kept,) = databases(native) - before
    with psycopg.connect(native.admin(kept).conninfo) as connection:
        ((rows, symbols),) = connection.execute("SELECT count(*), count(DISTINCT symbol) FROM ohlcv_data")
        assert (rows, symbols) == (ROWS, 4)  # what was stored is gone again
        made = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", (kept,)).fetchone()
    again = measured(folder, address(native), "--only", "symbols", "--json").json
    assert [one["name"] for one in again["questions"]] == ["symbols"]
    with psycopg.connect(native.admin(kept).conninfo) as connection:
        assert (
            connection.execute("SELECT oid FROM pg_database WHERE datname = %s", (kept,)).fetchone() == made
        )
    # Who changes what is kept is found out.
    with psycopg.connect(native.admin(kept).conninfo) as connection:
        connection.execute("DELETE FROM ohlcv_data WHERE symbol = 'XRP/USDT:USDT'")
    wrong = here("bench", "queries", *TINY, "--folder", folder, "--to", address(native), "--only", "symbols")
    assert wrong.code == ValuesDiffer.exit_code
    assert "XRP/USDT:USDT" in wrong.err


def test_what_is_not_the_same_is_told() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"timestamp": [moment, moment + timedelta(minutes=1)], "close": [1.0, 2.0]})
    naive = frame.assign(timestamp=frame["timestamp"].dt.tz_localize(None)).set_index("timestamp")
    require_alike("months", frame, naive, "the application")
    require_alike("range", (moment, moment), [moment.replace(tzinfo=None)] * 2, "the application")
    for ours, other, said in (
        (frame, naive.assign(close=[1.0, 2.0 + 1e-15 * 2]), "close of row 1"),
        (frame, naive.iloc[:1], "2 and 1 rows"),
        (frame, naive.rename(columns={"close": "open"}), "columns"),
        (["BTC"], ["ETH"], "BTC where that has ETH"),
    ):
        with pytest.raises(ValuesDiffer, match=said):
            require_alike("months", ours, other, "the application")


def test_what_cannot_be_asked_or_reached_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    for arguments, code, said in (
        (("--to", nowhere), 5, "cannot be reached"),
        (("--to", "sqlite:///trdinger.db"), 2, "SQLite is no target"),
        (("--only", "weather"), 2, "no such question"),
        (("--repeat", 0), 2, "measure nothing"),
        (("--seconds", -1), 2, "cannot be worked"),
    ):
        done = here("bench", "queries", "--rows", ROWS, "--folder", folder, *arguments)
        assert (done.code, said in done.err) == (code, True), done.err
    monkeypatch.setitem(sys.modules, "pandas", None)
    done = here("bench", "queries", "--rows", ROWS, "--folder", folder, "--to", nowhere)
    assert done.code == 2
    assert "pip install pandas" in done.err
    monkeypatch.setitem(sys.modules, "polars", None)
    assert "pip install polars" in str(absent("polars"))
    with pytest.raises(UsageError):
        QueriesOptions(only=("weather",))


def test_ours_and_the_application_answer_the_same_questions() -> None:
    asked = [name.replace("-", "_") for name in QUESTIONS if name not in ("new", "known", "size", "load")]
    for name in (*asked, "store_candles", "frame", "forget"):
        assert callable(getattr(Ours, name))
        assert callable(getattr(Application, name))
