"""A benchmark of a tiny file on real servers: who takes part, what is told, and that only proof counts."""

from __future__ import annotations

import io
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console

from cli.command import Done, fields, here
from cli.test_json import documented
from engines import Native
from trdinger.bench import CONTESTANTS, BenchOptions, duckdb, ours, pgloader
from trdinger.bench.file import sample_file
from trdinger.bench.processes import cpu_of, finished, server_process
from trdinger.engine.connect import Database
from trdinger.errors import UsageError, ValuesDiffer
from trdinger.report.bench import show_bench
from trdinger.sample import SampleOptions

ROWS = 600
PEERS = {"duckdb": duckdb.absent, "pgloader": pgloader.absent}
BY_NAME = re.compile(r"^(versions|lines\[\]\.ratios)\..*")  # fields that are names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


def measured(folder: Path, to: str, *more: object) -> Done:
    """The command, for one run of each contestant."""
    every = ("--rows", ROWS, "--repeat", 1, "--folder", folder, "--to", to, "--json")
    done = here("bench", "migrate", *every, *more)
    assert done.code == 0, done.err
    return done


def databases(native: Native) -> set[str]:
    with psycopg.connect(native.admin().conninfo) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def address(native: Native) -> str:
    url = native.administrator.set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def test_everyone_here_is_measured_beside_the_others_and_nothing_is_left(
    native: Native, folder: Path
) -> None:
    before = databases(native)
    chart = folder / "chart.svg"
    said: dict[str, Any] = measured(folder, address(native), "--svg", chart).json
    here_too = [name for name, absent in PEERS.items() if absent() is None]
    assert [line["name"] for line in said["lines"]] == [
        "trdinger", "copy and finish", "proof", "replay", *here_too,
    ]  # fmt: skip
    assert {each["name"] for each in said["not_measured"]} == set(PEERS) - set(here_too)
    for line in said["lines"]:
        assert line["least_seconds"] <= line["seconds"] <= line["most_seconds"]
        assert line["ratios"]["trdinger"] == pytest.approx(
            line["seconds"] / said["lines"][0]["seconds"], 0.01
        )
        assert line["target_bytes"] > 0
    whole, part, proof, *_ = said["lines"]
    assert [each["name"] for each in whole["parts"]] == [
        "Survey", "Back up", "SHA-256", "Count", "Check", "Pages", "Schema", "Copy", "Finish",
    ]  # fmt: skip
    assert [each["name"] for each in proof["parts"]] == ["Verify"]
    assert part["seconds"] < whole["seconds"]
    assert whole["peak_memory_bytes"] > 50 << 20
    drawn = ET.parse(chart).getroot()
    assert [line["name"] for line in said["lines"]] == [
        text.text
        for text in drawn.iter("{http://www.w3.org/2000/svg}text")
        if text.get("text-anchor") == "end"
    ]
    shown = io.StringIO()
    show_bench(said, Console(file=shown, width=200, highlight=False))
    names = {line.split("  ")[1] for line in shown.getvalue().splitlines() if line.startswith("  ")}
    assert {line["name"] for line in said["lines"]} <= names
    assert databases(native) == before
    assert [path.name for path in folder.iterdir() if path != chart] == [Path(said["file"]["path"]).name]
    told = {field for field in fields(said) if not BY_NAME.match(field)}
    assert told | {"not_measured[].name", "not_measured[].reason"} == documented("bench migrate")


def test_the_embedded_engine_is_measured_and_peers_say_why_they_are_not(
    request: pytest.FixtureRequest, folder: Path
) -> None:
    engines = request.getfixturevalue("engines")
    if "embedded" not in engines.chosen:
        pytest.skip("embedded: left out by --engine")
    engines.running("embedded")
    said = measured(folder, "embedded:", "--only", "trdinger", "--only", "pgloader").json
    assert [line["name"] for line in said["lines"]] == ["trdinger", "copy and finish", "proof"]
    assert [each["name"] for each in said["not_measured"]] == ["pgloader"]
    assert "one" in said["not_measured"][0]["reason"]
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_a_move_that_is_not_proven_ends_it(native: Native, folder: Path) -> None:
    file = sample_file(folder, SampleOptions(rows=ROWS))
    with native.empty() as database:
        ours.move(file, database.fresh(), None, workdir=folder / "work")
        with database.connect() as connection:
            connection.execute("UPDATE ohlcv_data SET volume = volume + 1 WHERE id = 7")
        with pytest.raises(ValuesDiffer, match="not equal"):
            ours.move(file, database.fresh(), None, workdir=folder / "work")


def test_the_file_of_the_same_options_is_kept_and_of_others_is_another(folder: Path) -> None:
    one = sample_file(folder, SampleOptions(rows=ROWS))
    written = one.stat().st_mtime_ns
    assert sample_file(folder, SampleOptions(rows=ROWS)) == one
    assert one.stat().st_mtime_ns == written
    assert sample_file(folder, SampleOptions(rows=ROWS, seed=8)) != one


def test_the_cpu_of_a_server_is_that_of_its_sessions_too(native: Native) -> None:
    with native.empty() as database:
        server = server_process(database)
        before = cpu_of(server)
        assert server is not None
        assert before is not None
        with database.connect() as connection:
            connection.execute("SELECT count(*) FROM generate_series(1, 3000000)")
        after = cpu_of(server)
    assert after is not None
    assert after - before > 0.05
    elsewhere = Database(native.administrator.set(database="postgres"))
    assert server_process(elsewhere) == server


def test_a_child_is_measured_with_all_that_it_started() -> None:
    held = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    work = "import time; held = b'x' * (120 << 20); sum(range(4_000_000)); time.sleep(0.3)"
    done = finished([sys.executable, "-c", held, work])
    assert done.code == 0, done.err
    assert done.cpu > 0.05
    assert done.peak_memory > 120 << 20


def test_what_cannot_be_measured_is_refused() -> None:
    assert BenchOptions(only=("replay",)).only == ("replay",)
    for wrong in ({"repeat": 0}, {"only": ("rsync",)}):
        with pytest.raises(UsageError) as refused:
            BenchOptions(**wrong)  # type: ignore[arg-type]
        assert refused.value.hint
    assert CONTESTANTS[0] == "trdinger"
