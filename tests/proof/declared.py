"""The nine tables as the existing application declares them, written down by hand.

S50 is text of at most 50 characters, S without a limit; T a time, F a float, I an integer of
32 bits, ID one of 64, B a boolean, J JSON; ! may not be null.
"""

from __future__ import annotations

from dataclasses import dataclass

_NOTATION = """
ohlcv_data: id ID! symbol S50! timeframe S10! timestamp T! open F! high F! low F! close F! volume F!
    created_at T updated_at T
funding_rate_data: id ID! symbol S50! funding_rate F! funding_timestamp T! timestamp T!
    next_funding_timestamp T mark_price F index_price F created_at T updated_at T
open_interest_data: id ID! symbol S50! open_interest_value F! data_timestamp T! timestamp T!
    created_at T updated_at T
data_collection_log: id ID! symbol S50! timeframe S10! start_time T! end_time T! records_collected I
    status S20! error_message S500 created_at T
backtest_results: id ID! strategy_name S100! symbol S50! timeframe S10! start_date T! end_date T!
    initial_capital F! commission_rate F config_json J! performance_metrics J! equity_curve J!
    trade_history J! execution_time F status S20! error_message S created_at T updated_at T
ga_experiments: id ID! name S255! config J! status S20! progress F! best_fitness F total_generations I
    current_generation I! created_at T completed_at T
generated_strategies: id ID! experiment_id ID! gene_data J! generation I! fitness_score F parent_ids J
    backtest_result_id ID created_at T
strategy_showcase: id ID! name S255! description S category S50! indicators J! parameters J!
    expected_return F sharpe_ratio F max_drawdown F win_rate F gene_data J! backtest_result_id ID
    risk_level S20! recommended_timeframe S10 is_active B created_at T updated_at T
strategy_templates: id ID! name S100! description S category S50 config_json J! is_public B created_at T
"""
# The words with which the existing application's file declares each kind.
_SQLITE = {
    "S": "VARCHAR",
    "T": "DATETIME",
    "F": "FLOAT",
    "I": "INTEGER",
    "ID": "INTEGER",
    "B": "BOOLEAN",
    "J": "JSON",
}


@dataclass(frozen=True)
class Field:
    """One column: its kind by the letters above, how many characters it takes, whether it may be null."""

    name: str
    kind: str
    length: int | None
    nullable: bool

    @property
    def sqlite(self) -> str:
        """Its type as a file declares it."""
        limit = f"({self.length})" if self.length else ""
        return "TEXT" if self.kind == "S" and not limit else _SQLITE[self.kind] + limit


def _fields(words: list[str]) -> tuple[Field, ...]:
    fields = []
    for name, said in zip(words[::2], words[1::2], strict=True):
        kind, nullable = said.rstrip("!"), not said.endswith("!")
        letters = kind.rstrip("0123456789")
        fields.append(Field(name, letters, int(kind[len(letters) :] or 0) or None, nullable))
    return tuple(fields)


TABLES: dict[str, tuple[Field, ...]] = {
    part.split(":")[0]: _fields(part.split(":")[1].split())
    for part in _NOTATION.strip().replace("\n    ", " ").splitlines()
}
SERIES: dict[str, tuple[tuple[str, ...], str]] = {
    "ohlcv_data": (("symbol", "timeframe"), "timestamp"),
    "funding_rate_data": (("symbol",), "funding_timestamp"),
    "open_interest_data": (("symbol",), "data_timestamp"),
}
KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    name: (
        ("id",),
        *([(*SERIES[name][0], SERIES[name][1])] if name in SERIES else []),
        *([("name",)] if name in ("strategy_showcase", "strategy_templates") else []),
    )
    for name in TABLES
}
PARENTS: dict[str, dict[str, str]] = {
    "generated_strategies": {"experiment_id": "ga_experiments", "backtest_result_id": "backtest_results"},
    "strategy_showcase": {"backtest_result_id": "backtest_results"},
}


def loose(table: str, *, typed: bool = True) -> str:
    """The statement that makes a table with these columns which refuses nothing: no key, no NOT NULL.

    typed: with the declared types, by whose affinity SQLite turns what looks like a number into one;
    else every value stays as it is given.
    """
    columns = ", ".join(f'"{field.name}"' + f" {field.sqlite}" * typed for field in TABLES[table])
    return f'CREATE TABLE "{table}" ({columns})'
