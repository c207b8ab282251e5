"""What a policy goes back to when it is taken back."""

from __future__ import annotations

import asyncio

from pydantic import ValidationError

from proxy_plugin.policy import TrafficPolicy
from store.policies import StoredPolicy
from web.policies.changes import Changes
from web.policies.plan import Planner
from web.policies.schedule import Progress


class Back:
    """Finds the revision before a change; of a schedule, the one before its first step."""

    def __init__(self, changes: Changes, planner: Planner) -> None:
        self._changes, self._planner = changes, planner

    async def of(self, stored: StoredPolicy) -> TrafficPolicy:
        """That policy; itself switched off where there was none, or it is no longer valid in the mesh."""
        off = stored.policy().model_copy(update={"enabled": False})
        to = Progress.of(stored.steps).back_to if stored.steps else None
        if stored.steps and to is None:
            return off
        found = await asyncio.to_thread(self._changes.ledger.rollback_target, stored.name, to)
        if found is None or found.after is None:
            return off
        try:
            before = TrafficPolicy.model_validate(found.after)
        except ValidationError:
            return off
        if not before.enabled:
            return before
        others = self._changes.readable(await self._changes.policies(), without=stored.name)
        plan = await self._planner.plan(before, stored, others)
        return before if plan.valid else off
