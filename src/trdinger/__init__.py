"""Trdinger's market-data store: candles, funding rates and open interest in TimescaleDB."""

__version__ = "0.1.0"
