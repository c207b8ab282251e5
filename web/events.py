"""Deployments and notes: what a report must say, and how it is kept."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import structlog
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from store import audit, events
from store.engines import reads, writes
from store.events import Asked, Event
from web.problems import FieldError, Problem, field_path
from web.window import moment

log = structlog.get_logger(__name__)

AHEAD: Final = timedelta(minutes=5)
"""How far the clock of a sender may be ahead of ours (as R8 has it for calls)."""
_LOOK_AGAIN: Final = 3600.0  # s


def _word(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("printable characters, not only blanks")
    return text


def _prose(text: str) -> str:
    if any(not (char.isprintable() or char in "\n\t") for char in text):
        raise ValueError("printable characters, tabs and line ends")
    return text


def _link(text: str) -> str:
    """Shown as a link: nothing that runs, and no password."""
    parts = urlsplit(_word(text))  # ValueError for a host that is none
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in text:
        raise ValueError("an address such as https://ci.example.com/job/17")
    if "@" in parts.netloc:
        raise ValueError("no user name or password in a link")
    return text


def _number(value: Any) -> Any:
    """Unix seconds may come as a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return f"{value:.6f}"


class Report(BaseModel):
    """The body of ``POST /api/v1/events``."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["deployment", "note"] = Field(
        "deployment", description="A deployment needs a `service`, a note a `text`", examples=["deployment"]
    )
    service: Annotated[str, AfterValidator(_word)] | None = Field(
        None, max_length=512, description="Node id of what it is about", examples=["shop/payments"]
    )
    version: Annotated[str, AfterValidator(_word)] | None = Field(
        None, max_length=253, description="The version that was deployed", examples=["v2"]
    )
    who: Annotated[str, AfterValidator(_word)] | None = Field(
        None, max_length=253, description="Who did it; default: the name of the token", examples=["jenkins"]
    )
    link: Annotated[str, AfterValidator(_link)] | None = Field(
        None,
        max_length=2048,
        description="Where to read more: http or https",
        examples=["https://ci.example.com/job/payments/17"],
    )
    text: Annotated[str, AfterValidator(_prose)] = Field(
        "", max_length=2000, description="More, in words", examples=["canary, 10 %"]
    )
    at: Annotated[str, Field(max_length=64), BeforeValidator(_number)] = Field(
        "now",
        description="When: RFC 3339, unix seconds (also as a number) or relative; at most 5 minutes ahead",
        examples=["2026-01-31T12:00:00Z"],
        json_schema_extra={"type": ["string", "number"]},
    )

    @model_validator(mode="after")
    def _complete(self) -> Report:
        if self.kind == "deployment" and self.service is None:
            raise ValueError("a deployment is of a service: `service` is missing")
        if self.kind == "note" and not self.text.strip():
            raise ValueError("a note says something: `text` is missing")
        return self


def read_report(body: dict[str, Any]) -> Report:
    """Raises a 422 problem that names every field that is wrong."""
    try:
        return Report.model_validate(body)
    except ValidationError as error:
        found = [
            FieldError(field=field_path(each["loc"]) or "body", message=each["msg"])
            for each in error.errors()
        ]
    detail = "; ".join(f"{each.field}: {each.message}" for each in found)
    raise Problem(422, "Invalid event", detail, errors=found)


class Events:
    """Events in the control database. Methods block: from async code, in a thread."""

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        kept: timedelta = timedelta(days=365),
    ) -> None:
        self._reads, self._writes, self._now, self._kept = reads(engine), writes(engine), now, kept

    def report(self, report: Report, actor: str, key: str | None = None) -> tuple[Event, bool]:
        """Store it and its audit entry; the event, and whether it is a new one.

        ``key``: sent again, it means the event of before. Raises a 422 problem for a time out of range, and for a
        key that stands for another report.
        """
        try:
            return self._report(report, actor, key)
        except IntegrityError:  # somebody stored the same key at the same moment
            return self._report(report, actor, key)

    def page(self, asked: Asked, limit: int) -> list[Event]:
        """The newest first."""
        with self._reads() as session:
            return events.page(session, asked, limit)

    def forget(self) -> int:
        """Remove what is older than events are kept; how many there were."""
        with self._writes.begin() as session:
            return events.remove_before(session, self._now() - self._kept)

    async def keep_forgetting(self) -> None:
        """The same, once in a while. Runs until it is cancelled."""
        while True:
            try:
                if count := await asyncio.to_thread(self.forget):
                    log.info("events_forgotten", count=count)
            except SQLAlchemyError:
                log.exception("events_not_forgotten")
            await asyncio.sleep(_LOOK_AGAIN)

    def _report(self, report: Report, actor: str, key: str | None) -> tuple[Event, bool]:
        fingerprint = sha256(json.dumps(report.model_dump(), sort_keys=True).encode()).hexdigest()
        with self._writes.begin() as session:
            if key is not None and (known := events.of_key(session, actor, key)):
                event, before = known
                if before != fingerprint:
                    raise Problem(422, "Key used before", "This Idempotency-Key stands for another event.")
                return event, False
            event = events.add(session, self._event(report, actor), key=key, fingerprint=fingerprint)
            audit.append(
                session,
                actor=actor,
                action="event.report",
                subject=event.service or event.kind,
                outcome="applied",
                detail={"id": event.id, "kind": event.kind, "version": event.version, "link": event.link},
                at=self._now(),
            )
        return event, True

    def _event(self, report: Report, actor: str) -> Event:
        return Event(
            at=self._time(report.at),
            kind=report.kind,
            service=report.service,
            version=report.version,
            who=report.who or actor,
            link=report.link,
            text=report.text,
            actor=actor,
        )

    def _time(self, text: str) -> datetime:
        now = self._now()
        try:
            seconds = moment(text, now.timestamp(), "at")
        except Problem as problem:  # 400 for a parameter, 422 for a part of a body
            raise Problem(422, "Invalid event", problem.detail, errors=problem.errors) from None
        if not max(0.0, (now - self._kept).timestamp()) <= seconds <= (now + AHEAD).timestamp():
            message = f"not older than events are kept ({self._kept}), nor more than five minutes from now"
            raise Problem(
                422, "Invalid event", f"at: {message}", errors=[FieldError(field="at", message=message)]
            )
        return datetime.fromtimestamp(seconds, UTC)
