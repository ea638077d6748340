"""The ASGI application: the endpoints, who may ask, and what becomes of an error."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware

import trdinger
from trdinger.api import backtests, candles, collection, derivatives, experiments, health, reset, showcase
from trdinger.api.answers import Answer
from trdinger.api.guard import Guard
from trdinger.api.home import Home
from trdinger.errors import TrdingerError

_ROOMS = (candles, derivatives, collection, reset, backtests, experiments, showcase, health)
_logger = logging.getLogger(__name__)


def application(home: Home, *, name: str, version: str, origins: Sequence[str]) -> FastAPI:
    """The API over a database.

    name, version: what /health says, as clients know it. origins: whose pages may ask, besides this
    machine's own.
    """
    app = FastAPI(title=name, version=version, summary=f"trdinger {trdinger.__version__}")
    for room in _ROOMS:
        router: APIRouter = room.router
        app.include_router(router)
    app.state.home = home
    app.state.name, app.state.version = name, version
    app.add_exception_handler(TrdingerError, _told)
    app.add_middleware(Guard, origins=origins)
    app.add_middleware(  # around the guard, so that its answers can be read, too
        CORSMiddleware,
        allow_origins=origins,
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        max_age=600,
    )
    return app


async def _told(request: Request, error: Exception) -> Answer:
    """What the database refused, in a sentence; what is to be done about it is the log's."""
    assert isinstance(error, TrdingerError)
    _logger.error("%s %s: %s", request.method, request.url.path, error)
    return Answer({"detail": f"Internal server error: {error.message}"}, 500)
