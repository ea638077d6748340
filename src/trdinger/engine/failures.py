"""What a driver's error means, in a sentence. By SQLSTATE, never by the text of a message.

`speaking` wraps a block that talks to a server: whatever psycopg, ADBC or SQLAlchemy raise
in it leaves as a TargetError, Transient where the same step may be tried again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import psycopg
from adbc_driver_manager import Error as AdbcError
from adbc_driver_manager import OperationalError as AdbcOperationalError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from trdinger.engine.refusal import refusal
from trdinger.errors import EngineBusy, TargetError, Transient

_TRANSIENT = ("08", "40", "57P0")
_BUSY = ("53300", "55P03")
_HINTS: dict[str, tuple[str, str]] = {
    "28P01": ("refused the password", "Check the user and the password in the address or in DB_PASSWORD."),
    "28000": ("refused the user", "Check the user in the address, and the server's pg_hba.conf."),
    "3D000": ("has no such database", "Create it (createdb), or name another in the address."),
    "42501": ("did not permit it", "Connect as the owner of the database, or have the right granted."),
    "53100": ("has no disk space left", "Free space on the server, then run the same command again."),
    "53200": ("ran out of memory", "Give it more memory, then run the same command again."),
    "53300": ("has no connection left", "Close some, raise max_connections, or lower DB_POOL_SIZE."),
    "57014": (
        "cancelled the statement",
        "If DB_STATEMENT_TIMEOUT was its limit, raise it and run it again.",
    ),
    "25006": ("is read-only", "Name the primary server in the address."),
    "55P03": (
        "has a table locked",
        "End the session that holds the lock, then run the same command again.",
    ),
}


@runtime_checkable
class _Reachable(Protocol):
    @property
    def conninfo(self) -> str: ...


@contextmanager
def speaking(where: object, *, established: bool = False) -> Iterator[None]:
    """Turn drivers' errors inside the block into TargetErrors that name `where` (printed without secrets).

    established: the block has its session already, so one that is gone was lost and not refused.
    """
    try:
        yield
    except (psycopg.Error, AdbcError, DBAPIError, PoolTimeout) as error:
        raise translate(error, where, established=established) from error


def translate(error: Exception, where: object, *, established: bool = False) -> TargetError:
    """The TargetError that says what `error` means; established: as in `speaking`."""
    if isinstance(error, PoolTimeout):
        return EngineBusy(
            f"{where}: no pooled connection became free in time.",
            hint="Raise DB_POOL_SIZE, DB_MAX_OVERFLOW or DB_POOL_TIMEOUT.",
        )
    cause: BaseException = error.orig if isinstance(error, DBAPIError) and error.orig else error
    state = getattr(cause, "sqlstate", None) or None
    said = _first_line(cause)
    lost = state is None and isinstance(cause, psycopg.OperationalError | AdbcOperationalError)
    if lost and isinstance(where, _Reachable) and not isinstance(cause, psycopg.errors.ConnectionTimeout):
        state, said = refusal(where.conninfo) or (None, said)
    if state in _HINTS:
        what, hint = _HINTS[state]
        kind = EngineBusy if state in _BUSY else TargetError
        return kind(f"{where} {what}: {said}.", hint=hint, sqlstate=state)
    if (established and lost and state is None) or (state is not None and state.startswith(_TRANSIENT)):
        return Transient(
            f"The connection to {where} was lost: {said}.",
            hint="Run the same command again; it goes on where it stopped.",
            sqlstate=state,
        )
    if state is None and lost:
        return Transient(
            f"{where} cannot be reached: {said}.",
            hint="Check that the server runs, and the host and port in the address.",
        )
    return TargetError(f"{where} answered: {said}.", sqlstate=state)


def _first_line(error: BaseException) -> str:
    diagnosis = getattr(error, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(error).strip() or type(error).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")
