"""The nine tables' models, as the application names them. Each has `to_dict`."""

from __future__ import annotations

from trdinger.schema.models import (
    BacktestResult,
    Base,
    DataCollectionLog,
    FundingRateData,
    GAExperiment,
    GeneratedStrategy,
    OHLCVData,
    OpenInterestData,
    StrategyShowcase,
    StrategyTemplate,
)

__all__ = [
    "BacktestResult",
    "Base",
    "DataCollectionLog",
    "FundingRateData",
    "GAExperiment",
    "GeneratedStrategy",
    "OHLCVData",
    "OpenInterestData",
    "StrategyShowcase",
    "StrategyTemplate",
]
