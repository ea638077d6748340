"""A target that lacks a series altogether: every row of it is told as missing."""

from __future__ import annotations

from verify.conftest import Target


def test_a_series_that_the_target_lacks_is_told_with_all_its_rows(target: Target) -> None:
    theirs = "FROM funding_rate_data WHERE symbol = 'BTC/USDT:USDT'"
    with target.connect() as connection:
        connection.execute(f"CREATE TABLE aside AS SELECT * {theirs}")
        connection.execute(f"DELETE {theirs}")
        row = connection.execute("SELECT count(*) FROM aside").fetchone()
    try:
        proof = target.verify()
    finally:
        with target.connect() as connection:
            connection.execute("INSERT INTO funding_rate_data SELECT * FROM aside")
            connection.execute("DROP TABLE aside")
    assert row is not None
    assert row[0] > 1
    assert {table.table: dict(table.counts) for table in proof.tables if table.differing} == {
        "funding_rate_data": {"missing": row[0]}
    }
    assert target.differences() == []
