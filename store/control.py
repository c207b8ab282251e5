"""The control tables: policies and revisions, audit, tokens and sessions, layouts, events. All times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAME = sa.String(253)
HASH = sa.String(64)


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware datetime, always UTC. SQLite keeps no zone, so it is put back when read."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    # Named constraints: SQLite can only alter what has a name.
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: sa.JSON(none_as_null=True)}  # noqa: RUF012


class PolicyRow(Base):
    """A policy as it stands. `document` is the whole TrafficPolicy as it is written in JSON."""

    __tablename__ = "policies"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    document: Mapped[dict[str, Any]]
    revision: Mapped[int]
    enabled: Mapped[bool]
    expires_at: Mapped[datetime | None]  # the end of its lease
    guard: Mapped[dict[str, Any] | None]  # how far its guard is (web/policies/verdict.py)
    steps: Mapped[dict[str, Any] | None]  # how far its schedule is (web/policies/schedule.py)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RevisionRow(Base):
    """One change of a policy. Outlives the policy: a name that is used again goes on counting."""

    __tablename__ = "policy_revisions"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(NAME)
    reason: Mapped[str] = mapped_column(sa.Text)
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]  # null: the policy was removed
    outcome: Mapped[str] = mapped_column(sa.String(32))
    proxies: Mapped[dict[str, Any]]  # {"acked": […], "nacked": […], "pending": […]}


class AuditRow(Base):
    """One entry of the hash chain. A trigger in the database refuses to change or delete entries."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(NAME)
    action: Mapped[str] = mapped_column(sa.String(64))
    subject: Mapped[str] = mapped_column(NAME, index=True)
    outcome: Mapped[str] = mapped_column(sa.String(32))
    detail: Mapped[dict[str, Any]]
    prev_hash: Mapped[str] = mapped_column(HASH)
    hash: Mapped[str] = mapped_column(HASH)


class ApiTokenRow(Base):
    __tablename__ = "api_tokens"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    hash: Mapped[str] = mapped_column(HASH, unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class SessionRow(Base):
    __tablename__ = "sessions"

    hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    actor: Mapped[str] = mapped_column(NAME)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LoginTokenRow(Base):
    """A link that opens one session. Used ones stay until they expire, to tell "used" from "unknown"."""

    __tablename__ = "login_tokens"

    hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class LayoutRow(Base):
    """Where a node of the graph stands in one view, in px."""

    __tablename__ = "layouts"

    view: Mapped[str] = mapped_column(NAME, primary_key=True)
    node: Mapped[str] = mapped_column(sa.String(512), primary_key=True)
    x: Mapped[float] = mapped_column(sa.Float(53))
    y: Mapped[float] = mapped_column(sa.Float(53))


class EventRow(Base):
    """A deployment or a note. `idempotency_key`: what its sender called it; `fingerprint`: of what was sent."""

    __tablename__ = "events"
    __table_args__ = (sa.UniqueConstraint("actor", "idempotency_key", name="uq_events_idempotency_key"),)

    # SQLite counts in INTEGER columns only.
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    service: Mapped[str | None] = mapped_column(sa.String(512), index=True)
    version: Mapped[str | None] = mapped_column(NAME)
    who: Mapped[str] = mapped_column(NAME)
    link: Mapped[str | None] = mapped_column(sa.String(2048))
    text: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str] = mapped_column(NAME)
    idempotency_key: Mapped[str | None] = mapped_column(sa.String(255))
    fingerprint: Mapped[str] = mapped_column(HASH)
