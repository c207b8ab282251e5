"""Guards: a change that makes things worse is taken back at once. What "worse" means: ``web.policies.verdict``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Protocol

from proxy_plugin.policy import Guard, TrafficPolicy
from store.policies import StoredPolicy
from web.policies import verdict
from web.policies.back import Back
from web.policies.changes import Changes
from web.policies.keeper import LOOK_AGAIN
from web.policies.ledger import SYSTEM, Change
from web.policies.rollout import Applied, Begun
from web.policies.schedule import Progress
from web.policies.verdict import Reading, Side, Watch

_EVERY = 1.0  # s; windows are aligned on seconds


class Figures(Protocol):
    """Reads what the callers of a policy's target see, or the target itself."""

    def read(
        self, policy: TrafficPolicy, guard: Guard, side: Side, start: int, end: int, now: float
    ) -> Reading:
        """Calls and figure of ``[start, end)``, unix s. Blocks."""


class Guards:
    """Watches policies that were changed and have a guard.

    How far each is stands in the store: a start goes on where the stop was, and judges again what was not taken back.
    """

    def __init__(self, changes: Changes, figures: Figures, back: Back) -> None:
        self._changes, self._figures, self._back = changes, figures, back

    async def look(self) -> float:
        """Judge what is watched; seconds until it is worth looking again."""
        watched = [each for each in await self._changes.policies() if _watching(each)]
        for stored in watched:
            if any(map(self._changes.knows, self._changes.readable([stored]))):
                await self._judge(stored)
        return _EVERY if watched else LOOK_AGAIN

    async def _judge(self, stored: StoredPolicy) -> None:
        policy, now = stored.policy(), self._changes.now().timestamp()
        if policy.guard is None or stored.guard is None:
            return
        before = Watch.of(stored.guard)
        read = partial(self._figures.read, policy, policy.guard, now=now)
        found = await asyncio.to_thread(verdict.judged, policy.guard, before, now, read)
        if (
            found.state == "broken"
        ):  # written down with what takes it back, so that a crash in between loses nothing
            await self._take_back(stored, policy.guard, found)
        elif found != before:
            await asyncio.to_thread(
                self._changes.ledger.note, stored.name, stored.revision, guard=found.document()
            )

    async def _take_back(self, broken: StoredPolicy, guard: Guard, found: Watch) -> None:
        reason = verdict.said(guard, found)

        async def work(begun: asyncio.Future[Begun]) -> Applied:
            stored = await self._changes.get(broken.name)
            if stored.revision != broken.revision or not _watching(stored):  # somebody was faster
                return Applied(stored.name, stored.revision, "applied", {}, stored)
            progress = Progress.of(stored.steps) if stored.steps else None
            change = Change(
                "policy.guard",
                stored.name,
                await self._back.of(stored),
                SYSTEM,
                reason,
                watch=found,
                progress=replace(progress, state="aborted", until=None, reason=reason) if progress else None,
            )
            return await self._changes.carry_out(change, begun)

        await self._changes.turn.run(work, None)


def _watching(stored: StoredPolicy) -> bool:
    return stored.enabled and stored.guard is not None and stored.guard["state"] == "watching"
