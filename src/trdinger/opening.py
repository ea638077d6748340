"""`trdinger.open`: a store by its address, with the settings that the commands have, too."""

from __future__ import annotations

from trdinger.cache.files import Files
from trdinger.settings import load
from trdinger.store.asynchronous import AsyncStore
from trdinger.store.opening import open_store
from trdinger.store.store import Store


def open(address: str | None = None, *, archive: str | None = None) -> Store:  # noqa: A001  # trdinger.open
    """The store at `address`: postgresql://…, sqlite:///…, or embedded:[DIRECTORY].

    Without one: what DATABASE_URL or DB_HOST names if that is PostgreSQL, else the embedded TimescaleDB.
    An embedded one is started if none serves that directory, and ends with the store.
    archive: where rows that left it are, a folder or a URL that fsspec knows; default: TRDINGER_ARCHIVE.
    Raises UsageError for what is no address, SettingsError, SourceError, TargetError.
    """
    settings = load()
    files = Files(settings.cache_folder, settings.cache_bytes) if settings.cache_bytes else None
    held = archive or settings.trdinger_archive
    return open_store(settings.target(address), settings.options, held, files=files)


def open_async(address: str | None = None, *, connections: int = 4, archive: str | None = None) -> AsyncStore:
    """The store at `address` for an event loop; its questions are awaited. As `open`, at the first question.

    connections: how many questions are answered at once; one over the embedded TimescaleDB.
    """
    single = load().target(address).kind == "embedded"
    return AsyncStore(lambda: open(address, archive=archive), 1 if single else connections)
