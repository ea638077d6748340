"""The kinds of damage that `spoil` knows: what is put, and where. Data, no actions.

A value is an SQL expression over the row as it was. Where a column is part of a natural
key the value differs from row to row, so that one kind may be put in twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Place:
    """A column that gets a value; `changes` are further columns of a copied row."""

    table: str
    column: str
    value: str
    changes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """One kind of damage.

    what: for people. nullable: the column's NOT NULL has to go first. copied: the value goes
    into a copy of the row, under a new id. repeated: the table's unique indexes have to go first.
    """

    what: str
    places: tuple[Place, ...]
    nullable: bool = False
    copied: bool = False
    repeated: bool = False


_TIMES = (
    ("ohlcv_data", "timestamp"),
    ("open_interest_data", "data_timestamp"),
    ("data_collection_log", "start_time"),
)
_NUMBERS = (
    ("ohlcv_data", "high"),
    ("funding_rate_data", "funding_rate"),
    ("open_interest_data", "open_interest_value"),
)
_TEXTS = (("ohlcv_data", "symbol"), ("funding_rate_data", "symbol"), ("strategy_showcase", "description"))
_DOCUMENTS = (("backtest_results", "performance_metrics"), ("generated_strategies", "gene_data"))


def _at(columns: tuple[tuple[str, str], ...], value: str) -> tuple[Place, ...]:
    """The same value in each column; {c} in it stands for the column."""
    return tuple(Place(table, column, value.replace("{c}", column)) for table, column in columns)


def _json(what: str, text: str) -> Kind:
    return Kind(what, _at(_DOCUMENTS, f"'{text}'"))


_WHOLE_SECOND = "substr({c}, 1, 19)"
_SECONDS = "CAST(strftime('%s', {c}) AS INTEGER)"
_MILLISECONDS = f"{_SECONDS} * 1000 + CAST(substr({{c}}, 21, 3) AS INTEGER)"
_NEVER = " || printf('%06d', id % 1000000)"  # a fraction of its own for each row

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "time-unparseable": Kind("text that is no time", _at(_TIMES, "'2024-13-45 25:61:00.' || id")),
        "time-with-t": Kind("the same instant with a T", _at(_TIMES, "replace({c}, ' ', 'T')")),
        "time-with-z": Kind("the same instant with a Z", _at(_TIMES, "{c} || 'Z'")),
        "time-with-offset": Kind(
            "the same instant at +09:00",
            _at(_TIMES, "strftime('%Y-%m-%d %H:%M:%S', {c}, '+9 hours') || substr({c}, 20) || '+09:00'"),
        ),
        "time-without-fraction": Kind("the same instant without its zeros", _at(_TIMES, _WHOLE_SECOND)),
        "time-epoch-seconds": Kind("the same instant as a number of seconds", _at(_TIMES, _SECONDS)),
        "time-epoch-milliseconds": Kind(
            "the same instant as a number of milliseconds",
            _at((*_TIMES, ("funding_rate_data", "funding_timestamp")), _MILLISECONDS),
        ),
        "time-year-zero": Kind("a year before 1", _at(_TIMES, "'0000-01-01 00:00:00.'" + _NEVER)),
        "time-after-9999": Kind(
            "a year after 9999 once in UTC", _at(_TIMES, "'9999-12-31 23:59:59.'" + _NEVER + " || '-01:00'")
        ),
        "time-year-12345": Kind("a year of five digits", _at(_TIMES, "'12345-01-01 00:00:00.'" + _NEVER)),
        "number-text": Kind("text in a number", _at(_NUMBERS, "'n/a'")),
        "number-empty": Kind("empty text in a number", _at(_NUMBERS, "''")),
        "number-infinite": Kind(
            "an infinite number", (*_at(_NUMBERS, "9e999"), Place("ohlcv_data", "low", "-9e999"))
        ),
        "null": Kind(
            "null where none may be", _at((*_NUMBERS, *_TIMES[:2], *_DOCUMENTS), "NULL"), nullable=True
        ),
        "text-nul": Kind("a NUL character in text", _at(_TEXTS, "{c} || char(0) || 'x'")),
        "text-invalid-utf8": Kind("text that is not UTF-8", _at(_TEXTS, "CAST(x'42ff5443c3' AS TEXT)")),
        "text-blob": Kind("a blob in a text column", _at(_TEXTS, "x'00ff42'")),
        "text-too-long": Kind(
            "text longer than declared",
            (
                Place("ohlcv_data", "symbol", "printf('%.*c', 120, 'X')"),
                Place("data_collection_log", "status", "printf('%.*c', 21, 's')"),
                Place("strategy_showcase", "risk_level", "printf('%.*c', 300, 'r')"),
            ),
        ),
        "json-broken": Kind(
            "JSON that does not parse",
            (*_at(_DOCUMENTS, "substr({c}, 1, 20)"), Place("ga_experiments", "config", "'{''a'': 1}'")),
        ),
        "json-nan": _json("NaN in JSON", '{"sharpe_ratio": NaN, "win_rate": 0.5}'),
        "json-infinity": _json("infinities in JSON", '{"profit_factor": Infinity, "low": -Infinity}'),
        "json-nul": _json("\\u0000 in JSON", '{"note": "a\\u0000b"}'),
        "json-lone-surrogate": _json("half a character in JSON", '{"note": "\\ud83d"}'),
        "json-huge-number": _json("a number in JSON that no database stores", '{"n": 1e400000}'),
        "json-negative-zero": _json("-0.0 in JSON, which jsonb makes 0.0", '{"n": -0.0}'),
        "json-duplicate-keys": _json(
            "a key twice in JSON, of which jsonb keeps the last", '{"a": 1, "a": 2}'
        ),
        "orphan": Kind(
            "a reference to a row that is not there",
            (
                Place("generated_strategies", "experiment_id", "900000000 + id"),
                Place("generated_strategies", "backtest_result_id", "900000000 + id"),
                Place("strategy_showcase", "backtest_result_id", "900000000 + id"),
            ),
        ),
        "duplicate-key": Kind(
            "a second row of the same natural key, with another value",
            (
                Place("ohlcv_data", "timestamp", "timestamp", {"volume": "volume + 1"}),
                Place("funding_rate_data", "funding_timestamp", "funding_timestamp", {"mark_price": "1.5"}),
                Place("open_interest_data", "data_timestamp", "data_timestamp"),
            ),
            copied=True,
            repeated=True,
        ),
        "duplicate-instant": Kind(
            "a second row of the same natural key, its time in another format",
            (
                Place("ohlcv_data", "timestamp", "substr(timestamp, 1, 19)", {"volume": "volume + 1"}),
                Place("funding_rate_data", "funding_timestamp", "replace(funding_timestamp, ' ', 'T')"),
                Place("open_interest_data", "data_timestamp", "data_timestamp || '+00:00'"),
            ),
            copied=True,
        ),
        "integer-out-of-range": Kind(
            "an integer beyond 32 bits",
            (
                Place("ga_experiments", "total_generations", "2147483648"),
                Place("generated_strategies", "generation", "-2147483649"),
                Place("data_collection_log", "records_collected", "9223372036854775807"),
            ),
        ),
        "integer-fractional": Kind(
            "a fraction in an integer column",
            (
                Place("generated_strategies", "generation", "generation + 0.5"),
                Place("data_collection_log", "records_collected", "records_collected + 0.5"),
            ),
        ),
        "boolean-two": Kind(
            "a boolean that is neither 0 nor 1",
            (Place("strategy_showcase", "is_active", "2"), Place("strategy_templates", "is_public", "2")),
        ),
    }
)
