"""The server under the API: uvicorn, on this machine's own addresses alone."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from trdinger.api.guard import is_loopback
from trdinger.errors import UsageError


def loopback(host: str) -> str:
    """The host, if only this machine reaches it. Raises UsageError."""
    if not is_loopback(host):
        raise UsageError(
            f"The API listens on this machine alone for now, not on {host}: it knows no API keys yet.",
            hint="Leave --host out, or name 127.0.0.1, ::1 or localhost.",
        )
    return host


def serve(app: FastAPI, host: str, port: int) -> None:
    """Answer until Ctrl-C or SIGTERM; requests that have begun are finished. Raises UsageError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((loopback(host), port))
        except OSError as error:
            raise UsageError(
                f"Nothing can listen on {host}:{port}: {error.strerror}.", hint="Name another with --port."
            ) from None
        uvicorn.Server(uvicorn.Config(app, server_header=False, proxy_headers=False)).run([listening])
