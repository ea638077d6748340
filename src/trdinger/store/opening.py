"""From an address to a store."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from trdinger.archive.archive import Archive
from trdinger.archive.place import place
from trdinger.cache.files import Files
from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions
from trdinger.engine.open import open_database
from trdinger.legacy.source import Source
from trdinger.store.postgres import postgres_side
from trdinger.store.side import Side
from trdinger.store.sqlite import sqlite_side
from trdinger.store.store import Store


def open_store(
    address: Address, options: ConnectionOptions, archive: str | None = None, *, files: Files | None = None
) -> Store:
    """A store of what is at `address`; archive: the folder or URL of the rows that left it.

    files: where months that were read are kept on this machine.

    The embedded engine is started if none serves that directory, and ends with the store.
    Raises SourceError, TargetError.
    """
    held = Archive(place(archive)) if archive else None
    with ExitStack() as opened:
        side: Side
        if address.kind == "sqlite":
            assert address.url is not None
            side = opened.enter_context(sqlite_side(Source(Path(address.url.database or ""))))
        else:
            database = opened.enter_context(open_database(address, options, writes=False))
            side = opened.enter_context(postgres_side(database, files))
        return Store(side, str(address), opened.pop_all().close, held)
