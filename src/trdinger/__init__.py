"""Trdinger's market-data store: candles, funding rates and open interest in TimescaleDB."""

import logging

__version__ = "0.1.0"

# A library is silent unless its user listens to the logger "trdinger".
logging.getLogger(__name__).addHandler(logging.NullHandler())
