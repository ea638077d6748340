"""Every value that does not fit is told by its table, row and column, all at once, and nothing else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from legacy.conftest import File
from trdinger.legacy.check import Check, check
from trdinger.legacy.source import Source
from trdinger.legacy.survey import survey
from trdinger.sample import KINDS, Damage, spoil

# What is said of each kind of damage; None is damage that fits, in another form than the application's.
SAID: dict[str, str | None] = {
    "time-unparseable": "not a time",
    "time-with-t": None,
    "time-with-z": None,
    "time-with-offset": None,
    "time-without-fraction": None,
    "time-epoch-seconds": None,
    "time-epoch-milliseconds": None,
    "time-year-zero": "not a time",
    "time-after-9999": "outside the years 1 to 9999",
    "time-year-12345": "not a time",
    "number-text": "text in a number",
    "number-empty": "text in a number",
    "number-infinite": None,
    "null": "null where none may be",
    "text-nul": "a NUL character",
    "text-invalid-utf8": "invalid UTF-8",
    "text-blob": "a blob in a text",
    "text-too-long": "longer than",
    "json-broken": "broken JSON",
    "json-nan": None,
    "json-infinity": None,
    "json-nul": "\\u0000 in JSON",
    "json-lone-surrogate": "lone surrogate in JSON",
    "json-huge-number": "a number in JSON",
    "json-negative-zero": None,
    "json-duplicate-keys": "more than once in a JSON object",
    "orphan": "no such row in",
    "duplicate-key": "the key (",
    "duplicate-instant": "the key (",
    "integer-out-of-range": "outside a 32-bit integer",
    "integer-fractional": "not a whole number",
    "boolean-two": "neither 0 nor 1",
}
FORMS = {
    "time-with-t": "time with T",
    "time-with-z": "time with an offset",
    "time-with-offset": "time with an offset",
    "time-epoch-seconds": "epoch seconds",
    "time-epoch-milliseconds": "epoch milliseconds",
}
CHILDREN = [
    ("generated_strategies", "backtest_result_id", "backtest_results"),
    ("generated_strategies", "experiment_id", "ga_experiments"),
    ("strategy_showcase", "backtest_result_id", "backtest_results"),
]


def look(file: File) -> Check:
    return check(survey(file.source))


def places(found: Check) -> Counter[tuple[str, int, str]]:
    return Counter((bad.table, bad.rowid, bad.column) for bad in found.bad)


def places_of(file: File, damages: list[Damage]) -> Counter[tuple[str, int, str]]:
    """What is told of damages: their places, and once each the rows whose parent does not come."""
    places = Counter(
        (damage.table, damage.rowid, damage.column) for damage in damages if SAID[damage.kind] is not None
    )
    for child, column, parent in CHILDREN:
        for rowid, referred in file.run(f"SELECT rowid, {column} FROM {child} WHERE {column} IS NOT NULL"):
            gone = {(table, row) for table, row, _ in places}
            if (parent, referred) in gone and (child, rowid) not in gone:
                places[child, rowid, column] += 1
    return places


def test_a_sample_is_sound(sample: File) -> None:
    told: Counter[str] = Counter()
    held = survey(sample.source)
    found = check(held, tell=lambda table, rows: told.update({table: rows}))
    assert found.bad == []
    assert found.converted == {}
    assert {name: found.rows[name] for name in told} == told
    for table in held.tables:
        assert [(found.rows[table.shape.name],)] == sample.run(f"SELECT count(*) FROM {table.shape.name}")


def test_the_real_legacy_file_is_sound(legacy_file: Path) -> None:
    found = look(File(legacy_file))
    assert found.bad == []
    assert found.converted == {}
    assert found.rows.total() == 11_291


def test_every_kind_of_damage_has_its_sentence() -> None:
    assert set(SAID) == set(KINDS)


@pytest.mark.parametrize("kind", SAID)
def test_damage_is_told_by_its_place_and_nothing_else_is(sample: File, kind: str) -> None:
    damages = spoil(sample.path, [kind], seed=11, each=2)
    found = look(sample)
    assert places(found) == places_of(sample, damages)
    assert found.rows.total() == survey(sample.source).rows
    if (said := SAID[kind]) is not None:
        told = {(damage.table, damage.rowid, damage.column) for damage in damages}
        assert all(
            said in bad.reason if (bad.table, bad.rowid, bad.column) in told else "is rejected" in bad.reason
            for bad in found.bad
        )
        assert found.converted == {}
    elif kind in FORMS:
        assert found.converted == Counter((damage.table, damage.column, FORMS[kind]) for damage in damages)
    else:
        assert found.converted == {}


def test_all_kinds_at_once_are_told_at_once(sample: File) -> None:
    damages = spoil(sample.path, seed=5)
    assert places(look(sample)) == places_of(sample, damages)


def test_all_faults_of_one_row_are_told(sample: File) -> None:
    """A fault of the symbol or of the time hides no other of the row; a rejected row has no key."""
    sample.run("DROP INDEX uq_symbol_timeframe_timestamp")
    sample.run("UPDATE ohlcv_data SET symbol = x'00', volume = 'v', created_at = 'c' WHERE id = 1")
    sample.run("UPDATE ohlcv_data SET timestamp = 'never', volume = 'v' WHERE id = 2")
    sample.run("INSERT INTO ohlcv_data SELECT 9000, symbol, timeframe, timestamp, 'o', high, low, close,"
               " volume, created_at, updated_at FROM ohlcv_data WHERE id = 3")  # fmt: skip
    sample.run("UPDATE strategy_templates SET id = 1, config_json = '{' WHERE id = 1")
    assert places(look(sample)) == Counter(
        [
            *(("ohlcv_data", 1, column) for column in ("symbol", "volume", "created_at")),
            *(("ohlcv_data", 2, column) for column in ("timestamp", "volume")),
            ("ohlcv_data", 9000, "open"),
            ("strategy_templates", 1, "config_json"),
        ]
    )


def test_a_row_without_a_time_is_told_once_with_its_other_faults(file: File) -> None:
    file.untyped()
    file.candles(
        {"timestamp": None, "volume": "v"}, {"timestamp": None}, {"timestamp": None, "symbol": 7}, {}
    )
    found = look(file)
    assert places(found) == Counter(
        ("ohlcv_data", rowid, column)
        for rowid, column in (
            (1, "timestamp"),
            (1, "volume"),
            (2, "timestamp"),
            (3, "timestamp"),
            (3, "symbol"),
        )
    )
    assert found.rows["ohlcv_data"] == 4


def test_one_instant_in_two_forms_is_one_key(file: File) -> None:
    forms = [
        *("2024-01-01 00:00:00.000000", "2024-01-01 00:00:00", "2024-01-01T00:00:00Z", "2024-01-01"),
        *("2024-01-01 09:00:00+09:00", 1_704_067_200, 1_704_067_200_000, "20240101T00"),
    ]
    file.candles(*({"timestamp": form} for form in forms), {"timestamp": "2024-01-01 00:01:00.000000"})
    file.candles({"symbol": "ETH"}, {"timeframe": "5m"})
    found = look(file)
    assert places(found) == Counter(("ohlcv_data", rowid, "timestamp") for rowid in range(2, 9))
    for bad in found.bad:
        assert bad.reason == "the key (symbol, timeframe, timestamp) repeats: row 1 has it"
        assert bad.value == "BTC/USDT:USDT, 1m 2024-01-01T00:00:00.000000"


def test_a_key_may_repeat_across_spans(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are cut by what is stored: one instant may lie at the end of one and far into another."""
    monkeypatch.setattr("trdinger.legacy.survey.spans.__defaults__", (2,))
    file.candles(*({"timestamp": f"2024-01-01 0{hour}:00:00.000000"} for hour in range(8)))
    file.candles({"timestamp": "2024-01-01T01:00:00"}, {"timestamp": "2024-01-02 00:00:00.000000"})
    assert places(look(file)) == Counter([("ohlcv_data", 9, "timestamp")])


