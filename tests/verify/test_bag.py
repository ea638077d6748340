"""Tables of a user's own as bags of rows: every kind of damage is told with its place and both values."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from engines import EngineUnderTest
from move.moving import Heard, move
from trdinger.engine.connect import Database
from trdinger.legacy.own.choices import NOTHING
from trdinger.legacy.source import Source
from trdinger.legacy.survey import Survey, survey
from trdinger.schema.shape import Column
from trdinger.verify import cells
from trdinger.verify.bag import verify_bag
from trdinger.verify.differences import TableProof
from trdinger.verify.run import verify

ROWS = 100
SERIES = NOTHING.hypertables(["ticks:at:symbol"])


class Own:
    """A file of three tables and the database that holds it."""

    def __init__(self, held: Survey, database: Database) -> None:
        self.held, self.database = held, database

    def proof(self, table: str, part_rows: int = 2_000_000) -> TableProof:
        held = self.held.table(table)
        assert held is not None
        heard = Heard()
        heard.stage("Verify")
        with self.database.connect() as connection:
            return verify_bag(self.held.source, held, connection, heard, part_rows=part_rows)

    @contextmanager
    def damaged(self, *statements: str) -> Iterator[None]:
        """The statements' damage inside the block; afterwards the rows are as they were."""
        tables = [table.shape.name for table in self.held.own]
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            for table in tables:
                connection.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
            for statement in statements:
                connection.execute(statement)
        try:
            yield
        finally:
            with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
                for table in tables:
                    connection.execute(f"DELETE FROM {table}")
                    connection.execute(f"INSERT INTO {table} TABLE kept_{table}")
                    connection.execute(f"DROP TABLE kept_{table}")


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, engines: object) -> EngineUnderTest:
    """Each chosen engine in turn, running; kept for a whole module."""
    return engines.running(request.param)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def own(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    path = tmp_path_factory.mktemp("bag") / "own.db"
    written(path)
    with engine.empty() as database:
        assert move(path, database, choices=SERIES).equal
        fresh = database.fresh()
        assert fresh.capabilities  # read now: inside a connection, one session has no second
        yield Own(survey(Source(path), SERIES), fresh)


def written(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute(
            "CREATE TABLE keyed (k TEXT PRIMARY KEY, n INTEGER, f REAL, t DATETIME, d DATE, j JSON, b BLOB)"
        )
        for n in range(ROWS):
            row = (
                f"k{n}",
                n,
                n / 7,
                f"2024-01-01 00:{n % 60:02}:00",
                "2024-02-29",
                '{"a": [1.50, "x"]}',
                b"\0b",
            )
            file.execute("INSERT INTO keyed VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        file.execute("INSERT INTO keyed (k, f) VALUES ('zero', 0.0), ('infinite', 9e999)")
        file.execute("CREATE TABLE loose (a TEXT, b INTEGER)")
        file.executemany("INSERT INTO loose VALUES (?, ?)", [("same", 1)] * 3 + [("other", 2)])
        file.execute("CREATE TABLE ticks (at INTEGER, symbol TEXT, price REAL, PRIMARY KEY (symbol, at))")
        ticks = [(1_700_000_000 + 60 * n, f"s{n % 3}", n / 3) for n in range(ROWS)]
        file.executemany("INSERT INTO ticks VALUES (?, ?, ?)", ticks)
        file.commit()


def test_equal_tables_are_equal_in_any_number_of_parts(own: Own) -> None:
    for table, rows in (("keyed", ROWS + 2), ("loose", 4), ("ticks", ROWS)):
        for part_rows in (1_000, 100, 7, 1):
            proof = own.proof(table, part_rows)
            assert (proof.rows, proof.differing, proof.shown) == (rows, 0, [])
        assert proof.cells == rows * len(own.held.table(table).shape.columns)  # type: ignore[union-attr]


CASES: list[tuple[str, str, str]] = [
    ("n = 8", "n", "source 7, target 8"),
    ("n = NULL", "n", "source 7, target null"),
    ("f = 1.0000000000000002", "f", "source 1.0, target 1.0000000000000002"),
    ("t = t + interval '1 microsecond'", "t", "00:07:00.000001+00:00"),
    ("t = 'infinity'", "t", "target 'Infinity'"),
    ("d = '2024-03-01'", "d", "source '2024-02-29', target '2024-03-01'"),
    ("d = 'infinity'", "d", "target 'infinity'"),
    ("""j = '{"a": [1.5, "y"]}'""", "j", "$.a[1]"),
    (r"b = '\x0063'", "b", "source x'0062', target x'0063'"),
]


@pytest.mark.parametrize(("change", "column", "shown"), CASES)
def test_a_changed_cell_is_told_with_both_values(own: Own, change: str, column: str, shown: str) -> None:
    with own.damaged(f"UPDATE keyed SET {change} WHERE k = 'k7'"):
        for part_rows in (1_000, 50):
            proof = own.proof("keyed", part_rows)
            (told,) = proof.shown
            assert (told.what, told.key, told.column) == ("value", "k 'k7'", column)
            assert shown in str(told)
            assert dict(proof.counts) == {"value": 1}
    assert not own.proof("keyed").differing


def test_a_changed_key_is_another_row(own: Own) -> None:
    with own.damaged("UPDATE keyed SET k = 'k7 ' WHERE k = 'k7'"):
        assert dict(own.proof("keyed").counts) == {"missing": 1, "extra": 1}


def test_json_that_is_written_otherwise_is_equal(own: Own) -> None:
    with own.damaged("""UPDATE keyed SET j = '{"a": [15e-1, "x"]}' WHERE j IS NOT NULL"""):
        assert not own.proof("keyed").differing


def test_minus_zero_and_zero_are_two_values(own: Own) -> None:
    with own.damaged("UPDATE keyed SET f = '-0' WHERE k = 'zero'"):
        assert str(own.proof("keyed").shown[0]) == "keyed (k 'zero') f: source 0.0, target -0.0"


def test_rows_that_are_missing_surplus_or_there_again_are_told(own: Own) -> None:
    with own.damaged("DELETE FROM keyed WHERE n < 3", "INSERT INTO keyed (k) VALUES ('new')"):
        proof = own.proof("keyed", 64)
        assert dict(proof.counts) == {"missing": 3, "extra": 1}
        assert {str(difference) for difference in proof.shown} == {
            "keyed (k 'k0') is missing in the target",
            "keyed (k 'k1') is missing in the target",
            "keyed (k 'k2') is missing in the target",
            "keyed (k 'new') is in the target only",
        }
    with own.damaged("INSERT INTO loose VALUES ('same', 1)", "DELETE FROM loose WHERE b = 2"):
        proof = own.proof("loose")
        assert dict(proof.counts) == {"missing": 1, "repeated": 1}
        assert "loose (a 'same', b 1) is more than once in the target" in map(str, proof.shown)


def test_of_very_many_differences_all_are_counted_and_some_shown(own: Own) -> None:
    with own.damaged("UPDATE keyed SET n = n + 1, f = f + 1 WHERE n IS NOT NULL"):
        proof = own.proof("keyed", 90)
        assert set(proof.counts) == {"value"}
        assert ROWS <= proof.differing <= 2 * ROWS
        assert len(proof.shown) == 20


def test_rows_of_a_hypertable_outside_all_ranges_of_the_source_are_found(own: Own) -> None:
    late, early = "('2099-01-01', 's0', 1)", "('1970-01-01', 's0', 1)"
    with own.damaged(f"INSERT INTO ticks VALUES {late}, {early}", "DELETE FROM ticks WHERE price = 1"):
        assert dict(own.proof("ticks").counts) == {"missing": 1}, "the new ones went with it"
    with own.damaged(f"INSERT INTO ticks VALUES {late}, {early}"):
        assert dict(own.proof("ticks").counts) == {"extra": 2}


def test_a_batch_that_a_range_of_time_does_not_give_is_found(own: Own) -> None:
    """As after a wrong promise of order: a bare count and a bare scan see the rows, a range does not."""
    if reason := own.database.capabilities.reason("compression"):
        pytest.skip(reason)
    with psycopg.connect(own.database.conninfo, autocommit=True) as connection:
        # Other tests of this module wrote rows that lie beside the batches.
        connection.execute("SELECT compress_chunk(chunk, true) FROM show_chunks('ticks') AS chunk")
        (batch,) = connection.execute(
            "SELECT format('%I.%I', c.schema_name, c.table_name) FROM _timescaledb_catalog.chunk c"
            " JOIN _timescaledb_catalog.chunk u ON u.compressed_chunk_id = c.id"
            " JOIN _timescaledb_catalog.hypertable h ON h.id = u.hypertable_id"
            " WHERE h.table_name = 'ticks' LIMIT 1"
        ).fetchone() or (None,)
        assert batch is not None
    move_bound = f"UPDATE {batch} SET _ts_meta_min_1 = _ts_meta_min_1 {{}} interval '50 minutes'"
    for sign, found in (("+", True), ("-", False)):
        with psycopg.connect(own.database.conninfo, autocommit=True) as connection:
            connection.execute(move_bound.format(sign))
        assert bool(own.proof("ticks").differing) is found


def test_structure_is_compared_too(own: Own) -> None:
    made = "ALTER TABLE loose ADD COLUMN c int DEFAULT 5"
    cases: list[tuple[str, str, str]] = [
        (made, "ALTER TABLE loose DROP COLUMN c", ""),
        ("ALTER TABLE keyed DROP CONSTRAINT keyed_pkey", "", "keyed: keyed_pkey is missing."),
        ("ALTER TABLE loose ALTER b TYPE int", "ALTER TABLE loose ALTER b TYPE bigint", "loose.b is integer"),
    ]
    for damage, mend, sentence in cases:
        with psycopg.connect(own.database.conninfo, autocommit=True) as connection:
            connection.execute(damage)
        found = verify(own.held, own.database.fresh(), Heard()).structure
        assert sentence in " ".join(found)
        with psycopg.connect(own.database.conninfo, autocommit=True) as connection:
            connection.execute(mend or "ALTER TABLE keyed ADD CONSTRAINT keyed_pkey PRIMARY KEY (k)")
    assert verify(own.held, own.database.fresh(), Heard()).equal


@pytest.mark.parametrize(
    ("kind", "one", "other", "equal"),
    [
        ("json", '{"a": 1, "b": 2}', '{"b":2.0,"a":1e0}', True),
        ("json", "[0, -0, 0.00]", "[0,0,0]", True),
        ("json", "1e400", "1e401", False),
        ("json", '"1"', "1", False),
        ("json", "12345678901234567890.1", "12345678901234567890.2", False),
        ("text", "", None, False),
        ("float", 0.0, -0.0, False),
    ],
)
def test_a_form_is_that_of_one_value(kind: str, one: object, other: object, equal: bool) -> None:
    column = Column("c", kind, nullable=True)  # type: ignore[arg-type]
    form: Callable[[object], bytes] = lambda value: cells.fingerprint([column], [value])  # type: ignore[list-item] # noqa: E731
    assert (form(one) == form(other)) is equal
