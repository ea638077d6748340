"""What is wrong around the rows is told in sentences: indexes, keys, time zone, ids, tables, hypertables."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from trdinger.errors import TargetError
from trdinger.verify.differences import Proof
from verify.conftest import Target


@pytest.fixture(scope="module")
def proof(target: Target) -> Proof:
    """What is found after everything was damaged at once."""
    with closing(sqlite3.connect(target.source)) as file:
        file.execute("DROP TABLE data_collection_log")  # rows in the target of a table that the source lacks
        file.commit()
    name = target.database.capabilities.database
    with target.connect() as connection:
        for statement in (
            "DROP INDEX idx_ohlcv_newest",
            "DROP INDEX idx_backtest_created_at",
            "ALTER TABLE funding_rate_data DROP CONSTRAINT funding_rate_data_pkey",
            "SELECT setval(pg_get_serial_sequence('backtest_results', 'id'), 3)",
            "ALTER TABLE strategy_templates RENAME TO templates",
            "ALTER TABLE strategy_showcase ADD COLUMN stars integer",
            f"ALTER DATABASE {name} SET timezone TO 'Asia/Tokyo'",
        ):
            connection.execute(statement)
    return target.verify()


def test_a_dropped_index_is_told(proof: Proof) -> None:
    assert _sentence(proof, "idx_ohlcv_newest")
    assert _sentence(proof, "idx_backtest_created_at")


def test_a_missing_primary_key_is_told(proof: Proof) -> None:
    assert "primary key" in _sentence(proof, "funding_rate_data")


def test_an_added_column_is_told(proof: Proof) -> None:
    assert _sentence(proof, "stars")


def test_a_sequence_below_the_highest_id_is_told(proof: Proof, target: Target) -> None:
    with closing(sqlite3.connect(target.source)) as file:
        (highest,) = file.execute("SELECT max(id) FROM backtest_results").fetchone()
    assert _sentence(proof, "backtest_results: the next id") == (
        f"backtest_results: the next id would be 4, the highest present is {highest}."
    )


def test_another_time_zone_is_told_with_the_way_to_mend_it(proof: Proof) -> None:
    sentence = _sentence(proof, "use the time zone Asia/Tokyo")
    assert sentence.endswith("Mend it: trdinger db upgrade.")


def test_a_table_that_is_missing_is_told_with_its_rows(proof: Proof) -> None:
    (part,) = [part for part in proof.tables if part.table == "strategy_templates"]
    (difference,) = part.shown
    assert str(difference) == "strategy_templates (the table, with 2 rows) is missing in the target"


def test_rows_of_a_table_that_the_source_lacks_are_told(proof: Proof, target: Target) -> None:
    (part,) = [part for part in proof.tables if part.table == "data_collection_log"]
    (difference,) = part.shown
    with target.connect() as connection:
        (rows,) = connection.execute("SELECT count(*) FROM data_collection_log").fetchone() or (0,)
    assert rows
    assert difference.what == "extra"
    assert difference.key == f"{rows} rows of a table that the source lacks"


def test_every_sentence_is_one_and_values_are_equal_elsewhere(proof: Proof) -> None:
    assert not proof.equal
    assert all(sentence.endswith(".") for sentence in proof.structure)
    assert [part.table for part in proof.tables if part.differing] == [
        "data_collection_log",
        "strategy_templates",
    ]
    assert len(proof.tables) == 9


def test_a_database_without_any_of_the_tables_is_refused_in_words(target: Target) -> None:
    with target.connect() as connection:
        connection.execute("CREATE SCHEMA elsewhere")
        connection.execute(
            f"ALTER DATABASE {target.database.capabilities.database} SET search_path TO elsewhere"
        )
    try:
        empty = target.database.fresh()
        if "elsewhere" not in str(_schema(target)):
            pytest.skip("its one session keeps its search path")
        with pytest.raises(TargetError, match="holds none of Trdinger's tables") as refused:
            Target(target.source, empty).verify()
        assert refused.value.hint
    finally:
        with target.connect() as connection:
            connection.execute(f"ALTER DATABASE {target.database.capabilities.database} RESET search_path")
            connection.execute("DROP SCHEMA elsewhere")


def _schema(target: Target) -> object:
    with target.connect() as connection:
        return connection.execute("SHOW search_path").fetchone()


def _sentence(proof: Proof, part: str) -> str:
    (found,) = [sentence for sentence in proof.structure if part in sentence]
    return found