def test_the_order_of_ids_is_no_fault(file: File) -> None:
    file.candles(*({"timestamp": f"2024-01-0{day} 00:00:00.000000"} for day in (5, 3, 9, 1)))
    assert look(file).bad == []


def test_names_that_must_not_repeat_are_told(file: File) -> None:
    file.untyped("strategy_templates")
    file.untyped("strategy_showcase")
    row: dict[str, Any] = {"config_json": "{}", "created_at": "2024-01-01 00:00:00"}
    file.insert("strategy_templates", *(row | {"name": name} for name in ("a", "A", "a", "é", b"a")))
    found = look(file)
    assert [str(bad) for bad in found.bad] == [
        "strategy_templates row 5, name: a blob in a text: x'61'",
        "strategy_templates row 3, name: the key (name) repeats: row 1 has it",
    ]


def test_an_id_that_is_no_key_of_the_file_must_not_repeat_either(file: File) -> None:
    file.run("DROP TABLE strategy_templates")
    file.run("CREATE TABLE strategy_templates (id, name, config_json)")
    for key in (1, 2, 1, None, 2.0, "3"):
        file.run("INSERT INTO strategy_templates VALUES (?, ?, '{}')", (key, f"name {key!r}"))
    found = look(file)
    assert [(bad.rowid, bad.column, bad.reason.partition(":")[0]) for bad in found.bad] == [
        (4, "id", "null where none may be"),
        (6, "id", "text in a number"),
        (3, "id", "the key (id) repeats"),
        (5, "id", "the key (id) repeats"),
    ]


