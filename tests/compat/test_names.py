"""Every name that the application imports is there, with its parameters and their defaults."""

from __future__ import annotations

import importlib
import inspect
import sys

import pytest
from sqlalchemy.orm import Session

from trdinger.compat.database import adopt

RANGE = "start_time=None, end_time=None, limit=None"
REPOSITORIES = {
    "base_repository.BaseRepository": """
        bulk_insert_with_conflict_handling(records, conflict_columns)
        get_latest_timestamp(column, filters=None)
        get_oldest_timestamp(column, filters=None)
        get_record_count(filters=None)
        get_date_range(column, filters=None)
        get_available_symbols(symbol_column='symbol')""",
    "ohlcv_repository.OHLCVRepository": f"""
        insert_ohlcv_data(records)
        get_ohlcv_data(symbol, timeframe, {RANGE})
        get_ohlcv_dataframe(symbol, timeframe, {RANGE})
        get_latest_timestamp(symbol, timeframe)
        get_oldest_timestamp(symbol, timeframe)
        get_date_range(symbol, timeframe)
        get_data_count(symbol, timeframe)
        count_records(symbol, timeframe)
        clear_all_ohlcv_data()
        clear_ohlcv_data_by_symbol(symbol)
        clear_ohlcv_data_by_timeframe(timeframe)
        validate_ohlcv_data(records)
        sanitize_ohlcv_data(records)
        get_available_symbols(symbol_column='symbol')""",
    "funding_rate_repository.FundingRateRepository": f"""
        insert_funding_rate_data(records)
        get_funding_rate_data(symbol, {RANGE})
        get_funding_rate_dataframe(symbol, {RANGE})
        get_latest_funding_timestamp(symbol)
        get_funding_rate_count(symbol)
        clear_all_funding_rate_data()
        clear_funding_rate_data_by_symbol(symbol)""",
    "open_interest_repository.OpenInterestRepository": f"""
        insert_open_interest_data(records)
        get_open_interest_data(symbol, {RANGE})
        get_latest_open_interest_timestamp(symbol)
        get_open_interest_count(symbol)
        clear_all_open_interest_data()
        clear_open_interest_data_by_symbol(symbol)""",
    "data_collection_log_repository.DataCollectionLogRepository": """
        log_collection(symbol, timeframe, start_time, end_time, records_collected, status, error_message=None)
        get_recent_logs(limit=100)""",
    "backtest_result_repository.BacktestResultRepository": """
        save_backtest_result(result_data)
        get_backtest_results(limit=50, offset=0, symbol=None, strategy_name=None)
        count_backtest_results(symbol=None, strategy_name=None)
        get_backtest_result_by_id(result_id)
        delete_backtest_result(result_id)
        get_backtest_results_by_strategy(strategy_name)
        get_backtest_results_by_symbol(symbol)
        get_recent_backtest_results(limit=10)
        get_performance_summary()
        cleanup_old_results(days_to_keep=30)""",
    "ga_experiment_repository.GAExperimentRepository": """
        create_experiment(name, config, total_generations, status='running')
        update_experiment_progress(experiment_id, current_generation, progress, best_fitness=None)
        update_experiment_status(experiment_id, status, completed_at=None)
        complete_experiment(experiment_id, best_fitness, final_generation)
        get_experiment_by_id(experiment_id)
        get_experiments_by_status(status, limit=None)
        get_recent_experiments(limit=10)
        get_experiment_statistics()""",
    "generated_strategy_repository.GeneratedStrategyRepository": """
        save_strategy(experiment_id, gene_data, generation, fitness_score=None, parent_ids=None, \
backtest_result_id=None)
        save_strategies_batch(strategies_data)
        get_strategies_by_experiment(experiment_id, generation=None, limit=None)
        get_strategies_by_generation(experiment_id, generation)
        get_best_strategies(experiment_id=None, limit=10)
        update_fitness_score(strategy_id, fitness_score)
        update_backtest_result(strategy_id, backtest_result_id)
        get_strategy_by_id(strategy_id)
        get_generation_statistics(experiment_id, generation)
        delete_strategies_by_experiment(experiment_id)""",
}
MODELS = (
    "OHLCVData FundingRateData OpenInterestData DataCollectionLog BacktestResult GAExperiment"
    " GeneratedStrategy StrategyShowcase StrategyTemplate"
)
CONNECTION = (
    "DATABASE_URL engine SessionLocal Base get_db init_db test_connection check_db_initialized"
    " ensure_db_initialized"
)


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_repository_has_every_method_with_its_parameters(name: str) -> None:
    module, _, repository = name.partition(".")
    found = getattr(importlib.import_module(f"trdinger.compat.database.repositories.{module}"), repository)
    for line in REPOSITORIES[name].strip().splitlines():
        method, _, parameters = line.strip().partition("(")
        declared = inspect.signature(getattr(found, method)).parameters.values()
        plain = [
            str(one.replace(annotation=inspect.Parameter.empty)) for one in declared if one.name != "self"
        ]
        assert ", ".join(plain) == parameters.removesuffix(")"), method
    made = found(Session()) if repository != "BaseRepository" else found(Session(), object)
    assert isinstance(made.db, Session)
    assert made.model_class is not None


def test_the_package_is_adopted_under_the_application_s_name() -> None:
    try:
        adopt("application_database")
        connection = importlib.import_module("application_database.connection")
        models = importlib.import_module("application_database.models")
        repositories = importlib.import_module("application_database.repositories")
        assert connection is importlib.import_module("trdinger.compat.database.connection")
        assert models.Base is connection.Base
        assert all(hasattr(models, name) for name in MODELS.split())
        assert all(hasattr(connection, name) for name in CONNECTION.split())
        for name in REPOSITORIES:
            module, _, repository = name.partition(".")
            one = importlib.import_module(f"application_database.repositories.{module}")
            assert getattr(one, repository) is getattr(repositories, repository)
    finally:
        for name in [name for name in sys.modules if name.startswith("application_database")]:
            del sys.modules[name]
