"""What the publisher writes down: a revision and its audit entry, always in one transaction. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from pydantic import ValidationError
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from proxy_plugin.policy import Finding, TrafficPolicy
from store import audit, policies
from store.anchor import Anchor, Head
from store.engines import reads, writes
from store.policies import Revision, StoredPolicy
from web.policies import verdict
from web.policies.schedule import Progress
from web.policies.verdict import Watch

Action = Literal[
    "policy.apply",
    "policy.toggle",
    "policy.delete",
    "policy.rollback",
    "policy.lease",
    "policy.guard",
    "policy.step",
    "policy.abort",
    "policy.steps",
]
Proxies = Mapping[str, list[dict[str, Any]]]

_log = structlog.get_logger(__name__)

SYSTEM = "meshscope"  # who ends leases, takes back, and goes on with schedules

ENDINGS: dict[str, str] = {"policy.lease": policies.LEASE_ENDED, "policy.guard": policies.GUARD_REVERTED}
"""What takes a rule back by itself → the outcome of its revision. It stands whatever a proxy says."""


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody wants `name` to become `after` (None: to go).

    `watch`: what a guard has found (of its own action), or the watch that a step goes on with. `progress`: how far
    its schedule is then. `keeps_lease`: its lease goes on, and does not begin anew.
    """

    action: Action
    name: str
    after: TrafficPolicy | None
    actor: str
    reason: str = ""
    watch: Watch | None = None
    progress: Progress | None = None
    keeps_lease: bool = False

    @property
    def document(self) -> dict[str, Any] | None:
        return self.after.document() if self.after else None


