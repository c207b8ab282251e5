"""Who is behind the running callback."""

from __future__ import annotations

from dash.backends._fastapi import get_current_request

from web.auth import Actor, require


def writer() -> str:
    """The name of the actor, who may change rules; a 403 problem for who may not."""
    actor: Actor = get_current_request().scope["state"]["actor"]
    require(actor, "policy:write")
    return actor.name
