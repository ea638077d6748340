"""Where a database is: `postgresql://…`, `sqlite:///…`, or `embedded:[DIRECTORY]`.

An address prints without its password. Nothing is opened here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from psycopg import pq
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from trdinger.errors import UsageError

EXAMPLES = "Examples: postgresql://user@host:5432/trdinger, sqlite:///trdinger.db, embedded:"
# They have a place of their own in the address, where they are shown, or hidden, as they should be.
_NOT_AS_OPTIONS = frozenset({"user", "password", "dbname", "sslpassword"})


@dataclass(frozen=True)
class Address:
    """One database. `url` for a server or a SQLite file, `directory` for the embedded engine.

    A directory of None means the embedded engine's own default.
    """

    kind: Literal["postgresql", "sqlite", "embedded"]
    url: URL | None = None
    directory: Path | None = None

    def __str__(self) -> str:
        if self.kind == "embedded":
            return f"embedded:{self.directory or ''}"
        assert self.url is not None
        return self.url.set(drivername=self.kind).render_as_string(hide_password=True)


def parse_address(text: str, *, embedded: Path | None = None) -> Address:
    """Read an address. `embedded` is the directory that a bare `embedded:` means.

    Raises UsageError; its message repeats no part of a URL that could hold a password.
    """
    if text == "embedded" or text.startswith("embedded:"):
        _, _, directory = text.partition(":")
        return Address(kind="embedded", directory=Path(directory).expanduser() if directory else embedded)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError("This is not a database address.", hint=EXAMPLES) from None
    if text.partition("?")[0].count("@") > 1:
        raise UsageError("The address holds more than one @.", hint="Write an @ in a password as %40.")
    backend = url.get_backend_name()
    if backend == "sqlite":
        if url.host or url.username:
            raise UsageError("A SQLite address names a file only, after three slashes.", hint=EXAMPLES)
        return Address(kind="sqlite", url=url.set(drivername="sqlite"))
    if backend in ("postgresql", "postgres"):
        return Address(kind="postgresql", url=_checked(url.set(drivername="postgresql+psycopg")))
    raise UsageError("Only PostgreSQL, SQLite and the embedded TimescaleDB are supported.", hint=EXAMPLES)


def postgresql_address(*, host: str, port: int, database: str, user: str, password: str | None) -> Address:
    """The address of a server from its parts."""
    url = URL.create(
        "postgresql+psycopg", username=user, password=password, host=host, port=port, database=database
    )
    return Address(kind="postgresql", url=url)


def _checked(url: URL) -> URL:
    if not url.database:
        raise UsageError("The address names no database.", hint=EXAMPLES)
    if url.port is not None and not 1 <= url.port <= 65535:
        raise UsageError("The address's port is not between 1 and 65535.", hint=EXAMPLES)
    if isinstance(password := url.query.get("password"), str):
        url = url.set(password=password).difference_update_query(["password"])
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()} - _NOT_AS_OPTIONS
    if not known.issuperset(url.query):
        raise UsageError("The address has an option after the ? that is not taken there.", hint=EXAMPLES)
    return url
