"""Leases: rules that end by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Final

from store.policies import StoredPolicy
from web.policies.changes import Changes
from web.policies.keeper import LOOK_AGAIN
from web.policies.ledger import Change, lease_end
from web.policies.rollout import Applied, Begun
from web.problems import Problem

_PATIENCE: Final = 5.0  # s until it is the turn of a change that pushes nothing


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

    async def extend(self, name: str, seconds: float, *, actor: str, reason: str = "") -> StoredPolicy:
        """It ends ``seconds`` from now, whether it had a lease or not. Problems: 404, 409, 422, 503."""

        async def work(_: asyncio.Future[Begun]) -> Applied:
            stored = await self._in_force(name)
            try:
                end = self._changes.now() + timedelta(seconds=seconds)
            except OverflowError as error:
                raise Problem(422, "Too far away", "No calendar reaches that far.") from error
            change = Change("policy.lease", name, None, actor, reason)
            detail = {"expires_at": end.isoformat()}
            await asyncio.to_thread(
                self._changes.ledger.noted, change, stored.revision, detail, expires_at=end
            )
            return Applied(name, stored.revision, "applied", {})

        await self._changes.turn.run(work, None, _PATIENCE)
        return await self._changes.get(name)

    async def end(self, name: str, *, actor: str, reason: str = "", wait: float = 5.0) -> Applied:
        """Its lease is over now. Problems: 404, 409 (it has none), 503."""

        async def work(begun: asyncio.Future[Begun]) -> Applied:
            stored = await self._in_force(name)
            if stored.expires_at is None:
                raise Problem(409, "No lease", f"{name} has no lease that could end; switch it off.")
            change = replace(lease_end(stored), actor=actor, reason=reason or "the lease was ended")
            return await self._changes.carry_out(change, begun)

        return await self._changes.turn.run(work, wait)

    async def _in_force(self, name: str) -> StoredPolicy:
        stored = await self._changes.get(name)
        if not stored.enabled:
            raise Problem(409, "Not in force", f"{name} is switched off; it has no lease.")
        return stored

    async def _end(self, over: StoredPolicy) -> None:
        async def work(begun: asyncio.Future[Begun]) -> Applied:
            stored = await self._changes.get(over.name)
            left = stored.lease_left(self._changes.now())
            if left is None or left > 0:  # somebody was faster
                return Applied(stored.name, stored.revision, "applied", {}, stored)
            return await self._changes.carry_out(lease_end(stored), begun)

        await self._changes.turn.run(work, None)
