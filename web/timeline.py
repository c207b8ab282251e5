"""One line of time: what people and CI systems reported, rules that changed, edges that are new or have vanished."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, Literal

import polars as pl

from store.events import Asked, Event
from web.events import Events
from web.policies.rule_changes import RuleChange, RuleChanges
from web.problems import FieldError, Problem
from web.topology import Topology
from web.window import moment

Change = Literal["edge_new", "edge_vanished"]
REPORTED: Final = frozenset(("deployment", "note"))
CHANGES: Final[dict[str, Change]] = {"new": "edge_new", "vanished": "edge_vanished"}
RULED: Final = "rule_change"
KINDS: Final = REPORTED | {RULED} | frozenset(CHANGES.values())
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Place = tuple[int, int, int]
"""Where an event stands: µs, what it is (one of the below), its number. A later place comes first."""
_EDGE, _REPORT, _RULE = 0, 1, 2
_LAST: Final = 10**18  # above every number


@dataclass(frozen=True, slots=True)
class Happening:
    """An edge that is new, or has vanished."""

    kind: Change
    at: datetime
    source: str
    target: str
    edge_kind: str
    last_seen: datetime | None

    @property
    def number(self) -> int:
        """The same for the same event, whenever it is worked out."""
        facts = "\0".join((self.kind, self.source, self.target, self.edge_kind, self.at.isoformat()))
        return int.from_bytes(sha256(facts.encode("utf-8", "replace")).digest()[:7], "big")

    @property
    def name(self) -> str:
        """Its id."""
        return f"{self.kind}-{self.number:014x}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question for a page of events; times as people write them, None: no bound."""

    service: str | None
    kinds: frozenset[str]
    start: str | None
    end: str | None
    limit: int
    cursor: str | None


Each = Event | RuleChange | Happening


class Timeline:
    """Answers what happened. Methods block: from async code, in a thread."""

    def __init__(
        self, events: Events, rules: RuleChanges, topology: Topology, now: Callable[[], float] = time.time
    ) -> None:
        self._events, self._rules, self._topology, self._now = events, rules, topology, now

    def page(self, wanted: Wanted) -> tuple[list[Each], str | None]:
        """The newest first, and the cursor of the next page (None at the end). Raises a 400 problem for bad times."""
        now = self._now()
        start, end = _bounds(wanted, now)
        after: Place | None = None
        if wanted.cursor is not None:
            micros, what, number = wanted.cursor.split(".")
            after = int(micros), int(what), int(number)
        found: list[Each] = []
        if kinds := wanted.kinds & REPORTED:
            asked = Asked(start, end, wanted.service, kinds, _before(after, _REPORT))
            found += self._events.page(asked, wanted.limit + 1)
        if RULED in wanted.kinds:
            found += self._rules.page(start, end, wanted.service, _before(after, _RULE), wanted.limit + 1)
        if wanted.kinds & frozenset(CHANGES.values()):
            found += self._changes(wanted, now, start, end, after)
        found.sort(key=_place, reverse=True)
        page = found[: wanted.limit]
        more = len(found) > wanted.limit
        return page, ".".join(map(str, _place(page[-1]))) if more else None

    def _changes(
        self, wanted: Wanted, now: float, start: datetime | None, end: datetime | None, after: Place | None
    ) -> list[Happening]:
        """Those of the page, and one more if there are more."""
        rows = self._topology.changes(now)
        if wanted.service is not None:
            rows = rows.filter((pl.col("source") == wanted.service) | (pl.col("target") == wanted.service))
        found = [
            Happening(
                CHANGES[row["change"]], _time(row["at"]), row["source"], row["target"], row["kind"], last
            )
            for row in rows.iter_rows(named=True)
            for last in (None if row["last"] is None else _time(row["last"]),)
        ]
        inside = [
            each
            for each in found
            if each.kind in wanted.kinds
            and (start is None or each.at >= start)
            and (end is None or each.at < end)
            and (after is None or _place(each) < after)
        ]
        return sorted(inside, key=_place, reverse=True)[: wanted.limit + 1]


def _bounds(wanted: Wanted, now: float) -> tuple[datetime | None, datetime | None]:
    bounds: list[datetime | None] = []
    for field, text in (("start", wanted.start), ("end", wanted.end)):
        seconds = moment(text, now, field) if text is not None else None
        if seconds is not None and not 0 <= seconds < 2**32:
            raise _wrong(field, "out of range: 1970 to 2106")
        bounds.append(_EPOCH + timedelta(seconds=seconds) if seconds is not None else None)
    start, end = bounds
    if start is not None and end is not None and start >= end:
        raise _wrong("end", "`end` must be later than `start`")
    return start, end


def _place(each: Each) -> Place:
    micros = (each.at - _EPOCH) // _MICROSECOND
    match each:
        case Event():
            return micros, _REPORT, each.id
        case RuleChange():
            return micros, _RULE, each.number
    return micros, _EDGE, each.number


def _before(after: Place | None, what: int) -> tuple[datetime, int] | None:
    """A place among events of one sort: moment and number."""
    if after is None:
        return None
    micros, other, number = after
    return _EPOCH + micros * _MICROSECOND, number if what == other else _LAST if what < other else 0


def _time(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _wrong(field: str, message: str) -> Problem:
    return Problem(
        400, "Invalid time", f"{field}: {message}", errors=[FieldError(field=field, message=message)]
    )
