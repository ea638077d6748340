"""Layouts of candles, measured on little: each is made as it says and holds what was sent, or it ends."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from bench.test_bench import address, databases
from cli.command import fields, here
from cli.test_json import documented
from engines import Native
from trdinger import declaration
from trdinger.bench.layouts import LAYOUTS, LayoutsOptions, bench
from trdinger.bench.layouts.candles import candles
from trdinger.bench.layouts.load import prove
from trdinger.engine.connect import Database
from trdinger.errors import UsageError, ValuesDiffer
from trdinger.progress import Silent
from trdinger.report.layouts import show_layouts

NAMES = ("90d", "365d", "other-order", "by-symbol", "uncompressed")
SETTINGS = {
    "90d": ("symbol,timeframe", "timestamp"),
    "365d": ("symbol,timeframe", "timestamp"),
    "other-order": ("symbol,timeframe", "timestamp DESC"),
    "by-symbol": ("symbol", "timeframe,timestamp"),
}


@pytest.mark.needs("compression")
def test_every_layout_is_made_proven_and_asked(database: Database, tmp_path: Path) -> None:
    options = LayoutsOptions(rows=6_000, timeframes=("1h", "4h"), repeat=1, only=NAMES, folder=tmp_path)
    said = bench(database, options, Silent())
    file = Path(said["file"]["path"])
    with closing(sqlite3.connect(file)) as source:
        (every,) = source.execute("SELECT count(*) FROM ohlcv_data").fetchone()
    late, corrected = (int(said["questions"][at]["what"].split()[0]) for at in (-2, -1))
    assert every == 6_000
    assert said["file"]["candles"] == every - late
    assert 0 < late == corrected
    lines = {line["name"]: line for line in said["layouts"]}
    assert list(lines) == [layout.name for layout in LAYOUTS if layout.name in NAMES]
    assert [name for name, line in lines.items() if line["declared"]] == ["90d"]
    assert declaration.OHLCV.chunk_interval.days == 90
    assert lines["365d"]["chunks"] < lines["90d"]["chunks"]
    assert not lines["by-symbol"]["direct"]
    for line in said["layouts"]:
        assert [each["name"] for each in line["asked"]] == [each["name"] for each in said["questions"]]
        assert all(
            0 < each["least_milliseconds"] <= each["milliseconds"] <= each["most_milliseconds"]
            for each in line["asked"]
        )
    with database.connect() as connection:
        made = connection.execute(
            "SELECT hypertable::text, segmentby, orderby"
            " FROM timescaledb_information.hypertable_compression_settings"
            " WHERE hypertable::text LIKE '%layout%'"
        ).fetchall()
        found = {
            name: connection.execute(f'SELECT count(*) FROM "layout_{name}".ohlcv_data').fetchone()
            for name in NAMES
        }
    assert {
        table.split(".")[0].strip('"').removeprefix("layout_"): (segment, order.replace('"', ""))
        for table, segment, order in made
        if order is not None
    } == SETTINGS
    assert set(found.values()) == {(every - late,)}  # what was upserted was undone
    assert fields(said) == documented("bench layouts")
    shown = io.StringIO()
    show_layouts(said, Console(file=shown, width=200, highlight=False))
    assert "90d (declared)" in shown.getvalue()
    assert all(each["what"] in shown.getvalue() for each in said["questions"])
    _differences_are_found(database, file)


def _differences_are_found(database: Database, file: Path) -> None:
    sent = candles(file)
    (layout,) = (layout for layout in LAYOUTS if layout.name == "90d")
    prove(database, layout, sent)
    table = '"layout_90d".ohlcv_data'
    for wrong in (
        f"INSERT INTO {table} (symbol, timeframe, timestamp, open, high, low, close, volume)"
        f" VALUES ('NEW', '1h', '2025-01-01', 1, 1, 1, 1, 1)",
        f"DELETE FROM {table} WHERE symbol = 'NEW';"
        f" UPDATE {table} SET low = low * 0.999999 WHERE timeframe = '4h' AND id % 100 = 0",
    ):
        with database.connect() as connection:
            connection.execute(wrong.encode())
        with pytest.raises(ValuesDiffer, match="90d"):
            prove(database, layout, sent)


def test_a_server_that_cannot_compress_is_refused_in_a_sentence(native: Native, tmp_path: Path) -> None:
    before = databases(native)
    done = here("bench", "layouts", "--to", address(native), "--rows", 100, "--folder", tmp_path)
    assert done.code == 5
    assert "Compressed chunks need TimescaleDB's Community edition" in done.err
    assert databases(native) == before
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_measured_is_refused() -> None:
    for wrong in ({"repeat": 0}, {"only": ("weekly",)}, {"timeframes": ("7m",)}):
        with pytest.raises(UsageError) as refused:
            _ = LayoutsOptions(**wrong).sample  # type: ignore[arg-type]
        assert refused.value.hint


def test_a_symbol_is_left_out_rather_than_two_years() -> None:
    assert [len(LayoutsOptions(rows=rows).sample.symbols) for rows in (1_000, 2_000_000, 4_000_000)] == [
        1,
        1,
        2,
    ]
