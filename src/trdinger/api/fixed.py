"""What is answered as it stands: names, defaults and descriptions of the existing application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CATEGORIES: Mapping[str, str] = {
    "trend_following": "トレンドフォロー",
    "mean_reversion": "逆張り",
    "breakout": "ブレイクアウト",
    "range_trading": "レンジ取引",
    "momentum": "モメンタム",
}

RISK_LEVELS: Mapping[str, str] = {"low": "低リスク", "medium": "中リスク", "high": "高リスク"}

BACKTEST_STRATEGIES: Mapping[str, Any] = {
    "SMA_CROSS": {
        "name": "SMA Cross Strategy",
        "description": "Simple Moving Average Crossover Strategy",
        "parameters": {
            "n1": {
                "type": "int",
                "default": 20,
                "min": 5,
                "max": 100,
                "description": "Short-term SMA period",
            },
            "n2": {
                "type": "int",
                "default": 50,
                "min": 20,
                "max": 200,
                "description": "Long-term SMA period",
            },
        },
        "constraints": ["n1 < n2"],
    },
    "RSI": {
        "name": "RSI Strategy",
        "description": "Relative Strength Index Oscillator Strategy",
        "parameters": {
            "period": {
                "type": "int",
                "default": 14,
                "min": 5,
                "max": 50,
                "description": "RSI calculation period",
            },
            "oversold": {
                "type": "int",
                "default": 30,
                "min": 10,
                "max": 40,
                "description": "Oversold threshold",
            },
            "overbought": {
                "type": "int",
                "default": 70,
                "min": 60,
                "max": 90,
                "description": "Overbought threshold",
            },
        },
        "constraints": ["oversold < overbought"],
    },
    "MACD": {
        "name": "MACD Strategy",
        "description": "Moving Average Convergence Divergence Strategy",
        "parameters": {
            "fast_period": {
                "type": "int",
                "default": 12,
                "min": 5,
                "max": 20,
                "description": "Fast EMA period",
            },
            "slow_period": {
                "type": "int",
                "default": 26,
                "min": 20,
                "max": 50,
                "description": "Slow EMA period",
            },
            "signal_period": {
                "type": "int",
                "default": 9,
                "min": 5,
                "max": 15,
                "description": "Signal line period",
            },
        },
        "constraints": ["fast_period < slow_period"],
    },
}

_GA_DEFAULT: Mapping[str, Any] = {
    "population_size": 100,
    "generations": 50,
    "crossover_rate": 0.8,
    "mutation_rate": 0.1,
    "elite_size": 10,
    "fitness_weights": {"total_return": 0.3, "sharpe_ratio": 0.4, "max_drawdown": 0.2, "win_rate": 0.1},
    "primary_metric": "sharpe_ratio",
    "max_indicators": 5,
    "allowed_indicators": ["SMA", "EMA", "RSI", "MACD", "BB", "STOCH", "CCI", "WILLIAMS", "ADX"],
    "parameter_ranges": {
        "SMA_period": [5, 200],
        "EMA_period": [5, 200],
        "RSI_period": [10, 30],
        "RSI_overbought": [70, 90],
        "RSI_oversold": [10, 30],
        "MACD_fast": [5, 20],
        "MACD_slow": [20, 50],
        "MACD_signal": [5, 15],
    },
    "fitness_constraints": {"min_trades": 10, "max_drawdown_limit": 0.3, "min_sharpe_ratio": 0.5},
    "parallel_processes": None,
    "random_state": None,
    "log_level": "INFO",
    "save_intermediate_results": True,
}

GA_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "fast": {**_GA_DEFAULT, "population_size": 50, "generations": 30, "elite_size": 5},
    "default": _GA_DEFAULT,
    "thorough": {**_GA_DEFAULT, "population_size": 200, "generations": 100, "elite_size": 20},
}
