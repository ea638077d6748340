"""`/health` and `/ready`: whether the server lives, and whether its database would answer."""

from __future__ import annotations

from fastapi import APIRouter, Request

from trdinger.api.answers import Answer
from trdinger.api.home import Here
from trdinger.errors import TrdingerError

router = APIRouter(tags=["health"])


@router.get("/health")
def health(request: Request) -> Answer:
    """That the server lives. Asks no database."""
    state = request.app.state
    return Answer({"status": "ok", "app_name": state.name, "version": state.version})


@router.get("/ready")
def ready(home: Here) -> Answer:
    """Whether the database answers and has our tables; 503 and the reason if not."""
    try:
        lacking = home.lacking()
    except TrdingerError as error:
        return Answer({"status": "unavailable", "reason": error.message}, 503)
    if lacking:
        reason = f"{home.name} lacks {', '.join(lacking)}. Move a file into it, or run: trdinger db upgrade"
        return Answer({"status": "unavailable", "reason": reason}, 503)
    return Answer({"status": "ready", "database": home.name})
