"""Deployments and notes that people and CI systems report. The functions take a session of their caller."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from store.control import EventRow


@dataclass(frozen=True, slots=True)
class Event:
    """What happened when. ``who``: as the sender says; ``actor``: whose token or session it was."""

    at: datetime
    kind: str
    service: str | None
    version: str | None
    who: str
    link: str | None
    text: str
    actor: str
    id: int = 0  # the store gives it

    @property
    def name(self) -> str:
        """Its id, unlike those of events that are not reported."""
        return str(self.id)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events: in ``[start, end)``, of this service and these kinds (None: of all), older than ``before``."""

    start: datetime | None = None
    end: datetime | None = None
    service: str | None = None
    kinds: Collection[str] | None = None
    before: tuple[datetime, int] | None = None  # time and id of the last one of the page before


def add(session: Session, event: Event, *, key: str | None = None, fingerprint: str = "") -> Event:
    """Store it. Raises sqlalchemy's IntegrityError when its actor used the key before."""
    row = EventRow(
        at=event.at,
        kind=event.kind,
        service=event.service,
        version=event.version,
        who=event.who,
        link=event.link,
        text=event.text,
        actor=event.actor,
        idempotency_key=key,
        fingerprint=fingerprint,
    )
    session.add(row)
    session.flush()
    return _event(row)


def of_key(session: Session, actor: str, key: str) -> tuple[Event, str] | None:
    """The event that this actor stored under the key, and the fingerprint of what was sent."""
    query = sa.select(EventRow).where(EventRow.actor == actor, EventRow.idempotency_key == key)
    row = session.scalar(query)
    return (_event(row), row.fingerprint) if row else None


def page(session: Session, asked: Asked, limit: int) -> list[Event]:
    """The newest first."""
    query = sa.select(EventRow).order_by(EventRow.at.desc(), EventRow.id.desc()).limit(limit)
    if asked.start is not None:
        query = query.where(EventRow.at >= asked.start)
    if asked.end is not None:
        query = query.where(EventRow.at < asked.end)
    if asked.service is not None:
        query = query.where(EventRow.service == asked.service)
    if asked.kinds is not None:
        query = query.where(EventRow.kind.in_(sorted(asked.kinds)))
    if asked.before is not None:
        at, number = asked.before
        query = query.where((EventRow.at < at) | ((EventRow.at == at) & (EventRow.id < number)))
    return [_event(row) for row in session.scalars(query)]


def remove_before(session: Session, at: datetime) -> int:
    """Remove events of before ``at``, and with them the keys that they were sent under; how many there were."""
    done = session.execute(sa.delete(EventRow).where(EventRow.at < at))
    return int(done.rowcount)  # type: ignore[attr-defined]


def _event(row: EventRow) -> Event:
    return Event(
        row.at, row.kind, row.service, row.version, row.who, row.link, row.text, row.actor, id=row.id
    )
