"""`trdinger db retention` and `trdinger archive`: what they say, in JSON and in sentences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.command import Done, fields, here
from cli.conftest import Target
from cli.test_json import answered, documented

INSERT = (
    "INSERT INTO ohlcv_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
    " SELECT 'BTC/USDT:USDT', '1h', '{start}'::timestamptz + n * interval '1 hour', 2, 3, 1, 2, 5"
    " FROM generate_series(1, {count}) AS n"
)


@pytest.fixture
def old(server: Target) -> Target:
    """Fifty candles of 2023 and three of last week."""
    assert here("db", "upgrade", "--to", server.address).code == 0
    server.ask(INSERT.format(start="2023-02-27", count=50))
    server.ask(INSERT.format(start=(datetime.now(UTC) - timedelta(days=8)).isoformat(), count=3))
    return server


def held(done: Done, heading: str, code: int = 0) -> Any:
    """The answer, which has the fields that are documented and no other."""
    told = answered(done) if code == 0 else done.json
    assert done.code == code, done
    assert fields(told) == documented(heading)
    return told


def test_candles_go_into_an_archive_and_come_back(
    old: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = ("--to", old.address)
    archive = tmp_path / "archive"
    assert "nothing is past the age" in here("db", "retention", *to).out
    ask = ("db", "retention", *to, "--table", "ohlcv_data", "--keep", "1y")
    planned = held(here(*ask, "--plan", "--json"), "db retention")
    assert (planned["rows"], planned["writes"], planned["archive"]) == (50, False, None)
    refused = here(*ask)
    assert refused.code == 2
    assert refused.sentence.startswith(
        "trdinger: No archive is named, and nothing leaves a database without one."
    )
    monkeypatch.setenv("TRDINGER_ARCHIVE", str(archive))
    monkeypatch.setenv("TRDINGER_CANDLES_KEEP", "1y")
    shown = here("db", "retention", *to, "--plan").out
    assert f"50 rows would go into {archive}; nothing was written." in shown
    assert not archive.exists()
    done = held(here("db", "retention", *to, "--json"), "db retention")
    assert done == planned | {"writes": True, "archive": str(archive)}
    assert old.ask("SELECT count(*) FROM ohlcv_data") == [(3,)]
    listed = held(here("archive", "list", "--json"), "archive list")
    assert [(one["symbol"], one["rows"]) for one in listed["series"]] == [("BTC/USDT:USDT", 50)]
    assert "BTC/USDT:USDT" in here("archive", "list").out
    assert here("archive", "verify").out == f"{archive} is as it was written: 2 files, 50 rows.\n"
    assert held(here("archive", "verify", "--json"), "archive verify")["wrong"] == []
    march = ("archive", "restore", *to, "--from", "2023-03-01", "--until", "2023-03-02", "--timeframe", "1h")
    would = held(here(*march, "--plan", "--json"), "archive restore")
    assert (would["files"], would["new"], would["writes"]) == (1, None, False)
    assert held(here(*march, "--json"), "archive restore")["new"] == 3
    assert (
        here("archive", "restore", *to).out
        == f"{old.shown}: 47 of 50 rows are back; the others were there.\n"
    )
    assert old.ask("SELECT count(*) FROM ohlcv_data") == [(53,)]


def test_what_cannot_be_is_told(old: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to = ("--to", old.address)
    monkeypatch.setenv("TRDINGER_ARCHIVE", str(tmp_path / "archive"))
    gone = here("archive", "list")
    assert gone.code == 8
    assert f"The archive {tmp_path / 'archive'} is gone, or there never was one." in gone.sentence
    assert here("db", "retention", *to, "--table", "nothing", "--keep", "1y").code == 2
    assert "names" in here("db", "retention", *to, "--keep", "1y").sentence.replace("Name them", "names")
    assert here("db", "retention", *to, "--table", "ohlcv_data", "--keep", "soon").code == 2
    inside = here("db", "retention", *to, "--table", "ohlcv_data", "--keep", "30d")
    assert inside.code == 2
    assert "while refreshes still reach 30 days back" in inside.sentence
    monkeypatch.setenv("TRDINGER_CANDLES_KEEP", "30d")
    assert here("db", "retention", *to).code == 3
    monkeypatch.setenv("TRDINGER_CANDLES_KEEP", "1y")
    assert here("db", "retention", *to).code == 0
    file = next((tmp_path / "archive").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1])
    wrong = here("archive", "verify")
    assert wrong.code == 8
    assert "was changed: its SHA-256 is another." in wrong.out
    assert "is not as it was written: 1 faults." in wrong.sentence
    told = here("archive", "verify", "--json")
    assert (told.code, len(told.json["wrong"])) == (8, 1)
    assert here("archive", "restore", *to).code == 8


def test_what_the_scheduler_is_told_and_what_is_done_from_here(old: Target) -> None:
    """On an edition without policies: what does not apply is said, what does is done."""
    to = ("--to", old.address)
    for command in ("policies", "compress"):
        refused = here("db", command, *to)
        assert refused.code == 5
        assert "need TimescaleDB's Community edition" in refused.sentence
    told = held(here("db", "run-jobs", *to, "--json"), "db run-jobs")
    assert [(one["job"], one["left"]) for one in told["jobs"]] == [
        ("compression", True),
        ("refresh", True),
        ("retention", True),
    ]
    assert "retention: left: Every table is kept for ever." in here("db", "run-jobs", *to).out
    assert here("db", "run-jobs", *to, "--every", "never").code == 2


def test_a_doctor_ends_by_what_it_found(old: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    to = ("--to", old.address)
    well = here("db", "doctor", *to)
    assert well.code == 0, well
    assert "Well: tables, hypertables, keys, indexes, time zone, clock" in well.out
    old.ask("ALTER TABLE ohlcv_data DROP CONSTRAINT ohlcv_data_pkey")
    ill = held(here("db", "doctor", *to, "--json"), "db doctor", code=9)
    assert [(one["check"], one["level"]) for one in ill["findings"]] == [("keys", "wrong")]
    shown = here("db", "doctor", *to)
    assert shown.code == 9
    assert "wrong, keys: ohlcv_data has no key on symbol, timeframe, timestamp" in shown.out
    assert "→ ALTER TABLE ohlcv_data ADD CONSTRAINT ohlcv_data_pkey PRIMARY KEY" in shown.out
    assert "is not well: 1 wrong." in shown.sentence


def test_policies_and_compression_where_there_are_any(directory: Path) -> None:
    to = ("--to", f"embedded:{directory}")
    assert here("db", "upgrade", *to).code == 0
    try:
        told = held(here("db", "policies", *to, "--json"), "db policies")
        assert [(one["relation"], one["state"]) for one in told["policies"]] == [
            (table, "missing") for table in ("ohlcv_data", "funding_rate_data", "open_interest_data")
        ]
        assert "after 30 days" in here("db", "policies", *to).out
        assert "need background workers" in here("db", "policies", *to, "--apply").sentence
        insert = INSERT.format(start="2023-03-01", count=50)
        assert here("db", "psql", *to, "-c", insert).code == 0
        planned = held(here("db", "compress", *to, "--plan", "--json"), "db compress")
        assert (planned["writes"], len(planned["chunks"])) == (False, 1)
        done = held(here("db", "compress", *to, "--json"), "db compress")
        assert done["chunks"][0]["bytes_after"] > 0
        assert "0 chunks were compressed" in here("db", "compress", *to).out
        jobs = here("db", "status", *to, "--json").json["jobs"]
        assert jobs == []
        assert here("db", "run-jobs", *to).code == 0
        assert "compression" in here("db", "status", *to).out
        told = fields({"jobs": here("db", "status", *to, "--json").json["jobs"]}) - {"jobs"}
        assert told == {field for field in documented("db status") if field.startswith("jobs[]")}
    finally:
        assert here("db", "downgrade", "base", *to, "--yes").code == 0
        assert here("db", "psql", *to, "-c", "DROP SCHEMA IF EXISTS trdinger_upkeep CASCADE").code == 0
