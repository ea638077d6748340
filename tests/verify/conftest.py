"""A moved target for each engine and module, which tests damage and mend again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engines import EngineUnderTest
from move.moving import move, verified
from trdinger.engine.connect import Database
from trdinger.sample import SampleOptions, write_sample
from trdinger.verify.differences import Difference, Proof


@dataclass(frozen=True)
class Target:
    """A file and the database that holds it."""

    source: Path
    database: Database

    def connect(self) -> psycopg.Connection[Any]:
        """A session that commits each statement."""
        return psycopg.connect(self.database.conninfo, autocommit=True)

    def verify(self) -> Proof:
        """What a verification finds."""
        return verified(self.source, self.database)

    def differences(self) -> list[Difference]:
        """The differences of all tables; nothing but values may be wrong."""
        proof = self.verify()
        assert proof.structure == []
        assert proof.equal == (not proof.differing)
        return [difference for table in proof.tables for difference in table.shown]

    def compress(self, connection: psycopg.Connection[Any]) -> None:
        """Compress whatever is uncompressed, where the server can: a damage is then inside a batch."""
        if not self.database.capabilities.has("compression"):
            return
        chunks = connection.execute(
            "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks"
        ).fetchall()
        for (chunk,) in chunks:
            connection.execute("SELECT compress_chunk(%s, if_not_compressed => true)", (chunk,))
            assert connection.execute(f"SELECT count(*) FROM ONLY {chunk}").fetchone() == (0,)


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, engines: Any) -> EngineUnderTest:
    """Each chosen engine in turn, running; kept for a whole module."""
    return engines.running(request.param)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def target(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A small moved file; a test that damages the target mends it again."""
    source = tmp_path_factory.mktemp("verify") / "trdinger.db"
    options = SampleOptions(rows=900, symbols=("BTC/USDT:USDT", "ETH/USDT:USDT"), timeframes=("1h", "1d"))
    write_sample(source, options)
    with engine.empty() as database:
        assert move(source, database).equal
        fresh = database.fresh()
        assert fresh.capabilities  # read now: inside a connection, one session has no second
        yield Target(source, fresh)
