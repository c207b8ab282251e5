"""Leases: rules that end by themselves."""

from __future__ import annotations

import asyncio

from store.policies import StoredPolicy
from web.changes import Changes
from web.keeper import LOOK_AGAIN
from web.ledger import lease_end
from web.rollout import Applied, Begun


class Leases:
    """Ends leases when they are over."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def look(self) -> float:
        """Ends what is over; seconds until it is worth looking again."""
        pause = LOOK_AGAIN
        for stored in await self._changes.policies():
            left = stored.lease_left(self._changes.now())
            if left is not None and left <= 0 and self._changes.readable([stored]):
                await self._end(stored)
            elif left is not None and left > 0:
                pause = min(pause, left)
        return pause

    async def _end(self, over: StoredPolicy) -> None:
        async def work(begun: asyncio.Future[Begun]) -> Applied:
            stored = await self._changes.get(over.name)
            left = stored.lease_left(self._changes.now())
            if left is None or left > 0:  # somebody was faster
                return Applied(stored.name, stored.revision, "applied", {}, stored)
            return await self._changes.carry_out(lease_end(stored), begun)

        await self._changes.turn.run(work, None)