def test_a_reference_to_a_missing_table_leads_nowhere(sample: File) -> None:
    sample.run("DROP TABLE backtest_results")
    pointing = sample.run("SELECT id FROM generated_strategies WHERE backtest_result_id IS NOT NULL")
    shown = sample.run("SELECT id FROM strategy_showcase WHERE backtest_result_id IS NOT NULL")
    assert places(look(sample)) == Counter(
        [("generated_strategies", key, "backtest_result_id") for (key,) in pointing]
        + [("strategy_showcase", key, "backtest_result_id") for (key,) in shown]
    )


def test_a_reference_that_does_not_fit_is_told_for_what_it_is(sample: File) -> None:
    sample.run("UPDATE generated_strategies SET experiment_id = 'x' WHERE id = 1")
    sample.run("UPDATE generated_strategies SET experiment_id = 1.5 WHERE id = 2")
    sample.run("UPDATE generated_strategies SET experiment_id = 12345 WHERE id = 3")
    assert [str(bad) for bad in look(sample).bad] == [
        "generated_strategies row 1, experiment_id: text in a number: 'x'",
        "generated_strategies row 2, experiment_id: not a whole number: 1.5",
        "generated_strategies row 3, experiment_id: no such row in ga_experiments: id 12345",
    ]


def test_other_forms_are_counted_by_table_column_and_form(file: File) -> None:
    file.candles(
        {"created_at": "2024-01-01T00:00:00"},
        {"timestamp": "2024-01-01 00:01", "created_at": "2024-01-01T00:00:00"},
    )
    file.untyped("data_collection_log")
    log: dict[str, Any] = {"symbol": "X", "timeframe": "1m", "status": "success", "records_collected": 7.0}
    file.insert("data_collection_log", log | {"start_time": "2024-01-01", "end_time": 1_704_067_200})
    assert look(file).converted == {
        ("ohlcv_data", "created_at", "time with T"): 2,
        ("ohlcv_data", "timestamp", "time in another form"): 1,
        ("data_collection_log", "start_time", "date alone"): 1,
        ("data_collection_log", "end_time", "epoch seconds"): 1,
        ("data_collection_log", "records_collected", "integral float in an integer column"): 1,
    }


def test_values_that_sqlite_turns_by_affinity_are_judged_as_they_lie(file: File) -> None:
    """A DATETIME column makes a number of a text that looks like one; JSON too."""
    file.candles({"created_at": "20240101"}, {"timestamp": "1704067260", "created_at": "1704067200"})
    file.insert(
        "ga_experiments",
        {"name": "x", "config": "1e3", "status": "running", "progress": 0, "current_generation": "2"},
    )
    found = look(file)
    assert [str(bad) for bad in found.bad] == [
        "ohlcv_data row 1, created_at: a number that is no unambiguous time: 20240101"
    ]
    assert found.converted == {
        ("ohlcv_data", "timestamp", "epoch seconds"): 1,
        ("ohlcv_data", "created_at", "epoch seconds"): 1,
        ("ga_experiments", "config", "number in a JSON column"): 1,
    }


def test_a_backup_is_checked_like_its_source(sample: File) -> None:
    damages = spoil(sample.path, ["time-unparseable", "null", "duplicate-key"], each=2)
    assert places(check(survey(Source(sample.path, immutable=True)))) == places_of(sample, damages)
