"""Questions over a session of our own: values of every type and length as ADBC gives them, errors, and
sessions that break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from engines import EngineUnderTest, Native
from trdinger.engine.connect import Database
from trdinger.engine.reading import ArrowReader, Reader
from trdinger.engine.wire import Wire
from trdinger.errors import TargetError, Transient

COLUMNS = (
    "g::float8 / 3 AS f8", "(g % 3 = 0) AS b", "g::int4 AS i4", "g::int2 AS i2", "(g * 1.5)::float4 AS f4",
    "timestamptz '1969-07-20 20:17:40.123456+00' + g * interval '1 hour' AS t", "'x' || g AS text",
    "nullif(g % 50, 0)::float8 AS some", "NULL::float8 AS none", "''::text AS empty",
    "'東京'::varchar AS name",
)  # fmt: skip


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, engines: Any) -> EngineUnderTest:
    return engines.running(request.param)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def database(engine: EngineUnderTest) -> Iterator[Database]:
    with engine.empty() as database:
        yield database


@pytest.fixture
def reader(database: Database) -> Iterator[Reader]:
    with database.reading() as reader:
        assert isinstance(reader, Wire)
        yield reader


@pytest.mark.parametrize("rows", [0, 1, 7, 300, 9_000])
def test_values_are_those_of_adbc(database: Database, rows: int) -> None:
    statement = f"SELECT {', '.join(COLUMNS)} FROM generate_series(1, {rows}) AS g ORDER BY g"
    with database.arrow() as connection:
        expected = ArrowReader(connection).ask(statement)
    with database.reading() as reader:
        found = reader.ask(statement)
        assert reader.ask(statement) == found
    assert found.schema.remove_metadata() == expected.schema.remove_metadata()
    assert found == expected


def test_numbers_that_are_none_and_long_texts_arrive(reader: Reader) -> None:
    asked = "SELECT repeat('語', $1::int) AS long, 'NaN'::float8 AS f, '-infinity'::float8 AS i"
    (row,) = reader.ask(asked, [1_000_000]).to_pylist()
    assert row["long"] == "語" * 1_000_000
    assert (str(row["f"]), str(row["i"])) == ("nan", "-inf")
    with pytest.raises(psycopg.NotSupportedError, match="the column n "):
        reader.ask("SELECT 1::numeric AS n")
    assert reader.ask("SELECT $1::text AS t", [None]).to_pylist() == [{"t": None}]


def test_several_questions_are_of_one_moment_and_an_error_ends_them(reader: Reader) -> None:
    begin, now = ("BEGIN ISOLATION LEVEL REPEATABLE READ", []), ("SELECT now() AS now", [])
    _, first, second, _ = reader.ask_all([begin, now, now, ("COMMIT", [])])
    assert first == second
    with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero"):
        reader.ask_all([begin, now, ("SELECT 1 / $1::int AS x", [0]), now])
    isolation = reader.ask("SELECT current_setting('transaction_isolation') AS now").to_pylist()
    assert isolation == [{"now": "read committed"}]  # the transaction is over, too
    with pytest.raises(psycopg.errors.UndefinedTable):
        reader.ask_all([now, ("SELECT * FROM nowhere", [])])
    assert reader.ask(*now).num_rows == 1


def test_more_statements_than_stay_prepared_are_asked(reader: Reader) -> None:
    for _ in range(2):
        for number in range(70):
            assert reader.ask(f"SELECT {number}::int AS n").to_pylist() == [{"n": number}]


def test_a_column_that_changed_its_type_is_read_anew(reader: Reader) -> None:
    reader.ask("CREATE TABLE changing (a int)")
    reader.ask("INSERT INTO changing VALUES (7)")
    assert reader.ask("SELECT * FROM changing").to_pylist() == [{"a": 7}]
    reader.ask("ALTER TABLE changing ALTER a TYPE text")
    assert reader.ask("SELECT * FROM changing").to_pylist() == [{"a": "7"}]
    reader.ask("DEALLOCATE ALL")  # as a pooler's other session would answer
    assert reader.ask("SELECT * FROM changing").to_pylist() == [{"a": "7"}]


def test_a_session_that_was_ended_is_told_and_made_anew(native: Native) -> None:
    database = Database(native.administrator.set(database="postgres"))
    with database.reading() as reader:
        session = reader.ask("SELECT pg_backend_pid() AS pid").column(0)[0].as_py()
        with psycopg.connect(database.conninfo, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (session,))
        with pytest.raises(psycopg.OperationalError):
            reader.ask("SELECT 1 AS a")
        assert reader.ask("SELECT pg_backend_pid() AS pid").column(0)[0].as_py() != session
    with pytest.raises(Transient, match="lost"), database.reading() as reader:
        reader.ask("SELECT pg_terminate_backend(pg_backend_pid())")


def test_an_answer_that_was_broken_off_is_not_taken_for_the_next(
    reader: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("trdinger.engine.wire.Rows.take", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reader.ask("SELECT g FROM generate_series(1, 100000) AS g")
    assert reader.ask("SELECT 5 AS five").to_pylist() == [{"five": 5}]


def test_over_tls_it_is_adbc_that_reads(database: Database) -> None:
    negotiated = Database(database.url.update_query_dict({"gssencmode": "prefer"}), database.options)
    with negotiated.reading() as reader:  # what libpq may encrypt is left to it
        assert isinstance(reader, ArrowReader)
        answers = reader.ask_all([("BEGIN", []), ("SELECT $1::text AS a", ["x"]), ("COMMIT", [])])
        assert answers[1].to_pylist() == [{"a": "x"}]


def test_a_server_that_is_not_there_is_told(native: Native) -> None:
    nowhere = Database(make_url("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(TargetError, match="cannot be reached"), nowhere.reading():
        pass
    absent = Database(native.administrator.set(database="absent"))
    with pytest.raises(TargetError, match="no such database"), absent.reading():
        pass
