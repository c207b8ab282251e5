"""Schedules go on by themselves: each step is a revision, pushed when its time has come and the guard holds.

The rule of a push that fails: it is taken back like any other, the schedule stays at its step and tries again
RETRY s later; after TRIES failures in a row it is paused, with the reason. A guard that cannot tell (too few calls)
keeps the schedule where it is; one that is broken takes all of it back (``web.policies.guard``).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final, Literal

from proxy_plugin.policy import TrafficPolicy
from store.policies import StoredPolicy
from web.policies import schedule
from web.policies.back import Back
from web.policies.changes import Changes
from web.policies.keeper import LOOK_AGAIN
from web.policies.ledger import SYSTEM, Change
from web.policies.plan import Planner, errors
from web.policies.rollout import Applied, Begun
from web.policies.schedule import Progress
from web.policies.verdict import Watch, comparable, worse
from web.problems import Problem

RETRY: Final = 10.0
TRIES: Final = 3
_EVERY = 1.0  # s that a guard is asked again


class Schedules:
    """Goes on with schedules, pauses them, and gives them up."""

    def __init__(self, changes: Changes, planner: Planner, back: Back) -> None:
        self._changes, self._planner, self._back = changes, planner, back

    async def look(self) -> float:
        """Take the steps that are due; seconds until it is worth looking again."""
        pause = LOOK_AGAIN
        for stored in await self._changes.policies():
            progress = _progress(stored)
            if progress is None or progress.state != "running":
                continue
            if not any(map(self._changes.knows, self._changes.readable([stored]))):
                pause = _EVERY
                continue
            left = (progress.until or 0.0) - self._changes.now().timestamp()
            if left > 0:
                pause = min(pause, left)
            elif _holds(stored.policy(), stored):
                await self._advance(stored)
                pause = _EVERY
            else:
                pause = _EVERY
        return pause

    async def pause(self, name: str, *, actor: str, reason: str = "") -> StoredPolicy:
        """The schedule stays at its step. Problems: 404, 409."""
        return await self._changed(name, "running", "paused", actor, reason or "paused")

    async def resume(self, name: str, *, actor: str, reason: str = "") -> StoredPolicy:
        """It goes on with what is left of its hold. Problems: 404, 409."""
        return await self._changed(name, "paused", "running", actor, reason)

    async def abort(self, name: str, *, actor: str, reason: str = "", wait: float = 5.0) -> Applied:
        """Back to the revision before the schedule. Problems: 404, 409, 503."""

        async def work(begun: asyncio.Future[Begun]) -> Applied:
            stored, progress = await self._one(name, ("running", "paused"))
            after = await self._back.of(stored)
            given_up = replace(progress, state="aborted", until=None, left=None, reason=reason or "aborted")
            change = Change("policy.abort", name, after, actor, reason, progress=given_up)
            return await self._changes.carry_out(change, begun)

        return await self._changes.turn.run(work, wait)

    async def _changed(
        self, name: str, before: schedule.State, after: Literal["paused", "running"], actor: str, reason: str
    ) -> StoredPolicy:
        async def work(_: asyncio.Future[Begun]) -> Applied:
            stored, progress = await self._one(name, (before,))
            now = self._changes.now().timestamp()
            changed = progress.paused(now, reason) if after == "paused" else progress.resumed(now)
            change = Change("policy.steps", name, None, actor, reason)
            await asyncio.to_thread(
                self._changes.ledger.noted,
                change,
                stored.revision,
                {"state": after},
                steps=changed.document(),
            )
            return Applied(name, stored.revision, "applied", {})

        await self._changes.turn.run(work, None, 5.0)
        return await self._changes.get(name)

    async def _one(self, name: str, states: tuple[schedule.State, ...]) -> tuple[StoredPolicy, Progress]:
        stored = await self._changes.get(name)
        progress = _progress(stored)
        if progress is None or progress.state not in states:
            found = f"is {progress.state}" if progress else "does not exist"
            detail = f"The schedule of {name} {found}; it would have to be {' or '.join(states)}."
            raise Problem(409, "No such schedule", detail)
        return stored, progress

    async def _advance(self, due: StoredPolicy) -> None:
        async def work(begun: asyncio.Future[Begun]) -> Applied:
            stored = await self._changes.get(due.name)
            progress = _progress(stored)
            if stored.revision != due.revision or progress is None or progress != _progress(due):
                return Applied(stored.name, stored.revision, "applied", {}, stored)  # somebody was faster
            policy, following = schedule.at(stored.policy(), replace(progress, step=progress.step + 1))
            await self._check(policy, stored)
            watch = Watch.of(stored.guard) if stored.guard else None
            change = Change(
                "policy.step",
                stored.name,
                policy,
                SYSTEM,
                f"step {following.step + 1}: {policy.steps.version if policy.steps else ''} gets "
                f"{policy.steps.schedule[following.step].weight if policy.steps else 0} %",
                watch=watch,
                progress=following,
                keeps_lease=True,
            )
            return await self._changes.carry_out(change, begun)

        try:
            await self._changes.turn.run(work, None)
        except Problem as problem:
            await self._failed(due, problem.detail)

    async def _check(self, policy: TrafficPolicy, stored: StoredPolicy) -> None:
        """The mesh may have changed since the schedule began: its version may be gone."""
        others = self._changes.readable(await self._changes.policies(), without=stored.name)
        if wrong := errors((await self._planner.plan(policy, stored, others)).findings):
            raise Problem(422, "No longer valid", "; ".join(each.message for each in wrong))

    async def _failed(self, due: StoredPolicy, detail: str) -> None:
        progress = _progress(due)
        if progress is None:
            return
        now, failures = self._changes.now().timestamp(), progress.failures + 1
        if failures < TRIES:
            changed = replace(progress, failures=failures, until=now + RETRY, reason=detail)
        else:
            changed = replace(progress.paused(now, detail), failures=failures)
        change = Change("policy.step", due.name, None, SYSTEM, detail)
        await asyncio.to_thread(
            self._changes.ledger.noted,
            change,
            due.revision,
            {"state": changed.state, "failures": failures},
            outcome="failed",
            steps=changed.document(),
        )


def _progress(stored: StoredPolicy) -> Progress | None:
    return Progress.of(stored.steps) if stored.steps and stored.enabled else None


def _holds(policy: TrafficPolicy, stored: StoredPolicy) -> bool:
    """Whether its guard lets it go on: it has judged this step, and the last window was not worse."""
    if policy.guard is None:
        return True
    if stored.guard is None:
        return False
    watch = Watch.of(stored.guard)
    fine = comparable(policy.guard, watch) and not worse(policy.guard, watch)
    return watch.state == "watching" and watch.judged and fine
