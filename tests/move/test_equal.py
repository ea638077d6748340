"""Everything arrives: the real legacy file and a generated one, on each engine, compared from outside."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from conftest import LEGACY
from engines import EngineUnderTest
from move.moving import SMALL, Heard, move, verified
from move.oracle import OTHERS, SERIES, TABLES, count_equal_cells
from move.samples import larger_sample
from trdinger.engine.connect import Database
from trdinger.move.report import Report


@dataclass(frozen=True)
class Moved:
    """A file, the target that it was moved into, and what the move said."""

    source: Path
    database: Database
    report: Report
    heard: Heard


def _legacy(folder: Path) -> Path:
    if not LEGACY.exists():
        pytest.skip(f"the real legacy file is not here: {LEGACY}")
    return Path(shutil.copy(LEGACY, folder / "trdinger.db"))


@pytest.fixture(
    scope="module",
    params=[_legacy, lambda folder: larger_sample(folder / "trdinger.db")],
    ids=["legacy", "sample"],
)
def moved(
    engine: EngineUnderTest, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Moved]:
    """Each file, moved once into each engine in many small units; only read from then on."""
    make: Callable[[Path], Path] = request.param
    source = make(tmp_path_factory.mktemp("move"))
    with engine.empty() as database:
        heard = Heard()
        report = move(source, database, heard=heard)
        yield Moved(source, database.fresh(), report, heard)


def test_every_cell_is_equal_by_a_comparison_from_outside(moved: Moved) -> None:
    cells = count_equal_cells(moved.source, moved.database)
    told = {table["table"]: table["cells_compared"] for table in moved.report.as_json()["tables"]}
    segments = {table: len(SERIES[table][0]) for table in SERIES}
    rows = {table["table"]: table["rows"] for table in moved.report.as_json()["tables"]}
    assert told == {table: cells[table] - rows[table] * segments.get(table, 0) for table in TABLES}


def test_the_move_proves_itself(moved: Moved) -> None:
    assert moved.report.equal
    said = moved.report.as_json()
    assert (said["result"], said["resumed"], said["structure"]) == ("equal", False, [])
    assert all(table["rows"] == table["rows_compared"] for table in said["tables"])
    assert [stage["name"] for stage in said["stages"]] == [
        "Back up", "Check", "Schema", "Copy", "Finish", "Verify",
    ]  # fmt: skip


def test_verify_proves_it_again(moved: Moved) -> None:
    heard = Heard()
    proof = verified(moved.source, moved.database, heard=heard)
    assert proof.equal, [str(difference) for table in proof.tables for difference in table.shown]
    assert heard.done["Verify"] == proof.rows == sum(moved.report.rows.values())


def test_every_stage_did_what_it_announced(moved: Moved) -> None:
    for stage, total in moved.heard.total.items():
        if total is not None:
            assert moved.heard.done[stage] == total, stage


def test_many_units_were_cut_and_each_is_in_the_ledger_with_its_rows(moved: Moved) -> None:
    with psycopg.connect(moved.database.conninfo) as connection:
        units = connection.execute(
            "SELECT table_name, count(*), sum(rows), max(rows) FROM trdinger_ledger.unit GROUP BY 1"
        ).fetchall()
    assert {table: rows for table, _, rows, _ in units} == {
        table: rows for table, rows in moved.report.rows.items() if rows
    }
    for table, count, rows, most in units:
        limit = SMALL.span_rows if table in SERIES else SMALL.slice_rows
        assert most <= limit
        assert count >= rows / limit


def test_series_are_hypertables_of_several_chunks_compressed_where_the_server_can(moved: Moved) -> None:
    capabilities = moved.database.capabilities
    if reason := capabilities.reason("hypertables"):
        pytest.skip(reason)
    with psycopg.connect(moved.database.conninfo) as connection:
        chunks = dict(
            connection.execute(
                "SELECT hypertable_name, array_agg(is_compressed)"
                " FROM timescaledb_information.chunks GROUP BY 1"
            ).fetchall()
        )
    assert set(chunks) == {table for table in SERIES if moved.report.rows[table]}
    assert len(chunks["ohlcv_data"]) > 1
    compressed = capabilities.has("compression")
    assert all(state is compressed for states in chunks.values() for state in states)
    said = " ".join(moved.heard.sentences)
    assert compressed or "Chunks stay uncompressed." in said
    assert moved.report.skipped == moved.heard.sentences


@pytest.mark.parametrize("table", TABLES)
def test_the_next_id_is_the_highest_and_one(moved: Moved, table: str) -> None:
    with psycopg.connect(moved.database.conninfo) as connection:
        highest, sequence = connection.execute(
            f"SELECT coalesce(max(id), 0), pg_get_serial_sequence('{table}', 'id') FROM {table}"
        ).fetchone() or (None, None)
        assert connection.execute("SELECT nextval(%s)", (sequence,)).fetchone() == (highest + 1,)
        connection.execute("SELECT setval(%s, %s, false)", (sequence, highest + 1))


def test_the_source_is_as_it_was_and_the_backup_beside_it_is_whole(moved: Moved) -> None:
    backup = Path(moved.report.backup)
    assert backup.parent == moved.source.with_name("trdinger-move")
    assert count_equal_cells(backup, moved.database)
    assert sorted(path.name for path in moved.source.parent.iterdir()) == ["trdinger-move", "trdinger.db"]


def test_the_small_tables_are_there_too(moved: Moved) -> None:
    filled = [table for table in OTHERS if moved.report.rows[table]]
    assert len(filled) >= 5