class Ledger:
    """The control database, as the publisher sees it."""

    def __init__(self, database: Engine, now: Callable[[], datetime], anchor: Anchor | None = None) -> None:
        """``anchor``: where the newest audit entry is kept outside the database."""
        self._reads, self._sessions, self._now, self._anchor = reads(database), writes(database), now, anchor

    # --- read

    def everything(self) -> list[StoredPolicy]:
        with self._reads() as session:
            return policies.everything(session)

    def get(self, name: str) -> StoredPolicy | None:
        with self._reads() as session:
            return policies.get(session, name)

    def revisions(self, name: str, limit: int, below: int | None) -> list[Revision]:
        with self._reads() as session:
            return policies.revisions(session, name, limit, below)

    def rollback_target(self, name: str, to: int | None) -> Revision | None:
        """Revision `to`, or the one that was in force before the present one."""
        with self._reads() as session:
            if to is not None:
                return policies.revision(session, name, to)
            standing = policies.get(session, name)
            return policies.revision_before(session, name, standing.revision) if standing else None

    def audit_entries(
        self, subject: str | None, outcome: str | None, limit: int, below: int | None
    ) -> list[audit.Entry]:
        with self._reads() as session:
            return audit.page(session, subject=subject, outcome=outcome, limit=limit, below=below)

    def verify_audit(self) -> audit.Verdict:
        with self._reads() as session:
            return audit.verify(session, self._anchor.read() if self._anchor else None)

    def audit_export(self, subject: str | None, outcome: str | None) -> Iterator[audit.Entry]:
        """All entries, the oldest first; the database is read as they are taken."""
        with self._reads() as session:
            yield from audit.entries(session, subject=subject, outcome=outcome)

    # --- write

    @contextmanager
    def _write(self) -> Iterator[Session]:
        """One transaction. Its newest audit entry is anchored when it is committed."""
        head = None
        with self._sessions.begin() as session:
            yield session
            if self._anchor is not None:
                head = self._head(session, self._anchor)
        if self._anchor is not None and head is not None:
            try:
                self._anchor.write(head)
            except OSError as error:  # the change stands; the next one anchors both
                _log.error("audit_not_anchored", error=str(error))

    def _head(self, session: Session, anchor: Anchor) -> Head | None:
        """What to anchor; None where what was anchored before is gone: that must go on being found."""
        if audit.bears(session, anchor.read()):
            return audit.head(session)
        _log.error("audit_was_touched", fix="see GET /api/v1/audit/verify")
        return None

    def denied(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Somebody tried to change what they may not."""
        with self._write() as session:
            audit.append(
                session,
                actor=actor,
                action=action,
                subject=subject,
                outcome="denied",
                detail=detail,
                at=self._now(),
            )

    def begin(self, change: Change) -> int:
        """Note what is about to be pushed, while nothing else is; the number of its revision."""
        if change.after is not None:
            self._expiry(change.after)  # what cannot be reckoned fails before anything is pushed
        with self._write() as session:
            self._settle(session, "It was taken back, which could not be written down then.")
            return self._begin(session, change, change.document)

    def applied(self, change: Change, number: int, proxies: Proxies) -> StoredPolicy | None:
        """The change is in force: the policy as it stands now, None when it is gone."""
        with self._write() as session:
            self._stand(session, change, number, proxies)
        return self.get(change.name)

    def failed(self, change: Change, number: int, proxies: Proxies, message: str) -> None:
        """The change was taken back; the policy stands as before."""
        with self._write() as session:
            policies.finish(session, change.name, number, "failed", proxies)
            self._audit(session, change, "failed", proxies, revision=number, message=message)

    def refused(self, change: Change, draft: Mapping[str, Any], findings: list[Finding]) -> int:
        """The draft was never pushed, because of `findings`; 0 where it has no name to keep it under."""
        said = audit.storable([f"{each.field}: {each.message}" for each in findings])
        with self._write() as session:
            if any(each.field == "name" for each in findings):
                self._audit(session, change, "refused", {}, findings=said)
                return 0
            number = self._begin(session, change, audit.storable(draft))
            policies.finish(session, change.name, number, "refused", {"findings": said})
            self._audit(session, change, "refused", {}, revision=number, findings=said)
        return number

    def note(self, name: str, number: int, **facts: Any) -> bool:
        """See :func:`store.policies.note`."""
        with self._write() as session:
            return policies.note(session, name, number, **facts)

    def noted(
        self,
        change: Change,
        number: int,
        detail: Mapping[str, Any],
        outcome: audit.Outcome = "applied",
        **facts: Any,
    ) -> bool:
        """The same, with an audit entry; False, and no entry, where the policy is no longer at that revision."""
        with self._write() as session:
            done = policies.note(session, change.name, number, **facts)
            if done:
                self._audit(session, change, outcome, {}, revision=number, **detail)
        return done

    def stale(self, change: Change, expected: int, found: int) -> None:
        """Somebody changed a policy that was no longer as they knew it."""
        with self._write() as session:
            message = f"made for revision {expected}, is at {found}"
            self._audit(session, change, "refused", {}, message=message)

    def recover(self) -> None:
        """After a stop: pushes that were cut off have failed, leases that are over end."""
        with self._write() as session:
            self._settle(session, "Meshscope ended before the proxies had answered.")
            for stored in policies.everything(session):
                left = stored.lease_left(self._now())
                if left is not None and left <= 0:
                    self._end_lease(session, stored)

    def _settle(self, session: Session, message: str) -> None:
        """Revisions that are still pending while nothing is being pushed have failed."""
        for cut in policies.unfinished(session):
            policies.finish(session, cut.name, cut.revision, "failed", {"message": message})
            change = Change("policy.apply", cut.name, None, cut.actor, cut.reason)
            self._audit(session, change, "failed", {}, revision=cut.revision, message=message)

    def _end_lease(self, session: Session, stored: StoredPolicy) -> None:
        try:
            change = lease_end(stored)
        except ValidationError:
            return  # what cannot be read is not in force
        number = self._begin(session, change, change.document)
        self._stand(session, change, number, {})

    def _begin(self, session: Session, change: Change, document: dict[str, Any] | None) -> int:
        actor, reason = audit.storable(change.actor), audit.storable(change.reason)
        return policies.begin(session, change.name, document, actor=actor, reason=reason, at=self._now())

    def _stand(self, session: Session, change: Change, number: int, proxies: Proxies) -> None:
        outcome = ENDINGS.get(change.action, policies.APPLIED)
        policies.finish(session, change.name, number, outcome, proxies)
        if change.after is None:
            policies.remove(session, change.name)
        else:
            watch = self._watch(session, change, change.after, number)
            policies.put(
                session,
                change.after,
                number,
                self._now(),
                self._lease(session, change, change.after),
                guard=watch.document() if watch else None,
                steps=change.progress.begun(self._now().timestamp()).document() if change.progress else None,
            )
        said: audit.Outcome = "reverted" if change.action in ENDINGS else "applied"
        self._audit(session, change, said, proxies, revision=number)

    def _watch(self, session: Session, change: Change, after: TrafficPolicy, number: int) -> Watch | None:
        """What its guard does from now on. What takes a rule back is not watched."""
        if change.action in ENDINGS or change.action == "policy.abort":
            return change.watch
        begun = policies.revision(session, change.name, number)
        if after.guard is None or not after.enabled or begun is None:
            return None
        running = change.progress is not None and change.progress.state == "running"
        began, since = begun.at.timestamp(), self._now().timestamp()
        watch = verdict.watched(after.guard, number, began, since, endless=running)
        before = change.watch  # a step is compared with before the first one
        return replace(watch, side=before.side, before=before.before) if before else watch

    def _lease(self, session: Session, change: Change, after: TrafficPolicy) -> datetime | None:
        standing = policies.get(session, change.name) if change.keeps_lease else None
        return standing.expires_at if standing and after.enabled else self._expiry(after)

    def _expiry(self, policy: TrafficPolicy) -> datetime | None:
        if policy.lease is None or not policy.enabled:
            return None
        return self._now() + timedelta(seconds=policy.lease.seconds)

    def _audit(
        self, session: Session, change: Change, outcome: audit.Outcome, proxies: Proxies, **detail: Any
    ) -> None:
        if proxies:
            detail["proxies"] = {answer: len(found) for answer, found in proxies.items()}
            if said := _said(proxies):
                detail["answers"] = said
        if change.reason:
            detail["reason"] = change.reason
        if change.action == "policy.guard" and change.watch is not None:
            detail["guard"] = change.watch.document()
        audit.append(
            session,
            actor=change.actor,
            action=change.action,
            subject=change.name,
            outcome=outcome,
            detail=detail,
            at=self._now(),
        )


def _said(proxies: Proxies) -> dict[str, dict[str, str]]:
    """Node id → type of resources → its answer, with its words when it gave some."""
    said: dict[str, dict[str, str]] = {}
    for answer, found in proxies.items():
        for each in found:
            if isinstance(each, dict) and "node_id" in each:
                words = f"{answer}: {each['message']}" if each.get("message") else answer
                said.setdefault(each["node_id"], {})[each["type"]] = words
    return said


def lease_end(stored: StoredPolicy) -> Change:
    """The change that ends a lease: the same policy, disabled."""
    after = stored.policy().model_copy(update={"enabled": False})
    return Change("policy.lease", stored.name, after, SYSTEM, "the lease ended")
