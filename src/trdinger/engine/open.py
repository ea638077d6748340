"""From an address to a database that answers: a server as it is, the embedded engine started if need be."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import make_url

from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions, Database
from trdinger.engine.embedded import server
from trdinger.errors import UsageError


@contextmanager
def open_database(address: Address, options: ConnectionOptions, *, writes: bool = True) -> Iterator[Database]:
    """The database at `address`. An embedded engine that this starts ends with the block.

    writes: False for who only looks; an embedded database that is not there yet is then not made,
    an empty one that passes with the block stands for it.
    Raises UsageError for SQLite, which is a source and not a target, and TargetError.
    """
    if address.kind == "sqlite":
        raise UsageError(
            f"{address} is SQLite; what is asked for needs PostgreSQL or the embedded TimescaleDB.",
            hint="Name it with --to postgresql://… or --to embedded:",
        )
    if address.kind == "embedded":
        directory = (address.directory or server.DEFAULT_DATA_DIRECTORY).absolute()
        with ExitStack() as stack:
            opened = directory
            if not writes and not directory.exists():
                opened = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trdinger-")))
            engine = stack.enter_context(server.running(opened))
            # Clients wait for their turn there; who waits in vain should hear who has it.
            turn = int(server.PATIENCE.total_seconds()) + 5
            patient = replace(options, connect_timeout=max(options.connect_timeout, turn))
            yield Database(make_url(engine.url), patient, sessions=1, name=f"embedded:{directory}")
        return
    assert address.url is not None
    yield Database(address.url, options)
