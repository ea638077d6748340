"""The existing application's package `database`: connection, models, repositories.

# database/__init__.py of the application, all of it; see docs/adopting.md
from trdinger.compat.database import adopt
adopt(__name__)
"""

from __future__ import annotations

import importlib
import pkgutil
import sys


def adopt(name: str) -> None:
    """Let a package be this one: `import name`, and its modules, are these here.

    Imports all of them, and so makes the engine. Patching `name.connection.SessionLocal` patches it for all.
    """
    sys.modules[name] = sys.modules[__name__]
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        sys.modules[name + module.name.removeprefix(__name__)] = importlib.import_module(module.name)
