"""A changed cell or row of a small table is told with its id, column and both values; JSON by its place.

All at once and verified once; then each test looks for what it did, and the last for anything else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from trdinger.verify.differences import Difference, Proof
from verify.conftest import Target

# Table, column, an SQL expression for the new value; what is shown of the old (a pattern) and the new.
CHANGED = [
    ("data_collection_log", "symbol", "symbol || 'x'", r"'([A-Z/:]+)'", r"'\1x'"),
    (
        "data_collection_log",
        "start_time",
        "date_trunc('minute', start_time) + interval '1 microsecond'",
        r"(\S+ \d\d:\d\d):.*\+00:00",
        r"\1:00.000001+00:00",
    ),
    ("data_collection_log", "end_time", "'2000-01-01'", r"20\d\d-.*\+00:00", "2000-01-01 00:00:00+00:00"),
    ("data_collection_log", "records_collected", "-7", r"\d+", "-7"),
    ("backtest_results", "created_at", "NULL", r"20\d\d-.*\+00:00", "null"),
    ("backtest_results", "initial_capital", "-initial_capital", r"(\d+\.\d)", r"-\1"),
    ("backtest_results", "error_message", "repeat('long ', 900)", "null", "'long (long )*.*…"),
    ("backtest_results", "trade_history", "'[]'", r"\$\[0\]: an object of \d+", "$[0]: nothing"),
    ("ga_experiments", "name", "name || ' '", r"'(.*)'", r"'\1 '"),
    ("ga_experiments", "config", "config || '{\"a b\": 1.50}'", r'\$\["a b"\]: nothing', '$["a b"]: 1.50'),
    ("strategy_showcase", "is_active", "NOT is_active", "True|False", "False|True"),
    ("strategy_showcase", "sharpe_ratio", "NULL", r"-?\d+\.\d+", "null"),
]


@dataclass
class Damaged:
    """What a verification found, and the ids of the rows that were damaged."""

    proof: Proof
    changed: dict[tuple[str, str], int] = field(default_factory=dict)
    digit: tuple[int, str, Decimal, Decimal] = (0, "", Decimal(0), Decimal(0))
    renumbered: int = 0
    lost: int = 0

    def of(self, table: str, key: str) -> Difference:
        """The one difference of a row."""
        (found,) = [
            one for part in self.proof.tables for one in part.shown if (one.table, one.key) == (table, key)
        ]
        return found


@pytest.fixture(scope="module")
def damaged(target: Target) -> Damaged:
    """Every damage done, in a row of its own."""
    done = Damaged(Proof())
    with target.connect() as connection:
        for at, (table, column, new, _, _) in enumerate(CHANGED):
            (number,) = _one(
                connection,
                f"SELECT id FROM {table} WHERE {column} IS DISTINCT FROM {new} AND id > 2"
                f" AND ({column} IS NULL) = {column == 'error_message'} ORDER BY id OFFSET {at % 7}",
            )
            connection.execute(f"UPDATE {table} SET {column} = {new} WHERE id = %s", (number,))
            done.changed[table, column] = number
        done.digit = _change_the_17th_digit(connection)
        connection.execute(
            "UPDATE ga_experiments SET config = replace(config::text, ': ', '  :  ')::jsonb WHERE id = 1"
        )
        (done.renumbered,) = _one(
            connection, "UPDATE strategy_templates SET id = -id WHERE id = 1 RETURNING -id"
        )
        (done.lost,) = _one(
            connection,
            "DELETE FROM generated_strategies"
            " WHERE id = (SELECT max(id) FROM generated_strategies) - 3 RETURNING id",
        )
        connection.execute(
            "INSERT INTO generated_strategies (id, experiment_id, gene_data, generation)"
            " SELECT -3, experiment_id, gene_data, generation FROM generated_strategies LIMIT 1"
        )
    done.proof = target.verify()
    return done


@pytest.mark.parametrize(
    ("table", "column", "source", "shown"),
    [(table, column, source, shown) for table, column, _, source, shown in CHANGED],
    ids=[f"{table}-{column}" for table, column, *_ in CHANGED],
)
def test_a_changed_cell_is_told(damaged: Damaged, table: str, column: str, source: str, shown: str) -> None:
    found = damaged.of(table, f"id {damaged.changed[table, column]}")
    assert (found.what, found.column) == ("value", column)
    assert found.source is not None
    assert found.target is not None
    assert found.source != found.target
    old = re.fullmatch(source, found.source)
    assert old, found.source
    assert found.target == old.expand(shown) or re.fullmatch(shown, found.target)
    assert len(found.target) < 300


def test_a_json_number_that_differs_in_its_17th_digit_is_told_by_its_place(damaged: Damaged) -> None:
    number, name, before, after = damaged.digit
    found = damaged.of("backtest_results", f"id {number}")
    assert found.column == "equity_curve"
    assert (found.source, found.target) == (f"$[3].{name}: {before}", f"$[3].{name}: {after}")
    assert float(before) == pytest.approx(float(after), rel=1e-15)


def test_a_new_id_is_a_row_missing_and_one_too_many(damaged: Damaged) -> None:
    assert damaged.of("strategy_templates", f"id {damaged.renumbered}").what == "missing"
    assert damaged.of("strategy_templates", f"id -{damaged.renumbered}").what == "extra"


def test_a_lost_row_and_an_added_one_are_told(damaged: Damaged) -> None:
    assert damaged.of("generated_strategies", f"id {damaged.lost}").what == "missing"
    assert damaged.of("generated_strategies", "id -3").what == "extra"


def test_nothing_else_is_told(damaged: Damaged) -> None:
    """Neither the order of JSON's keys nor its spacing, and no row twice."""
    counts = {part.table: dict(part.counts) for part in damaged.proof.tables if part.differing}
    changed = [table for table, *_ in CHANGED] + ["backtest_results"]
    assert counts == {
        **{table: {"value": changed.count(table)} for table in changed},
        "strategy_templates": {"missing": 1, "extra": 1},
        "generated_strategies": {"missing": 1, "extra": 1},
    }
    assert damaged.proof.structure == []


def _change_the_17th_digit(connection: psycopg.Connection[Any]) -> tuple[int, str, Decimal, Decimal]:
    # By text, exactly: neither psycopg nor jsonb makes a float of it.
    number, text = _one(connection, "SELECT id, equity_curve::text FROM backtest_results ORDER BY id")
    point = json.loads(text, parse_float=Decimal)[3]
    name, before = next((name, value) for name, value in point.items() if isinstance(value, Decimal))
    after = before + Decimal(1).scaleb(before.adjusted() - 16)
    connection.execute(
        f"UPDATE backtest_results SET equity_curve = jsonb_set(equity_curve, '{{3,{name}}}', '{after}')"
        " WHERE id = %s",
        (number,),
    )
    return number, name, before, after


def _one(connection: psycopg.Connection[Any], statement: str) -> Any:
    row = connection.execute(statement).fetchone()
    assert row is not None, statement
    return row
