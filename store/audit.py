"""The audit log: append-only, each entry bound to the one before by its hash.

A change, a gap or a reordering is found by `verify`. A tail that was cut off is found by what is kept of the newest
entry outside the database (`store.anchor`, which says what even that cannot show).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from store.anchor import Head
from store.control import AuditRow

Outcome = Literal["applied", "refused", "denied", "failed", "reverted"]

_FIRST = "0" * 64  # what the first entry names as the hash before it


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to which subject, and what became of it. `seq` counts from 1 without gaps."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    outcome: str
    detail: dict[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`first_bad`: the first `seq` whose entry is not what was written, None when all are."""

    ok: bool
    entries: int
    first_bad: int | None


def append(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    outcome: Outcome,
    detail: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> int:
    """Add one entry to the chain within the transaction of `session` (a writing one); returns its seq."""
    if session.get_bind().dialect.name == "postgresql":
        # SQLite has one writer at a time; here two could read the same last entry.
        session.execute(sa.text("LOCK TABLE audit IN EXCLUSIVE MODE"))
    last = session.scalar(sa.select(AuditRow).order_by(AuditRow.seq.desc()).limit(1))
    row = AuditRow(
        seq=last.seq + 1 if last else 1,
        at=at or datetime.now(UTC),
        actor=_storable(actor)[:253],
        action=action,
        subject=_storable(subject)[:253],
        outcome=outcome,
        detail=storable(detail or {}),
        prev_hash=last.hash if last else _FIRST,
    )
    row.hash = _hash(row)
    session.add(row)
    session.flush()
    return row.seq


def page(
    session: Session,
    *,
    subject: str | None = None,
    outcome: str | None = None,
    limit: int = 100,
    below: int | None = None,
) -> list[Entry]:
    """Entries, the newest first; those under seq `below` when it is given."""
    query = sa.select(AuditRow).order_by(AuditRow.seq.desc()).limit(limit)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    if outcome is not None:
        query = query.where(AuditRow.outcome == outcome)
    if below is not None:
        query = query.where(AuditRow.seq < below)
    return [_entry(row) for row in session.scalars(query)]


def head(session: Session) -> Head | None:
    """The newest entry."""
    row = session.scalar(sa.select(AuditRow).order_by(AuditRow.seq.desc()).limit(1))
    return Head(row.seq, row.hash) if row else None


def bears(session: Session, known: Head | None) -> bool:
    """Whether an entry that there was is still there."""
    row = session.get(AuditRow, known.seq) if known else None
    return known is None or (row is not None and row.hash == known.hash)


def entries(session: Session, *, subject: str | None = None, outcome: str | None = None) -> Iterator[Entry]:
    """All of them, the oldest first, a thousand in memory at a time."""
    query = sa.select(AuditRow).order_by(AuditRow.seq)
    if subject is not None:
        query = query.where(AuditRow.subject == subject)
    if outcome is not None:
        query = query.where(AuditRow.outcome == outcome)
    yield from map(_entry, session.scalars(query.execution_options(yield_per=1000)))


def verify(session: Session, known: Head | None = None) -> Verdict:
    """Recompute the whole chain, a thousand entries in memory at a time.

    `known`: an entry that there was; where it is missing, that is the first bad one.
    """
    before, count, first_bad = _FIRST, 0, None
    for row in session.scalars(sa.select(AuditRow).order_by(AuditRow.seq).execution_options(yield_per=1000)):
        count += 1
        intact = row.seq == count and row.prev_hash == before and row.hash == _hash(row)
        intact = intact and (known is None or known.seq != row.seq or known.hash == row.hash)
        if first_bad is None and not intact:
            first_bad = row.seq
        before = row.hash
    if first_bad is None and known is not None and not 1 <= known.seq <= count:
        first_bad = count + 1  # the first that is missing
    return Verdict(first_bad is None, count, first_bad)


def _hash(row: AuditRow) -> str:
    facts = [
        row.seq,
        row.at.astimezone(UTC).isoformat(),
        row.actor,
        row.action,
        row.subject,
        row.outcome,
        row.detail,
        row.prev_hash,
    ]
    return sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _storable(text: str) -> str:
    """Without what PostgreSQL cannot keep: NUL and half surrogate pairs."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode()


def storable(value: Any) -> Any:
    """JSON that every database can keep; a value of another kind becomes text."""
    match value:
        case Mapping():
            return {_storable(str(key)): storable(each) for key, each in value.items()}
        case list() | tuple():
            return [storable(each) for each in value]
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
        case _:
            return _storable(str(value))


def _entry(row: AuditRow) -> Entry:
    return Entry(
        row.seq,
        row.at,
        row.actor,
        row.action,
        row.subject,
        row.outcome,
        row.detail,
        row.prev_hash,
        row.hash,
    )
