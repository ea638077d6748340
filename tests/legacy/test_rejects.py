"""A rejects file keeps every value as SQLite stores it, and says what is no line of it."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path

import pytest

from legacy.conftest import File
from trdinger.errors import UsageError, ValuesDoNotFit
from trdinger.legacy import rejects
from trdinger.legacy.check import Check, check
from trdinger.legacy.judging import BadValue, Change, Reject
from trdinger.legacy.source import Source, Text
from trdinger.legacy.survey import survey
from trdinger.legacy.values import Stored

VALUES: dict[str, Stored] = {
    "null": None,
    "integer": -(2**63),
    "real": 0.1,
    "whole": 7.0,
    "zero": -0.0,
    "least": 5e-324,
    "infinite": -math.inf,
    "text": Text("NaN é\x00\n☃😀".encode()),
    "broken": Text(b"a\xff\xed\xa0\x80"),
    "blob": b"\x00\xff",
    "empty": b"",
    "nothing": Text(b""),
}


def reject(row: int | str = 17) -> Reject:
    return Reject("t", row, VALUES, (BadValue("t", row, "real", "0.1", "not a time: 0.1"),))


def test_every_value_comes_back_with_its_storage_class(tmp_path: Path) -> None:
    path = tmp_path / rejects.NAME
    with rejects.writing(path, "run", "/a/b.db") as writer:
        writer.reject(reject())
        writer.reject(reject('["k", 1]'))
    assert rejects.header(path) == rejects.Header("run", "/a/b.db")
    first, second = rejects.read(path)
    assert (first, second) == (reject(), reject('["k", 1]'))
    assert [type(first.values[name]) for name in VALUES] == [type(value) for value in VALUES.values()]
    assert math.copysign(1, first.values["zero"]) == -1  # type: ignore[arg-type]
    assert path.read_bytes().isascii()


def test_a_file_without_rows_is_not_kept_and_an_unfinished_one_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / rejects.NAME
    with rejects.writing(path, "run", "x") as writer:
        writer.change(Change("t", 1, "c", "$.a", "NaN"))
    assert json.loads(path.read_text().splitlines()[1])["path"] == "$.a"
    before = path.read_bytes()
    with suppress(KeyError), rejects.writing(path, "run", "x") as writer:
        writer.reject(reject())
        raise KeyError
    assert path.read_bytes() == before
    with rejects.writing(path, "run", "x"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"),
        ("[]", "line 2 is no rejected row"),
        ('{"table": 1, "row": 1, "reasons": [], "values": {}}', "no rejected row"),
        ('{"table": "t", "row": true, "reasons": [], "values": {}}', "no rejected row"),
        ('{"table": "t", "row": 1, "values": {}}', "no rejected row"),
        ('{"table": "t", "row": 1, "reasons": [], "values": {"a": [1]}}', r"line 2: no value: \[1\]"),
        ('{"table": "t", "row": 1, "reasons": [], "values": {"a": NaN}}', "line 2: no value: NaN"),
        ('{"table": "t", "row": 1, "reasons": [], "values": {"a": {"blob_base64": "!"}}}', "line 2"),
        ('{"table": "t", "row": 1, "reasons": [], "values": {"a": "\\ud800"}}', "line 2"),
    ],
)
def test_a_line_that_is_none_is_told_by_its_number(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "r"
    with rejects.writing(path, "run", "x") as writer:
        writer.reject(reject())
    path.write_text(path.read_text().splitlines()[0] + "\n" + line + "\n")
    with pytest.raises(UsageError, match=said):
        list(rejects.read(path))


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"trdinger": "changes", "version": 1}\n', b"\xff\n"])
def test_another_file_is_no_rejects_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no rejects file"):
        list(rejects.read(path))
    with pytest.raises(UsageError, match="no file"):
        list(rejects.read(tmp_path / "none"))


class Kept:
    """Remembers what it is handed."""

    def __init__(self) -> None:
        self.rejects: list[Reject] = []
        self.changes: list[Change] = []

    def reject(self, one: Reject) -> None:
        self.rejects.append(one)

    def change(self, one: Change) -> None:
        self.changes.append(one)


def look(file: File, **options: object) -> tuple[Check, Kept]:
    kept = Kept()
    return check(survey(Source(file.path)), keeper=kept, **options), kept  # type: ignore[arg-type]


def test_each_rejected_row_is_handed_on_once_with_all_its_values(file: File) -> None:
    file.untyped()
    file.candles(
        {},
        {"timestamp": "never", "open": "x", "created_at": "y"},
        {},  # a twin of the first
        {"timestamp": None},
        {"symbol": b"\x00"},
    )
    found, kept = look(file)
    assert found.rejected == {"ohlcv_data": {2, 3, 4, 5}}
    assert sorted(one.row for one in kept.rejects if isinstance(one.row, int)) == [2, 3, 4, 5]
    names = [column for _, column, *_ in file.run("PRAGMA table_info(ohlcv_data)")]
    for one in kept.rejects:
        assert set(one.values) == set(names)
        (stored,) = file.run(f"SELECT * FROM ohlcv_data WHERE rowid = {one.row}")
        told = [
            value.decode() if isinstance(value, Text) else value
            for value in (one.values[name] for name in names)
        ]
        assert told == list(stored)
    assert found.reasons[("ohlcv_data", "open", "text in a number")] == 1


def test_the_last_of_a_key_may_stay_instead_of_the_first(file: File) -> None:
    file.untyped()
    file.candles(*({"timestamp": "2024-01-01 00:00:00.000000"} for _ in range(3)))
    file.untyped("strategy_templates")
    file.insert("strategy_templates", *({"name": name, "config_json": "{}"} for name in "aab"))
    first, _ = look(file)
    assert first.rejected == {"ohlcv_data": {2, 3}, "strategy_templates": {2}}
    last, _ = look(file, stays="last")
    assert last.rejected == {"ohlcv_data": {1, 2}, "strategy_templates": {1}}


def test_a_row_that_does_not_fit_takes_no_key_from_another(file: File) -> None:
    file.untyped()
    file.candles({"open": "x"}, {}, {})
    found, _ = look(file)
    assert found.rejected == {"ohlcv_data": {1, 3}}


@pytest.mark.parametrize("stays", ["first", "last"])
def test_a_row_without_its_parent_takes_no_key_from_another(file: File, stays: str) -> None:
    for table in ("ga_experiments", "generated_strategies"):
        file.run(f"DROP TABLE {table}")
    file.run("CREATE TABLE ga_experiments (id, name, config, status, progress, current_generation)")
    file.run("CREATE TABLE generated_strategies (id, experiment_id, gene_data, generation)")
    file.run("INSERT INTO ga_experiments VALUES (1, 'a', '{}', 'running', 0.5, 1)")
    for experiment in (9, 1, 9):
        file.run("INSERT INTO generated_strategies VALUES (1, ?, '{}', 1)", (experiment,))
    found, _ = look(file, stays=stays)
    assert found.rejected == {"generated_strategies": {1, 3}}


def test_children_of_rejected_rows_are_rejected_and_their_children(sample: File) -> None:
    sample.run("UPDATE backtest_results SET config_json = '{' WHERE id = 1")
    sample.run("UPDATE generated_strategies SET backtest_result_id = 1 WHERE id = 2")
    found, kept = look(sample)
    assert 2 in found.rejected["generated_strategies"]
    reasons = {bad.reason for one in kept.rejects for bad in one.reasons if one.table != "backtest_results"}
    assert reasons == {"its row in backtest_results is rejected: id 1"}


def test_changes_are_handed_on_with_their_place(sample: File) -> None:
    sample.run(
        """UPDATE backtest_results SET performance_metrics = '{"a": [NaN, 1, -Infinity]}' WHERE id = 2"""
    )
    found, kept = look(sample)
    assert kept.changes == [
        Change("backtest_results", 2, "performance_metrics", "$.a[0]", "NaN"),
        Change("backtest_results", 2, "performance_metrics", "$.a[2]", "-Infinity"),
    ]
    assert found.changed == {("backtest_results", "performance_metrics"): 2}
    assert found.rejects == 0


def test_what_was_changed_or_converted_in_a_row_that_goes_for_its_key_or_parent_is_not_told(
    file: File,
) -> None:
    for table in ("strategy_templates", "generated_strategies", "ohlcv_data"):
        file.untyped(table)
    file.insert(
        "strategy_templates", *({"name": "a", "config_json": "[NaN]", "is_public": 1.0} for _ in "ab")
    )
    file.insert("generated_strategies", {"experiment_id": 9, "gene_data": "[NaN]", "generation": 1.0})
    file.candles({"open": 1}, {"open": 2})
    found, kept = look(file)
    assert found.rejected == {"strategy_templates": {2}, "generated_strategies": {1}, "ohlcv_data": {2}}
    assert kept.changes == [Change("strategy_templates", 1, "config_json", "$[0]", "NaN")]
    assert found.changed == {("strategy_templates", "config_json"): 1}
    assert found.converted == {
        ("strategy_templates", "is_public", "float in a boolean column"): 1,
        ("ohlcv_data", "open", "integer in a float column"): 1,
    }


def test_too_many_rejects_end_the_check_early(file: File) -> None:
    file.untyped()
    file.candles(*({"open": "x"} for _ in range(9)))
    assert look(file, at_most=9)[0].rejects == 9
    with pytest.raises(ValuesDoNotFit, match="More than 3 rows do not fit"):
        look(file, at_most=3)
