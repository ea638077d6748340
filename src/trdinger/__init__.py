"""Trdinger's market-data store: candles, funding rates and open interest in TimescaleDB."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trdinger.opening import open, open_async  # noqa: A004, F401

__version__ = "0.1.0"

# A library is silent unless its user listens to the logger "trdinger".
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    """`open` and `open_async` when they are first asked for: the command line starts without them."""
    if name in {"open", "open_async"}:
        return getattr(importlib.import_module("trdinger.opening"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
