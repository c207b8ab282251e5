"""The one write path of policy: plan, apply at all proxies or at none, toggle, roll back, lease, delete.

Every change is written down before it is pushed (a pending revision) and again with what became of it. One
change runs at a time. A push that outlives its caller's patience goes on in the background, up to DEADLINE.

Over 300 lines because it is one class: all that changes policies shares one turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, NoReturn

import structlog
from pydantic import ValidationError
from sqlalchemy.engine import Engine

from collector.selfwatch import Observe, observing
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.policy import Finding, TrafficPolicy
from store import audit
from store.policies import Revision, StoredPolicy
from web.ledger import Action, Change, Ledger, lease_end
from web.observed import CallReader
from web.plan import Plan, Planner, errors
from web.problems import FieldError, Problem
from web.rollout import Applied, Begun, Rollout

DEADLINE = 10.0
"""Seconds that proxies have to answer before everything is taken back."""

_DELETE_TURN = 5.0
_SHORTEST_TURN = 1.0  # s that even an impatient caller waits for the changes of others
_RETRY_LEASE = 1.0
_LOOK_AGAIN = 5.0  # a timer stands still while the machine sleeps; the wall clock does not

Draft = TrafficPolicy | Mapping[str, Any]


class Publisher:
    """`start` before anything else, `expire_leases` as a task for as long as it lives, `stop` at the end."""

    def __init__(
        self,
        control: ControlPlane,
        database: Engine,
        calls: CallReader | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        deadline: float = DEADLINE,
        observe: Observe | None = None,
    ) -> None:
        """``observe``: told of every push."""
        self._observe = observe
        self._control, self._now = control, now
        self._ledger = Ledger(database, now)
        self._planner = Planner(control, calls)
        self._rollout = Rollout(control, self._ledger, deadline)
        self._turn, self._deadline = asyncio.Lock(), deadline
        self._leases_changed = asyncio.Event()
        self._running: set[asyncio.Task[Applied]] = set()
        self._log = structlog.get_logger(__name__)

    async def start(self) -> None:
        """Bring the store in order after a stop of any kind, then hand the policies to the control plane."""
        await asyncio.to_thread(self._ledger.recover)
        self._control.set_policies(self._readable(await self.policies()))

    async def stop(self) -> None:
        """Give up what is still being pushed; the next start finds it and counts it as failed."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    # --- read

    async def policies(self) -> list[StoredPolicy]:
        return await asyncio.to_thread(self._ledger.everything)

    async def get(self, name: str) -> StoredPolicy:
        """Raises a 404 problem."""
        found = await asyncio.to_thread(self._ledger.get, name)
        if found is None:
            raise Problem(404, "No such policy", f"There is no policy {name}.")
        return found

    async def revisions(self, name: str, limit: int = 100, below: int | None = None) -> list[Revision]:
        """The newest first, also of a policy that is gone. Raises a 404 problem when there never was one."""
        found = await asyncio.to_thread(self._ledger.revisions, name, limit, below)
        if not found and below is None:
            raise Problem(404, "No such policy", f"There never was a policy {name}.")
        return found

    async def audit_entries(
        self, subject: str | None, outcome: str | None, limit: int = 100, below: int | None = None
    ) -> list[audit.Entry]:
        """Audit entries, the newest first."""
        return await asyncio.to_thread(self._ledger.audit_entries, subject, outcome, limit, below)

    async def verify_audit(self) -> audit.Verdict:
        return await asyncio.to_thread(self._ledger.verify_audit)

    async def plan(self, draft: Draft) -> Plan:
        """What `draft` would change. Changes nothing, and raises nothing for what is wrong with it."""
        name, stored = _name(draft), await self.policies()
        before = next((each for each in stored if each.name == name), None)
        return await self._planner.plan(draft, before, self._readable(stored, without=name))

    # --- write

    async def apply(
        self,
        draft: Draft,
        *,
        actor: str,
        reason: str = "",
        if_match: int | None = None,
        wait: float = 5.0,
        action: Action = "policy.apply",
    ) -> Applied:
        """Save `draft` and put it into force. `if_match` 0: only when there is no such policy yet.

        "pending" when `wait` seconds were not enough. Problems: 412 for a stale `if_match`, 422 with the
        findings, 409 when a proxy refused or did not answer by DEADLINE (then everything is taken back), 503
        when other changes took all the time (then nothing was changed).
        """

        async def work(begun: asyncio.Future[Begun]) -> Applied:
            asked = Change(action, _name(draft), None, actor, reason)
            stored = await self._matching(asked, if_match)
            plan = await self.plan(draft)
            if plan.policy is None or not (plan.valid or _only_disables(plan.policy, stored)):
                await self._refuse(asked, draft, plan.findings)
            applied = await self._carry_out(Change(action, asked.name, plan.policy, actor, reason), begun)
            return replace(applied, created=stored is None)

        return await self._in_turn(work, wait)

    async def toggle(
        self,
        name: str,
        enabled: bool,
        *,
        actor: str,
        reason: str = "",
        if_match: int | None = None,
        wait: float = 5.0,
    ) -> Applied:
        """Switch a policy on (its lease starts anew) or off. Problems as `apply`, and 404."""
        stored = await self.get(name)
        draft = stored.document | {"enabled": enabled}
        # What is switched is what was read here, not what somebody else saves in between.
        expected = stored.revision if if_match is None else if_match
        return await self.apply(
            draft, actor=actor, reason=reason, if_match=expected, wait=wait, action="policy.toggle"
        )

    async def rollback(
        self,
        name: str,
        to: int | None = None,
        *,
        actor: str,
        reason: str = "",
        if_match: int | None = None,
        wait: float = 5.0,
    ) -> Applied:
        """Put an earlier revision into force again, by default the one in force before this one."""
        revision = await asyncio.to_thread(self._ledger.rollback_target, name, to)
        if revision is None or revision.after is None:
            asked = "earlier revision" if to is None else f"revision {to}"
            raise Problem(404, "No such revision", f"{name} has no {asked} to go back to.")
        why = reason or f"back to revision {revision.revision}"
        return await self.apply(
            revision.after, actor=actor, reason=why, if_match=if_match, wait=wait, action="policy.rollback"
        )

    async def delete(self, name: str, *, actor: str, reason: str = "", if_match: int | None = None) -> None:
        """Take a policy out of force, then remove it; its revisions stay. Problems: 404, 409, 412."""

        async def work(begun: asyncio.Future[Begun]) -> Applied:
            await self.get(name)
            change = Change("policy.delete", name, None, actor, reason)
            await self._matching(change, if_match)
            return await self._carry_out(change, begun)

        await self._in_turn(work, None, _DELETE_TURN)

    # --- leases

    async def expire_leases(self) -> None:
        """Ends leases when they are over. Runs until it is cancelled."""
        while True:
            self._leases_changed.clear()
            try:
                pause = await self._end_leases()
            except Problem as problem:
                self._log.error("lease_not_ended", reason=problem.detail)
                pause = _RETRY_LEASE
            except Exception:
                self._log.exception("lease_not_ended")
                pause = _RETRY_LEASE
            try:
                async with asyncio.timeout(pause):
                    await self._leases_changed.wait()
            except TimeoutError:
                pass

    async def _end_leases(self) -> float:
        """Ends what is over; seconds until it is worth looking again."""
        pause = _LOOK_AGAIN
        for stored in await self.policies():
            left = stored.lease_left(self._now())
            if left is not None and left <= 0 and self._readable([stored]):
                await self._end_lease(stored.name)
            elif left is not None and left > 0:
                pause = min(pause, left)
        return pause

    async def _end_lease(self, name: str) -> None:
        async def work(begun: asyncio.Future[Begun]) -> Applied:
            stored = await self.get(name)
            left = stored.lease_left(self._now())
            if left is None or left > 0:  # somebody was faster
                return Applied(name, stored.revision, "applied", {}, stored)
            return await self._carry_out(lease_end(stored), begun)

        await self._in_turn(work, None)

    # --- one change at a time

    async def _in_turn(
        self,
        work: Callable[[asyncio.Future[Begun]], Coroutine[Any, Any, Applied]],
        wait: float | None,
        turn: float | None = None,
    ) -> Applied:
        """Run `work` after what is running, whatever becomes of the caller; its result, or how far it is.

        The caller's patience, `wait`, counts from the request. A 503 problem when it was not its turn within
        `turn` seconds (by default those of `wait`; both None: it waits as long as it takes).
        """
        if turn is None and wait is not None:
            turn = max(wait, _SHORTEST_TURN)
        asked = time.monotonic()
        begun: asyncio.Future[Begun] = asyncio.get_running_loop().create_future()

        async def alone() -> Applied:
            await self._take_turn(turn)
            try:
                return await work(begun)
            finally:
                self._turn.release()

        task = asyncio.create_task(alone())
        self._running.add(task)
        task.add_done_callback(self._ended)
        either: set[asyncio.Future[Any]] = {task, begun}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            left = None if wait is None else max(0.0, asked + wait - time.monotonic())
            await asyncio.wait({task}, timeout=left)
        return task.result() if task.done() else self._rollout.so_far(begun.result())

    async def _take_turn(self, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._turn.acquire()
        except TimeoutError:
            detail = "Another change is still waiting for a proxy. Nothing was changed."
            headers = {"Retry-After": f"{max(1, round(self._deadline))}"}
            raise Problem(503, "Busy", detail, headers=headers) from None

    def _ended(self, task: asyncio.Task[Applied]) -> None:
        self._running.discard(task)
        self._leases_changed.set()
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, Problem):
            self._log.error("change_failed", exc_info=error)

    async def _carry_out(self, change: Change, begun: asyncio.Future[Begun]) -> Applied:
        others = self._readable(await self.policies(), without=change.name)
        with observing(self._observe, "policy push", policy=change.name, action=change.action):
            return await self._rollout.carry_out(change, others, begun)

    async def _matching(self, change: Change, if_match: int | None) -> StoredPolicy | None:
        """The policy as it stands; a 412 problem when that is not revision `if_match`."""
        stored = await asyncio.to_thread(self._ledger.get, change.name)
        found = stored.revision if stored else 0
        if if_match is None or if_match == found:
            return stored
        await asyncio.to_thread(self._ledger.stale, change, if_match, found)
        is_now = f"is at revision {found}" if found else "does not exist"
        detail = f"{change.name} {is_now}; the request was made for revision {if_match}."
        raise Problem(412, "Changed by somebody else", detail, members={"revision": found})

    async def _refuse(self, change: Change, draft: Draft, findings: list[Finding]) -> NoReturn:
        document = draft.document() if isinstance(draft, TrafficPolicy) else draft
        number = await asyncio.to_thread(self._ledger.refused, change, document, errors(findings))
        found = [FieldError(field=each.field, message=each.message) for each in errors(findings)]
        detail = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in found)
        listed = [asdict(each) for each in findings]
        members = {"revision": number, "outcome": "refused", "findings": listed}
        raise Problem(422, "The policy is not valid", detail, errors=found, members=members)

    def _readable(self, stored: list[StoredPolicy], without: str = "") -> list[TrafficPolicy]:
        """The policies but one. What an older version stored and this one cannot read is not in force."""
        found = []
        for each in stored:
            try:
                if each.name != without:
                    found.append(each.policy())
            except ValidationError as error:
                self._log.error("policy_unreadable", name=each.name, error=str(error))
        return found


def _name(draft: Draft) -> str:
    """Its name; for a draft whose name cannot be one, something that can be shown and stored."""
    name = draft.name if isinstance(draft, TrafficPolicy) else draft.get("name", "")
    return name if isinstance(name, str) and name.isascii() and name.isprintable() else ascii(name)[:100]


def _only_disables(policy: TrafficPolicy, stored: StoredPolicy | None) -> bool:
    """Switching off is always allowed, also what is no longer valid because the mesh has changed."""
    if stored is None or policy.enabled:
        return False
    return policy.document() == stored.document | {"enabled": False}
