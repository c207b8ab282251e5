"""API tokens, sessions, login links. Only SHA-256 is kept: each has 256 random bits, no guess can hit."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from store.control import ApiTokenRow, LoginTokenRow, SessionRow

LinkState = Literal["valid", "used", "expired", "unknown"]


class TokenExistsError(Exception):
    """There is an API token of that name already."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredSession:
    actor: str
    expires_at: datetime


def digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# --- read


def tokens(session: Session) -> list[ApiToken]:
    rows = session.scalars(sa.select(ApiTokenRow).order_by(ApiTokenRow.name))
    return [ApiToken(row.name, row.created_at, row.last_used_at) for row in rows]


def token(session: Session, presented: str) -> ApiToken | None:
    """The API token that was presented, None when there is no such."""
    wanted = digest(presented)
    row = session.scalar(sa.select(ApiTokenRow).where(ApiTokenRow.hash == wanted))
    if row is None or not hmac.compare_digest(row.hash, wanted):
        return None
    return ApiToken(row.name, row.created_at, row.last_used_at)


def live_session(session: Session, presented: str, now: datetime) -> StoredSession | None:
    """The session that was presented, None when there is no such or it has expired."""
    wanted = digest(presented)
    row = session.get(SessionRow, wanted)
    if row is None or not hmac.compare_digest(row.hash, wanted) or row.expires_at <= now:
        return None
    return StoredSession(row.actor, row.expires_at)


# --- write


def add_token(session: Session, name: str, secret: str, now: datetime) -> None:
    if session.get(ApiTokenRow, name) is not None:
        raise TokenExistsError(name)
    session.add(ApiTokenRow(name=name, hash=digest(secret), created_at=now, last_used_at=None))


def remove_token(session: Session, name: str) -> bool:
    return _affected(session, sa.delete(ApiTokenRow).where(ApiTokenRow.name == name)) == 1


def touch_token(session: Session, name: str, now: datetime) -> None:
    session.execute(sa.update(ApiTokenRow).where(ApiTokenRow.name == name).values(last_used_at=now))


def add_session(session: Session, secret: str, actor: str, now: datetime, expires: datetime) -> None:
    session.execute(sa.delete(SessionRow).where(SessionRow.expires_at <= now))
    session.add(SessionRow(hash=digest(secret), actor=actor, created_at=now, expires_at=expires))


def extend_session(session: Session, secret: str, expires: datetime) -> None:
    row = sa.update(SessionRow).where(SessionRow.hash == digest(secret))
    session.execute(row.values(expires_at=expires))


def remove_session(session: Session, secret: str) -> bool:
    return _affected(session, sa.delete(SessionRow).where(SessionRow.hash == digest(secret))) == 1


def remove_sessions(session: Session, actor: str | None = None) -> int:
    """End all sessions, or those of one actor; returns how many there were."""
    chosen = sa.delete(SessionRow)
    return _affected(session, chosen if actor is None else chosen.where(SessionRow.actor == actor))


def add_link(session: Session, secret: str, now: datetime, expires: datetime) -> None:
    session.execute(sa.delete(LoginTokenRow).where(LoginTokenRow.expires_at <= now))
    session.add(LoginTokenRow(hash=digest(secret), created_at=now, expires_at=expires, used_at=None))


def use_link(session: Session, secret: str, now: datetime) -> LinkState:
    """Use up a login link: exactly one caller ever gets "valid"."""
    wanted = digest(secret)
    used = sa.update(LoginTokenRow).where(
        LoginTokenRow.hash == wanted, LoginTokenRow.used_at.is_(None), LoginTokenRow.expires_at > now
    )
    if _affected(session, used.values(used_at=now)) == 1:
        return "valid"
    row = session.get(LoginTokenRow, wanted)
    if row is None:
        return "unknown"
    return "used" if row.used_at is not None else "expired"


def _affected(session: Session, statement: sa.Update | sa.Delete) -> int:
    result = session.execute(statement)
    assert isinstance(result, sa.CursorResult)  # noqa: S101 - what an UPDATE or DELETE returns
    return result.rowcount
