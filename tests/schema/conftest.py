"""A database that the migrations have been over, and the schema of a SQLite file as data."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from trdinger import schema
from trdinger.engine.connect import Database

Objects = dict[tuple[str, str], str]


@pytest.fixture
def migrated(database: Database) -> Database:
    """The empty database of each engine, upgraded; no connection is left open."""
    upgrade(database)
    fresh = database.fresh()
    assert fresh.capabilities  # read now: inside a connection, one session has no second
    return fresh


@pytest.fixture
def objects() -> Callable[[Path], Objects]:
    """Tables and indexes of a SQLite file by (type, name), their SQL with single spaces, Alembic's apart."""
    return _objects


def upgrade(database: Database, revision: str = "head") -> None:
    """Upgrade with an engine that is gone afterwards: an engine with one session has no second."""
    engine = database.engine()
    try:
        schema.upgrade(engine, revision)
    finally:
        engine.dispose()


def differences(database: Database) -> tuple[str, ...]:
    """What check() would say, with an engine that is gone afterwards."""
    engine = database.engine()
    try:
        return schema.differences(engine)
    finally:
        engine.dispose()


def _objects(file: Path) -> Objects:
    connection = sqlite3.connect(file)
    try:
        rows = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    finally:
        connection.close()
    return {
        (kind, name): re.sub(r"\s+", " ", sql).strip()
        for kind, name, sql in rows
        if "alembic_version" not in name
    }
