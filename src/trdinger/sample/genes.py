"""The JSON of research: settings of an experiment, a strategy's genes, names of the showcase."""

from __future__ import annotations

from typing import Any

import numpy as np

CATEGORIES = ("trend_following", "mean_reversion", "breakout", "range_trading", "momentum")
RISKS = ("low", "medium", "high")
_INDICATORS = ("SMA", "EMA", "RSI", "MACD", "BB", "STOCH", "CCI", "WILLIAMS", "ADX")
_NAMES = ("トレンドフォロー", "平均回帰", "ブレイクアウト", "レンジ取引", "モメンタム")


def showcase_name(number: int) -> str:
    """A name of its own for each number."""
    return f"{_NAMES[number % len(_NAMES)]} {number:02}"


def experiment_config(generations: int) -> dict[str, Any]:
    """The settings of an experiment, as the application completes them."""
    return {
        "population_size": 50 + generations // 2,
        "generations": generations,
        "crossover_rate": 0.8,
        "mutation_rate": 0.1,
        "elite_size": 10,
        "fitness_weights": {"total_return": 0.3, "sharpe_ratio": 0.4, "max_drawdown": 0.2, "win_rate": 0.1},
        "allowed_indicators": list(_INDICATORS),
        "parameter_ranges": {"period": [5, 200], "tolerance": [0.1, 1e-09]},
        "fitness_constraints": {"min_trades": 10, "max_drawdown_limit": None},
        "enable_multi_objective": False,
    }


def gene(rng: np.random.Generator, name: str) -> dict[str, Any]:
    """A strategy's genes: indicators, conditions, risk, and a Japanese note."""
    chosen = rng.permutation(len(_INDICATORS))[: int(rng.integers(1, 5))].tolist()
    indicators = [
        {"type": _INDICATORS[each], "parameters": {"period": int(rng.integers(5, 200))}, "enabled": True}
        for each in chosen
    ]
    first = f"{indicators[0]['type']}_{int(rng.integers(5, 200))}"
    return {
        "id": name,
        "indicators": indicators,
        "entry_conditions": [{"left_operand": "close", "operator": ">", "right_operand": first}],
        "exit_conditions": [{"left_operand": first, "operator": ">=", "right_operand": 70}],
        "risk_management": {
            "stop_loss": round(float(rng.uniform(0.01, 0.05)), 4),
            "take_profit": float(rng.uniform(0.02, 0.15)),
            "position_size": 0.1,
        },
        "metadata": {"説明": "自動生成", "fitness": {"trades": None}},
    }
