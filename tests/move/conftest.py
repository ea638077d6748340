"""Engines by module, so that a moved target can be shared; and the files that get moved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engines import EngineUnderTest
from move.samples import small_sample


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, engines: object) -> EngineUnderTest:
    """Each chosen engine in turn, running; kept for a whole module."""
    return engines.running(request.param)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample with rows in every table, written once: copy it."""
    return small_sample(tmp_path_factory.mktemp("sample") / "trdinger.db")


@pytest.fixture
def source(small_file: Path, tmp_path: Path) -> Path:
    """A private copy of the small sample."""
    return Path(shutil.copy(small_file, tmp_path / "trdinger.db"))
