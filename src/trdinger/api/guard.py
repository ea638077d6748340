"""Who may ask: clients on this machine, by its own names.

A page of another site that a browser on this machine shows cannot ask: not by its own name made to point here
(the name in `Host`), and not across sites (the one in `Origin`, unless the settings allow it).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from trdinger.api.answers import Answer


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine alone."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI around the application: refuses with 403 what is asked under a foreign name."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (refusal := self._refusal(scope)) is None:
            await self._app(scope, receive, send)
            return
        status, told = refusal
        await Answer({"detail": told}, status)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not is_loopback(_hostname(f"//{hosts[0]}")):
            return 403, "This server answers under this machine's own names alone: 127.0.0.1, localhost."
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if any(one not in self._origins and not is_loopback(_hostname(one)) for one in origins):
            return 403, "Pages of this origin may not ask here; CORS_ORIGINS names those that may."
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return 400, "A NUL character is nowhere in what is stored."
        return None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
