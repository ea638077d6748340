"""The files of other programs, rebuilt from their public definitions, move whole and are proven."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from engines import EngineUnderTest
from move.moving import move
from move.own_oracle import rows_that_are_equal, types
from public.filling import rebuilt
from trdinger.engine.connect import Database
from trdinger.legacy.own.choices import NOTHING

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Program:
    """What a program's file becomes. references: those that are made; types: some of the columns'."""

    references: int
    types: dict[str, str]
    left: tuple[str, ...] = ()
    hypertables: tuple[str, ...] = ()
    said: tuple[str, ...] = field(default=())


PROGRAMS = {
    "freqtrade": Program(
        references=2,
        types={
            "trades.id": "bigint",
            "trades.pair": "character varying(25)",
            "trades.is_open": "boolean",
            "trades.open_rate": "double precision",
            "trades.open_date": "timestamp with time zone",
            "KeyValueStore.key": "character varying(25)",
        },
    ),
    "home_assistant": Program(
        references=5,
        hypertables=("states:last_updated_ts:metadata_id", "statistics:start_ts:metadata_id"),
        types={
            "states.last_updated_ts": "timestamp with time zone",
            "states.context_id_bin": "bytea",
            "states.last_changed_ts": "double precision",
            "events.event_type": "text",
            "recorder_runs.end": "timestamp with time zone",
        },
        left=("states: the reference (old_state_id) to states: states is a hypertable",),
        said=("states: its primary key is widened by last_updated_ts, as those of a hypertable must be",),
    ),
    "chinook": Program(
        references=11,
        types={
            "Track.UnitPrice": "double precision",
            "Track.Milliseconds": "bigint",
            "Album.Title": "character varying(160)",
            "Invoice.InvoiceDate": "timestamp with time zone",
        },
    ),
    "northwind": Program(
        references=13,
        types={
            "Categories.Picture": "bytea",
            "Employees.BirthDate": "date",
            "Orders.OrderDate": "timestamp with time zone",
            "Order Details.Discount": "double precision",
            "Customers.CustomerID": "text",
        },
        left=(
            "view Order Subtotals",
            "view Products Above Average Price",
            "Order Details: CHECK ([Discount]>=(0) AND [Discount]<=(1))",
            "Products: CHECK ([UnitPrice]>=(0))",
        ),
    ),
}


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, engines: object) -> EngineUnderTest:
    """Each chosen engine in turn, running; kept for a whole module."""
    return engines.running(request.param)  # type: ignore[attr-defined]


@pytest.mark.parametrize("program", PROGRAMS)
def test_its_file_moves_and_every_row_is_equal(database: Database, tmp_path: Path, program: str) -> None:
    expected = PROGRAMS[program]
    path = tmp_path / f"{program}.db"
    held = rebuilt(path, HERE / f"{program}.sql")
    assert min(held.values()) > 0
    report = move(path, database, choices=NOTHING.hypertables(expected.hypertables))
    told = report.as_json()
    assert report.equal, told
    assert report.rejected == {}
    assert {table: rows_that_are_equal(path, database, table) for table in held} == held
    assert set(expected.left) <= set(told["left_out"])
    assert set(expected.said) <= set(told["otherwise"])
    with psycopg.connect(database.conninfo) as connection:
        for name, kind in expected.types.items():
            table, column = name.split(".")
            assert types(connection, table)[column] == kind
        made = connection.execute(
            "SELECT count(*), bool_and(convalidated) FROM pg_constraint"
            " WHERE contype = 'f' AND conparentid = 0 AND conrelid IN"
            " (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
        ).fetchone()
    assert made == (expected.references, True)
