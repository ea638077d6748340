"""The application's repositories. Each is made from a session; what it changes it commits."""

from __future__ import annotations

from trdinger.compat.database.repositories.backtest_result_repository import BacktestResultRepository
from trdinger.compat.database.repositories.base_repository import BaseRepository
from trdinger.compat.database.repositories.data_collection_log_repository import DataCollectionLogRepository
from trdinger.compat.database.repositories.funding_rate_repository import FundingRateRepository
from trdinger.compat.database.repositories.ga_experiment_repository import GAExperimentRepository
from trdinger.compat.database.repositories.generated_strategy_repository import GeneratedStrategyRepository
from trdinger.compat.database.repositories.ohlcv_repository import OHLCVRepository
from trdinger.compat.database.repositories.open_interest_repository import OpenInterestRepository

__all__ = [
    "BacktestResultRepository",
    "BaseRepository",
    "DataCollectionLogRepository",
    "FundingRateRepository",
    "GAExperimentRepository",
    "GeneratedStrategyRepository",
    "OHLCVRepository",
    "OpenInterestRepository",
]
