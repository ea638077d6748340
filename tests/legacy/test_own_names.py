"""Names that PostgreSQL takes: as they are wherever it can have them."""

from __future__ import annotations

import pytest

from trdinger.legacy.own.names import Names, column_names, table_names
from trdinger.schema.own.description import reserved

LONG = "a" * 63


@pytest.mark.parametrize(
    "name", ["order", "Select", 'with "quotes"', "with space", "日本語", "%s", "a.b", "-- x", LONG]
)
def test_a_name_that_can_stay_stays(name: str) -> None:
    assert table_names([name], Names()) == {name: name}
    assert column_names([name]) == {name: name}


def test_names_that_differ_in_case_alone_both_stay() -> None:
    assert column_names(["Ä", "ä", "x", "X"]) == {name: name for name in ("Ä", "ä", "x", "X")}


def test_a_long_name_is_cut_at_a_letter_and_marked() -> None:
    long = "é" * 40  # 80 bytes
    (given,) = column_names([long]).values()
    assert len(given.encode()) <= 63
    assert given.startswith("é" * 27 + "_")
    assert column_names([long]) == {long: given}, "the same every time"


def test_long_names_that_begin_alike_are_told_apart() -> None:
    given = column_names([LONG + "1", LONG + "2", LONG])
    assert len(set(given.values())) == 3
    assert given[LONG] == LONG


def test_a_cut_name_takes_no_name_that_can_stay() -> None:
    (cut,) = table_names([LONG + "1"], Names()).values()
    given = table_names([LONG + "1", cut], Names())
    assert given[cut] == cut
    assert given[LONG + "1"] not in {cut, LONG + "1"}


def test_names_of_the_server_and_of_trdinger_are_not_taken() -> None:
    assert column_names(["xmin", "ctid", "oid"])["oid"] == "oid"
    assert column_names(["xmin"])["xmin"].startswith("xmin_")
    assert table_names(["pg_class"], Names()) == {"pg_class": "_pg_class"}
    names = Names(reserved())
    for name in ("ohlcv_data_pkey", "alembic_version", "ix_ohlcv_data_id_seq"):
        assert (names.give(name) == name) is (name not in reserved())


def test_an_empty_name_gets_one() -> None:
    assert column_names([""]) == {"": "column"}
    assert set(column_names(["", "column"]).values()) > {"column"}
    assert table_names([""], Names()) == {"": "unnamed"}
