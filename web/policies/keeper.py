"""What happens to policies by itself, when its time has come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from web.policies.changes import Changes
from web.problems import Problem

LOOK_AGAIN = 5.0  # s; a timer stands still while the machine sleeps; the wall clock does not
_RETRY = 1.0


class Duty(Protocol):
    """One thing that happens by itself."""

    async def look(self) -> float:
        """Do what is due; seconds until it is worth looking again."""


class Keeper:
    """Looks after its duties."""

    def __init__(self, changes: Changes, duties: Sequence[Duty]) -> None:
        self._changes, self._duties = changes, duties
        self._log = structlog.get_logger(__name__)

    async def keep(self) -> None:
        """Runs until it is cancelled; what one duty cannot do keeps none of the others from theirs."""
        while True:
            self._changes.news.clear()
            pause = min([await self._look(duty) for duty in self._duties], default=LOOK_AGAIN)
            try:
                async with asyncio.timeout(pause):
                    await self._changes.news.wait()
            except TimeoutError:
                pass

    async def _look(self, duty: Duty) -> float:
        try:
            return await duty.look()
        except Problem as problem:
            self._log.error("not_kept", duty=type(duty).__name__, reason=problem.detail)
        except Exception:
            self._log.exception("not_kept", duty=type(duty).__name__)
        return _RETRY
