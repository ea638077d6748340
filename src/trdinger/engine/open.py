"""From an address to a database that answers: a server as it is, the embedded engine started if need be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy.engine import make_url

from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions, Database
from trdinger.engine.embedded import server
from trdinger.errors import UsageError


@contextmanager
def open_database(address: Address, options: ConnectionOptions) -> Iterator[Database]:
    """The database at `address`. An embedded engine that this starts ends with the block.

    Raises UsageError for SQLite, which is a source and not a target, and TargetError.
    """
    if address.kind == "sqlite":
        raise UsageError(
            f"{address} is SQLite; what is asked for needs PostgreSQL or the embedded TimescaleDB.",
            hint="Name it with --to postgresql://… or --to embedded:",
        )
    if address.kind == "embedded":
        directory = address.directory or server.DEFAULT_DATA_DIRECTORY
        with server.running(directory) as engine:
            # Clients wait for their turn there; who waits in vain should hear who has it.
            turn = int(server.PATIENCE.total_seconds()) + 5
            patient = replace(options, connect_timeout=max(options.connect_timeout, turn))
            yield Database(make_url(engine.url), patient, sessions=1)
        return
    assert address.url is not None
    yield Database(address.url, options)
