"""The nine tables as typed SQLAlchemy models, one metadata for every database.

On SQLite `create_all` makes what the existing application made, index for index. On
PostgreSQL the three series have their natural key as primary key, and of the indexes
those that some question needs. No rules about values: nothing here validates.
"""

from __future__ import annotations

from trdinger.schema.models.base import Base, NaturalKey, UtcDateTime
from trdinger.schema.models.research import (
    BacktestResult,
    GAExperiment,
    GeneratedStrategy,
    StrategyShowcase,
    StrategyTemplate,
)
from trdinger.schema.models.series import DataCollectionLog, FundingRateData, OHLCVData, OpenInterestData

__all__ = [
    "BacktestResult",
    "Base",
    "DataCollectionLog",
    "FundingRateData",
    "GAExperiment",
    "GeneratedStrategy",
    "NaturalKey",
    "OHLCVData",
    "OpenInterestData",
    "StrategyShowcase",
    "StrategyTemplate",
    "UtcDateTime",
]
