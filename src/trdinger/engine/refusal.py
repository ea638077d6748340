"""Why a server refuses a connection, as the SQLSTATE that it gave.

libpq hands out only the text of a refusal, in the server's language. Its trace of the protocol has the
code: so the failed connection is tried once more, traced into memory. Only on Linux, and only with a
libpq of PostgreSQL 18 (psycopg's binary package brings it); elsewhere nothing is learnt.
"""

from __future__ import annotations

import os
import re
import select
import time

import psycopg
from psycopg import pq

ASK_SECONDS = 5.0  # a server that refuses does so at once; one that is silent is not worth more
_REFUSAL = re.compile(rb'ErrorResponse\t.*? C "([0-9A-Z]{5})" M "(.*?)" [A-Za-z] "', re.DOTALL)


def refusal(conninfo: str, *, seconds: float = ASK_SECONDS) -> tuple[str, str] | None:
    """The SQLSTATE and the message with which the server refuses this connection now; None if it does not."""
    if not hasattr(os, "memfd_create"):
        return None
    trace = os.memfd_create("refusal")  # in memory: a password may pass through it
    connection = pq.PGconn.connect_start(conninfo.encode())
    try:
        connection.trace(trace)
        status = _try(connection, time.monotonic() + seconds)
        connection.untrace()
        if status != pq.PollingStatus.FAILED:
            return None
        if connection.needs_password:
            return "28P01", "it asks for a password and none was given"
        found = _REFUSAL.findall(os.pread(trace, 1 << 16, 0))
    except (psycopg.Error, OSError):
        return None
    finally:
        connection.finish()
        os.close(trace)
    if not found:
        return None
    state, message = found[-1]
    return state.decode(), message.decode(errors="replace")


def _try(connection: pq.abc.PGconn, deadline: float) -> pq.PollingStatus:
    while time.monotonic() < deadline:
        status = pq.PollingStatus(connection.connect_poll())
        left = max(0.0, deadline - time.monotonic())
        if status == pq.PollingStatus.READING:
            select.select([connection.socket], [], [], left)
        elif status == pq.PollingStatus.WRITING:
            select.select([], [connection.socket], [], left)
        else:
            return status
    return pq.PollingStatus.ACTIVE
