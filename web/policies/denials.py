"""Attempts to change something that were refused with 401 or 403 are entries of the audit log.

Anybody can make attempts, and the log keeps what it has: at most MOST of them are written down in PERIOD seconds. The
next one that is says how many were not.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.gate import SAFE_METHODS

MOST: Final = 60
PERIOD: Final = 60.0  # s
_API: Final = "/api/v1/"
_POLICIES: Final = "/api/v1/policies/"

Record = Callable[[str, str, str, Mapping[str, Any]], Awaitable[None]]
"""Writes one down: actor, action, subject, detail."""


class Denials:
    """Around the gate. ``clock``: s."""

    def __init__(self, app: ASGIApp, record: Record, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._record, self._clock = app, record, clock
        self._began, self._count, self._unrecorded = clock(), 0, 0
        self._log = structlog.get_logger(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; writes down before a refusal is answered."""
        if not _changes(scope):
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (401, 403):
                await self._note(scope, message["status"])
            await send(message)

        await self._app(scope, receive, sending)

    async def _note(self, scope: Scope, status: int) -> None:
        now = self._clock()
        if now - self._began >= PERIOD:
            self._began, self._count = now, 0
        if self._count >= MOST:
            self._unrecorded += 1
            return
        self._count += 1
        unrecorded, self._unrecorded = self._unrecorded, 0
        who = scope.get("state", {}).get("actor")
        detail = {"status": status, "method": scope["method"], "path": scope["path"][:500]}
        detail |= {"client": (scope.get("client") or ("",))[0]}
        if unrecorded:
            detail["unrecorded"] = unrecorded
        try:
            await self._record(who.name if who else "nobody", "api.write", _subject(scope["path"]), detail)
        except Exception:  # the refusal stands, whatever becomes of the note
            self._log.exception("denial_not_written_down")


def _changes(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] not in SAFE_METHODS and scope["path"].startswith(_API)


def _subject(path: str) -> str:
    """The policy that was meant, else the path."""
    if path.startswith(_POLICIES):
        return unquote(path.removeprefix(_POLICIES).partition("/")[0])
    return path
