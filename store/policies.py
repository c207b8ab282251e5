"""Policies and their revisions. The functions take a session, so that a change and its audit entry are one.

A policy stands at its last applied revision; the history also holds what was refused, failed or is pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from proxy_plugin.policy import TrafficPolicy
from store.control import PolicyRow, RevisionRow

PENDING, APPLIED, LEASE_ENDED, GUARD_REVERTED = "pending", "applied", "lease_ended", "guard_reverted"
IN_FORCE = (APPLIED, LEASE_ENDED, GUARD_REVERTED)
"""Outcomes after which the policy stood as the revision says."""


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy at its last applied revision. `expires_at`: the end of its lease, None without one.

    `guard`, `steps`: how far its guard and its schedule are, as `verdict` and `schedule` of web.policies write them.
    """

    name: str
    document: dict[str, Any]
    revision: int
    enabled: bool
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    guard: dict[str, Any] | None = None
    steps: dict[str, Any] | None = None

    def lease_left(self, now: datetime) -> float | None:
        """Seconds until its lease ends (negative: it should have), None when there is none to end."""
        if not self.enabled or self.expires_at is None:
            return None
        return (self.expires_at - now).total_seconds()

    def policy(self) -> TrafficPolicy:
        """Raises pydantic's ValidationError for what another version wrote and this one cannot read."""
        return TrafficPolicy.model_validate(self.document)


@dataclass(frozen=True, slots=True)
class Revision:
    """One change, whatever became of it. `after` None: the policy was removed."""

    name: str
    revision: int
    at: datetime
    actor: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    outcome: str
    proxies: dict[str, Any]


# --- read


def everything(session: Session) -> list[StoredPolicy]:
    return [_stored(row) for row in session.scalars(sa.select(PolicyRow).order_by(PolicyRow.name))]


def get(session: Session, name: str) -> StoredPolicy | None:
    row = session.get(PolicyRow, name)
    return _stored(row) if row else None


def revisions(session: Session, name: str, limit: int = 100, below: int | None = None) -> list[Revision]:
    """The newest first, those under the number `below` when it is given."""
    query = sa.select(RevisionRow).where(RevisionRow.name == name).order_by(RevisionRow.revision.desc())
    if below is not None:
        query = query.where(RevisionRow.revision < below)
    return [_revision(row) for row in session.scalars(query.limit(limit))]


def changes(
    session: Session, start: datetime | None, end: datetime | None, target: str | None, limit: int | None
) -> list[Revision]:
    """Revisions that came into force in ``[start, end)``, of rules for this target (None: any), the newest first."""
    query = (
        sa.select(RevisionRow)
        .where(RevisionRow.outcome.in_(IN_FORCE))
        .order_by(RevisionRow.at.desc(), RevisionRow.name, RevisionRow.revision.desc())
        .limit(limit)
    )
    if start is not None:
        query = query.where(RevisionRow.at >= start)
    if end is not None:
        query = query.where(RevisionRow.at < end)
    if target is not None:
        aims = (side["target"]["service"].as_string() for side in (RevisionRow.after, RevisionRow.before))
        query = query.where(sa.func.coalesce(*aims) == target)
    return [_revision(row) for row in session.scalars(query)]


def revision(session: Session, name: str, number: int) -> Revision | None:
    row = session.get(RevisionRow, (name, number))
    return _revision(row) if row else None


def revision_before(session: Session, name: str, number: int) -> Revision | None:
    """The last one under `number` that was in force: what a rollback returns to."""
    query = (
        sa.select(RevisionRow)
        .where(RevisionRow.name == name, RevisionRow.revision < number, RevisionRow.outcome.in_(IN_FORCE))
        .order_by(RevisionRow.revision.desc())
        .limit(1)
    )
    row = session.scalar(query)
    return _revision(row) if row else None


def unfinished(session: Session) -> list[Revision]:
    """Revisions whose push was running when the process ended."""
    query = sa.select(RevisionRow).where(RevisionRow.outcome == PENDING)
    return [_revision(row) for row in session.scalars(query)]


# --- write


def begin(
    session: Session, name: str, after: dict[str, Any] | None, *, actor: str, reason: str, at: datetime
) -> int:
    """Write down what is about to happen, as pending; returns its revision number."""
    newest = sa.select(sa.func.max(RevisionRow.revision)).where(RevisionRow.name == name)
    number = (session.scalar(newest) or 0) + 1
    standing = session.get(PolicyRow, name)
    session.add(
        RevisionRow(
            name=name,
            revision=number,
            at=at,
            actor=actor,
            reason=reason,
            before=dict(standing.document) if standing else None,
            after=after,
            outcome=PENDING,
            proxies={},
        )
    )
    session.flush()
    return number


def finish(session: Session, name: str, number: int, outcome: str, proxies: Mapping[str, Any]) -> None:
    """What became of a revision that was begun."""
    row = session.get_one(RevisionRow, (name, number))
    row.outcome, row.proxies = outcome, dict(proxies)


def put(
    session: Session,
    policy: TrafficPolicy,
    number: int,
    at: datetime,
    expires: datetime | None,
    *,
    guard: dict[str, Any] | None = None,
    steps: dict[str, Any] | None = None,
) -> None:
    """The policy stands at revision `number` from now on."""
    row = session.get(PolicyRow, policy.name)
    if row is None:
        row = PolicyRow(name=policy.name, created_at=at)
        session.add(row)
    row.document, row.revision, row.enabled = policy.document(), number, policy.enabled
    row.expires_at, row.updated_at, row.guard, row.steps = expires, at, guard, steps


def note(session: Session, name: str, number: int, **facts: Any) -> bool:
    """Changes `expires_at`, `guard` or `steps` of the policy as it stands at revision `number`; False: it does not."""
    query = sa.update(PolicyRow).where(PolicyRow.name == name, PolicyRow.revision == number)
    return bool(session.execute(query.values(**facts)).rowcount)  # type: ignore[attr-defined]


def remove(session: Session, name: str) -> None:
    """The policy is gone; its revisions stay."""
    session.execute(sa.delete(PolicyRow).where(PolicyRow.name == name))


def _stored(row: PolicyRow) -> StoredPolicy:
    return StoredPolicy(
        row.name,
        row.document,
        row.revision,
        row.enabled,
        row.expires_at,
        row.created_at,
        row.updated_at,
        row.guard,
        row.steps,
    )


def _revision(row: RevisionRow) -> Revision:
    return Revision(
        row.name,
        row.revision,
        row.at,
        row.actor,
        row.reason,
        row.before,
        row.after,
        row.outcome,
        row.proxies,
    )
