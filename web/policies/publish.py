"""The one write path of policy: plan, apply at all proxies or at none, toggle, roll back, lease, delete.

Every change is written down before it is pushed (a pending revision) and again with what became of it. One
change runs at a time. A push that outlives its caller's patience goes on in the background, up to DEADLINE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from sqlalchemy.engine import Engine

from collector.selfwatch import Observe
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.policy import Finding, TrafficPolicy
from store import audit
from store.anchor import Anchor
from store.policies import Revision, StoredPolicy
from web.policies.back import Back
from web.policies.changes import Changes
from web.policies.guard import Figures, Guards
from web.policies.keeper import Duty, Keeper
from web.policies.leases import Leases
from web.policies.ledger import Action, Change
from web.policies.observed import CallReader
from web.policies.plan import Plan, Planner, errors
from web.policies.replicas import Replicas
from web.policies.rollout import Applied, Begun
from web.policies.steps import Schedules
from web.problems import FieldError, Problem

DEADLINE = 10.0
"""Seconds that proxies have to answer before everything is taken back."""

_DELETE_TURN = 5.0

Draft = TrafficPolicy | Mapping[str, Any]


class Publisher:
    """`start` before anything else, `keep` as a task for as long as it lives, `stop` at the end."""

    def __init__(
        self,
        control: ControlPlane,
        database: Engine,
        calls: CallReader | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        deadline: float = DEADLINE,
        observe: Observe | None = None,
        figures: Figures | None = None,
        anchor: Anchor | None = None,
    ) -> None:
        """``observe``: told of every push; ``figures``: what guards compare, without which they wait.

        ``anchor``: keeps the newest audit entry outside the database.
        """
        self._changes = Changes(control, database, now, deadline, observe, anchor)
        self._ledger, self._turn = self._changes.ledger, self._changes.turn
        self._planner = Planner(control, calls)
        back = Back(self._changes, self._planner)
        self.leases = Leases(self._changes)
        self.schedules = Schedules(self._changes, self._planner, back)
        duties: list[Duty] = [self.leases, self.schedules, Replicas(self._changes)]
        if figures is not None:
            duties.append(Guards(self._changes, figures, back))
        self._keeper = Keeper(self._changes, duties)

    async def start(self) -> None:
        """Bring the store in order after a stop of any kind, then hand the policies to the control plane."""
        await self._changes.start()

    async def keep(self) -> None:
        """Do what happens by itself: leases end, guards judge, schedules go on. Runs until it is cancelled."""
        await self._keeper.keep()

    async def stop(self) -> None:
        """Give up what is still being pushed; the next start finds it and counts it as failed."""
        await self._changes.stop()

    # --- read

    async def policies(self) -> list[StoredPolicy]:
        return await self._changes.policies()

    async def get(self, name: str) -> StoredPolicy:
        """Raises a 404 problem."""
        return await self._changes.get(name)

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

    def audit_export(self, subject: str | None, outcome: str | None) -> Iterator[audit.Entry]:
        """All entries, the oldest first. Blocks: take them in a thread."""
        return self._ledger.audit_export(subject, outcome)

    async def denied(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Write down that somebody tried to change what they may not."""
        await asyncio.to_thread(self._ledger.denied, actor, action, subject, detail)

    async def verify_audit(self) -> audit.Verdict:
        return await asyncio.to_thread(self._ledger.verify_audit)

    async def plan(self, draft: Draft) -> Plan:
        """What `draft` would change. Changes nothing, and raises nothing for what is wrong with it."""
        return await self._planned(draft, "policy.apply")

    async def _planned(self, draft: Draft, action: Action) -> Plan:
        name, stored = _name(draft), await self.policies()
        before = next((each for each in stored if each.name == name), None)
        others = self._changes.readable(stored, without=name)
        # Who goes back wants the split that was there, and no schedule.
        return await self._planner.plan(draft, before, others, begins=action != "policy.rollback")

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
            plan = await self._planned(draft, action)
            if plan.policy is None or not (plan.valid or _only_disables(plan.policy, stored)):
                await self._refuse(asked, draft, plan.findings)
            change = replace(asked, after=plan.policy, progress=plan.progress)
            return replace(await self._changes.carry_out(change, begun), created=stored is None)

        return await self._turn.run(work, wait)

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
            return await self._changes.carry_out(change, begun)

        await self._turn.run(work, None, _DELETE_TURN)

    # --- what is wrong

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


def _name(draft: Draft) -> str:
    """Its name; for a draft whose name cannot be one, something that can be shown and stored."""
    name = draft.name if isinstance(draft, TrafficPolicy) else draft.get("name", "")
    return name if isinstance(name, str) and name.isascii() and name.isprintable() else ascii(name)[:100]


def _only_disables(policy: TrafficPolicy, stored: StoredPolicy | None) -> bool:
    """Switching off is always allowed, also what is no longer valid because the mesh has changed."""
    if stored is None or policy.enabled:
        return False
    return policy.document() == stored.document | {"enabled": False}
