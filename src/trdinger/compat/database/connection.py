"""The application's engine and sessions, made once, when this is imported.

Which database: DATABASE_URL, else DB_HOST and its companions, from the environment or .env; else
`trdinger.db` in the working directory. `embedded:` is started if nobody serves it, and ends with the program.
Sessions of a server speak UTC.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterator
from contextlib import ExitStack

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from trdinger import schema
from trdinger.engine.address import Address
from trdinger.engine.connect import ConnectionOptions, sqlite_engine
from trdinger.engine.open import open_database
from trdinger.schema.models import Base
from trdinger.settings import load

__all__ = [
    "DATABASE_URL",
    "Base",
    "SessionLocal",
    "check_db_initialized",
    "engine",
    "ensure_db_initialized",
    "get_db",
    "init_db",
    "test_connection",
]

_logger = logging.getLogger(__name__)


def get_db() -> Iterator[Session]:
    """A session, closed when who asked for it is done."""
    session = SessionLocal()
    try:
        yield session
    finally:
        session.close()


def init_db() -> None:
    """Make what is missing: on a server our schema with hypertables; anywhere the tables of every model.

    Raises what the database refuses, after logging it; on a server also tables that no migration made.
    """
    try:
        if engine.dialect.name != "sqlite":
            schema.upgrade(engine)
        Base.metadata.create_all(engine)  # on a server only what the application's own models add
    except Exception:
        _logger.exception("The database was not initialized.")
        raise


def test_connection() -> bool:
    """Whether the database answers."""
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except Exception:
        _logger.exception("The database does not answer.")
        return False
    return True


def check_db_initialized() -> bool:
    """Whether the table of candles is there; False also where the database does not answer."""
    try:
        return sa.inspect(engine).has_table("ohlcv_data")
    except Exception:
        _logger.exception("The database does not tell its tables.")
        return False


def ensure_db_initialized() -> bool:
    """Whether the database answers and has its tables, made now if need be. Never raises."""
    if not test_connection():
        return False
    if check_db_initialized():
        return True
    try:
        init_db()
    except Exception:  # it was logged
        return False
    return check_db_initialized()


def _engine(address: Address, options: ConnectionOptions) -> sa.Engine:
    if address.kind == "sqlite":
        assert address.url is not None
        return sqlite_engine(address.url, options)
    with ExitStack() as opened:
        made = opened.enter_context(open_database(address, options)).engine()
        opened.callback(made.dispose)
        atexit.register(opened.pop_all().close)
        return made


_settings = load()
engine = _engine(_settings.application(), _settings.options)
DATABASE_URL = engine.url.set(drivername=engine.url.get_backend_name()).render_as_string(hide_password=False)
SessionLocal = sessionmaker(bind=engine, autoflush=False)
