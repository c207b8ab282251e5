"""Traffic rules that came into force or ended, as events on the line of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from store import policies
from store.engines import reads
from store.policies import GUARD_REVERTED, LEASE_ENDED, Revision

What = Literal["added", "changed", "enabled", "disabled", "lease_ended", "guard_reverted", "removed"]
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A revision of a policy that came into force. ``callers``: the rule is for these alone; empty: for all."""

    at: datetime
    policy: str
    revision: int
    what: What
    service: str
    callers: tuple[str, ...]
    actor: str
    reason: str
    kind: Literal["rule_change"] = "rule_change"

    @property
    def number(self) -> int:
        """Of its name and revision; orders those of one moment."""
        return int.from_bytes(sha256(f"{self.policy}\0{self.revision}".encode()).digest()[:7], "big")

    @property
    def name(self) -> str:
        """Its id."""
        return f"rule-{self.policy}-{self.revision}"


class RuleChanges:
    """Reads them from the control database. Methods block: from async code, in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._reads = reads(engine)

    def page(
        self,
        start: datetime | None,
        end: datetime | None,
        service: str | None,
        before: tuple[datetime, int] | None,
        limit: int,
    ) -> list[RuleChange]:
        """In ``[start, end)``, of rules for this target (None: any), the newest first; those of one moment by number.

        ``before``: moment and number of the last one of the page before.
        """
        with self._reads() as session:
            found: list[Revision] = []
            if before is not None:
                at = before[0]
                if (start is None or at >= start) and (end is None or at < end):
                    found = _of_moment(session, at, service)
                end = at if end is None else min(at, end)
            found += policies.changes(session, start, end, service, limit)
            if found:  # which of its moment come first, their numbers say
                found += _of_moment(session, found[-1].at, service)
        known = [_change(each) for each in {(each.name, each.revision): each for each in found}.values()]
        left = [each for each in known if before is None or (each.at, each.number) < before]
        return sorted(left, key=lambda each: (each.at, each.number), reverse=True)[:limit]


def _of_moment(session: Session, at: datetime, service: str | None) -> list[Revision]:
    return policies.changes(session, at, at + _MICROSECOND, service, None)


def _change(revision: Revision) -> RuleChange:
    aim = (revision.after or revision.before or {})["target"]
    return RuleChange(
        at=revision.at,
        policy=revision.name,
        revision=revision.revision,
        what=_what(revision),
        service=aim["service"],
        callers=tuple(aim.get("from") or ()),
        actor=revision.actor,
        reason=revision.reason,
    )


def _what(revision: Revision) -> What:
    before, after = revision.before, revision.after
    if revision.outcome == LEASE_ENDED:
        return "lease_ended"
    if revision.outcome == GUARD_REVERTED:
        return "guard_reverted"
    if after is None:
        return "removed"
    if before is None:
        return "added"
    if before.get("enabled", True) != after.get("enabled", True):
        return "enabled" if after.get("enabled", True) else "disabled"
    return "changed"
