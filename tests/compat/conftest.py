"""The same databases as the records' tests have."""

from __future__ import annotations

from records.conftest import Ask, ask, home, pytest_generate_tests, session

__all__ = ["Ask", "ask", "home", "pytest_generate_tests", "session"]
