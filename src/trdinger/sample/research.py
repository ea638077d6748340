"""Experiments, strategies, backtests, showcase, templates and the log: a few rows of each.

Everything here could be moved as it is: no NaN in JSON, every reference valid. Damage is
`spoil`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from trdinger.sample.genes import CATEGORIES, RISKS, experiment_config, gene, showcase_name
from trdinger.sample.moments import at, microsecond_text, minute_texts, second_text
from trdinger.sample.options import DAY, SampleOptions
from trdinger.sample.plan import Plan

EXPERIMENTS, STRATEGIES, BACKTESTS, SHOWCASE, TEMPLATES = 12, 96, 40, 24, 2
_STREAM = 5
DAILY_RUNS = 24
_MONTH = 30 * 86_400  # seconds
_STATUS = ("completed", "completed", "running", "error", "completed", "cancelled", "starting")
_TIMEOUT = "bybit GET https://api.bybit.com/v5/market/kline timed out"

Row = tuple[Any, ...]


def backtests(options: SampleOptions, plan: Plan) -> Iterator[Row]:
    """Rows of `backtest_results`. The id 7 is missing, as after a deletion."""
    rng = _rng(options, 0)
    for number in range(BACKTESTS):
        begin = plan.end - int(rng.integers(40, 120)) * DAY
        days = int(rng.integers(14, 38))
        hours = 4 if number % 3 else 24
        capital = float(rng.choice([10_000.0, 100_000.0, 250_000.0]))
        trades, equity = _run(rng, capital, begin, days, hours)
        metrics = _metrics(rng, capital, equity, trades, number)
        stamp = second_text(plan.end * 60 - _MONTH + number * 47_431)
        named = number % 4 == 0
        config = {"strategy_type": "SMA_CROSS", "parameters": {"n1": 20, "n2": 50}} if number % 5 == 0 else {}
        yield (
            number + 1 + (number >= 6),
            f"移動平均クロス {number}" if named else f"GA_{number // 8}_{number % 8}",
            options.symbols[number % len(options.symbols)],
            f"{hours}h" if hours == 4 else "1d",
            *minute_texts(np.array([begin, begin + days * DAY])),
            capital,
            0.001 if number % 6 else 0.00055,
            json.dumps(config),
            json.dumps(metrics),
            json.dumps(equity),
            json.dumps(trades),
            round(float(rng.uniform(0.4, 40)), 6) if number % 3 == 0 else None,
            "completed",
            None,
            stamp,
            stamp,
        )


def experiments(options: SampleOptions, plan: Plan) -> Iterator[Row]:
    """Rows of `ga_experiments`, in every status that is in use."""
    rng = _rng(options, 1)
    for number in range(EXPERIMENTS):
        status = _STATUS[number % len(_STATUS)]
        total = (10, 30, 50, 100)[number % 4]
        begin = plan.end * 60 - _MONTH + number * 190_000
        done = status == "completed"
        current = total if done else 0 if status == "starting" else total // 3
        ended = begin * 1_000_000 + int(rng.integers(10**9, 9 * 10**9))
        yield (
            number + 1,
            f"実験 {number}「BTC 短期」" if number % 2 else f"実験 {number}",
            json.dumps(experiment_config(total)),
            status,
            1.0 if done else current / total,
            float(rng.uniform(0.2, 3.0)) if current else None,
            total,
            current,
            second_text(begin),
            microsecond_text(ended) if status in {"completed", "error", "cancelled"} else None,
        )


def strategies(options: SampleOptions, plan: Plan) -> Iterator[Row]:
    """Rows of `generated_strategies`. parent_ids is the text `null`, a list, or SQL NULL."""
    rng = _rng(options, 2)
    for number in range(STRATEGIES):
        parents: str | None = json.dumps([number, number - 1]) if number > 1 and number % 3 else "null"
        if number % 7 == 6:
            parents = None
        backtest = int(rng.integers(8, BACKTESTS + 2)) if number % 2 else None
        yield (
            number + 1,
            number % EXPERIMENTS + 1,
            json.dumps(gene(rng, f"{number:08x}")),
            number // EXPERIMENTS,
            float(rng.normal(0.8, 0.4)) if number % 11 else None,
            parents,
            backtest,
            second_text(plan.end * 60 - _MONTH + number * 20_011),
        )


def showcase(options: SampleOptions, plan: Plan) -> Iterator[Row]:
    """Rows of `strategy_showcase`. updated_at has microseconds where a strategy was overwritten."""
    rng = _rng(options, 3)
    for number in range(SHOWCASE):
        made = gene(rng, f"showcase-{number}")
        created = plan.end * 60 - _MONTH + number * 14
        again = (created + 600_000) * 1_000_000 + int(rng.integers(1, 10**6))
        yield (
            number + 1,
            showcase_name(number),
            None if number % 4 == 3 else f"{showcase_name(number)}の説明。\n手数料 0.055% を含む。",
            CATEGORIES[number % len(CATEGORIES)],
            json.dumps([each["type"] for each in made["indicators"]]),
            json.dumps({each["type"]: each["parameters"] for each in made["indicators"]}),
            *(round(float(rng.uniform(*bounds)), 2) for bounds in ((4, 45), (0.4, 2.6), (-30, -4), (35, 70))),
            json.dumps(made),
            int(rng.integers(8, BACKTESTS + 2)) if number % 3 == 0 else None,
            RISKS[number % len(RISKS)],
            ("15m", "1h", "4h", None)[number % 4],
            None if number == 13 else int(number % 6 != 5),
            second_text(created),
            microsecond_text(again) if number % 5 == 0 else second_text(created),
        )


def templates(_: SampleOptions, plan: Plan) -> Iterator[Row]:
    """Rows of `strategy_templates`. The application leaves it empty; two rows fill every table."""
    for number, (name, category) in enumerate(
        (("移動平均クロス", "trend_following"), ("RSI reversal", None))
    ):
        yield (
            number + 1,
            name,
            None if number else "短期線と長期線の交差",
            category,
            json.dumps({"strategy_type": "SMA_CROSS", "parameters": {"n1": 20 + number, "n2": 50}}),
            1 - number,
            second_text(plan.end * 60 - _MONTH + number),
        )


def log(options: SampleOptions, plan: Plan) -> Iterator[Row]:
    """Rows of `data_collection_log`: a history run of every series, then the latest bars of one, daily.

    Every ninth row is an error.
    """
    rng = _rng(options, 4)
    runs = [
        (series, min(series.first, plan.end), series.rows) for each in plan.symbols for series in each.series
    ]
    newest = plan.symbols[0].series[-1]
    runs += [(newest, plan.end - 60, int(count)) for count in rng.integers(0, 100, DAILY_RUNS)]
    for number, (series, begin, count) in enumerate(runs):
        failed = number % 9 == 4
        days = max(number - len(runs) + DAILY_RUNS, 0)
        span = np.array([begin, plan.end]) + days * DAY
        yield (
            number + 1,
            series.symbol,
            series.timeframe,
            *minute_texts(span),
            0 if failed else count,
            "error" if failed else "success",
            f"データ取得エラー: {_TIMEOUT}" if failed else None,
            second_text((plan.end + days * DAY) * 60 + number * 20),
        )


def _rng(options: SampleOptions, table: int) -> np.random.Generator:
    return np.random.default_rng([options.seed, _STREAM, table])


def _run(
    rng: np.random.Generator, capital: float, begin: int, days: int, hours: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    bars = days * 24 // hours
    curve = capital * np.exp(np.cumsum(rng.standard_normal(bars) * 0.006))
    below = (1 - curve / np.maximum.accumulate(curve)) * 100
    times = [at(begin + bar * hours * 60).replace(tzinfo=None).isoformat() for bar in range(bars)]
    equity = [
        {"timestamp": time, "equity": value, "drawdown_pct": loss}
        for time, value, loss in zip(times, curve.tolist(), below.tolist(), strict=True)
    ]
    trades = []
    for bar in range(0, bars - 3, max(bars // 18, 4)):
        entry, leave = (float(value) for value in rng.uniform(90, 110, 2))
        size = float(rng.uniform(0.1, 4)) * (1 if bar % 3 else -1)
        pnl = size * (leave - entry)
        trades.append(
            {"size": size, "entry_price": entry, "exit_price": leave, "pnl": pnl,
             "return_pct": pnl / (abs(size) * entry), "entry_time": times[bar], "exit_time": times[bar + 3]}
        )  # fmt: skip
    return trades, equity


def _metrics(
    rng: np.random.Generator,
    capital: float,
    equity: list[dict[str, Any]],
    trades: list[dict[str, Any]],
    number: int,
) -> dict[str, Any]:
    final = equity[-1]["equity"]
    won = sum(trade["pnl"] > 0 for trade in trades)
    metrics: dict[str, Any] = {
        "total_return": (final / capital - 1) * 100,
        "sharpe_ratio": float(rng.normal(0.9, 1.2)),
        "max_drawdown": -max(point["drawdown_pct"] for point in equity),
        "win_rate": won / len(trades) * 100 if trades else 0.0,
        "total_trades": len(trades),
        "equity_final": final,
        "buy_hold_return": float(rng.normal(2, 12)),
        "exposure_time": float(rng.uniform(20, 95)),
        "sortino_ratio": float(rng.normal(1.3, 1.6)),
        "calmar_ratio": float(rng.normal(0.7, 1.0)),
    }
    if number % 3 == 0:
        metrics["profit_factor"] = float(rng.uniform(0.6, 2.4))
    return metrics
