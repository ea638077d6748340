"""Targets that each move finds empty."""

from __future__ import annotations

from typing import Any

import pytest

from proof.targets import Databases, Directories, Place


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """The name of each chosen engine in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def place(engine: str, engines: Any, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """New targets of each chosen engine."""
    if engine == "embedded":
        if reason := engines.all[engine].absent():
            pytest.skip(f"{engine}: {reason}")
        return Directories(tmp_path_factory.mktemp("embedded"))
    return Databases(engines.running(engine))
