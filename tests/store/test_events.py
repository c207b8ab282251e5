from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from store import events
from store.engines import reads, writes
from store.events import Asked, Event

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def deployed(version: str, at: datetime = NOON, service: str = "shop/payments", **more: Any) -> Event:
    facts: dict[str, Any] = {
        "kind": "deployment",
        "who": "ann",
        "link": None,
        "text": "",
        "actor": "token:ci",
    }
    return Event(at=at, service=service, version=version, **(facts | more))


def add(engine: Engine, *found: Event) -> None:
    with writes(engine).begin() as session:
        for event in found:
            events.add(session, event)


def versions(engine: Engine, **asked: Any) -> list[str | None]:
    with reads(engine)() as session:
        return [event.version for event in events.page(session, Asked(**asked), 100)]


def test_what_was_stored_comes_back(engine: Engine) -> None:
    told = deployed("v2", NOON + timedelta(microseconds=1), link="https://ci.test/1", text="ünd\n'; --")
    with writes(engine).begin() as session:
        stored = events.add(session, told, key="k", fingerprint="f")
    with reads(engine)() as session:
        assert events.page(session, Asked(), 10) == [stored]
        assert events.of_key(session, "token:ci", "k") == (stored, "f")
        assert events.of_key(session, "token:other", "k") is None
    assert stored == Event(
        told.at, "deployment", "shop/payments", "v2", "ann", told.link, told.text, "token:ci", 1
    )


def test_the_newest_first_and_pages_without_gaps(engine: Engine) -> None:
    """Three of one moment: the later stored one is the newer one."""
    add(engine, deployed("a"), deployed("late", NOON + MINUTE), deployed("b"), deployed("c"))
    assert versions(engine) == ["late", "c", "b", "a"]
    found: list[str | None] = []
    before = None
    for _ in range(4):
        with reads(engine)() as session:
            (event,) = events.page(session, Asked(before=before), 1)
        found.append(event.version)
        before = (event.at, event.id)
    assert found == versions(engine)
    assert versions(engine, before=before) == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"start": NOON}, ["c", "b"]),
        ({"end": NOON}, ["a"]),
        ({"start": NOON, "end": NOON + MINUTE}, ["b"]),
        ({"service": "ship/post"}, ["c"]),
        ({"kinds": ["note"]}, ["b"]),
        ({"kinds": []}, []),
        ({"service": "' OR 1=1 --"}, []),
    ],
)
def test_what_is_asked_for(engine: Engine, asked: dict[str, Any], expected: list[str]) -> None:
    add(engine, deployed("a", NOON - MINUTE), deployed("b", kind="note"))
    add(engine, deployed("c", NOON + MINUTE, "ship/post"))
    assert versions(engine, **asked) == expected


def test_a_key_is_used_once_by_each(engine: Engine) -> None:
    with writes(engine).begin() as session:
        events.add(session, deployed("a"), key="k")
        events.add(session, deployed("b", actor="token:other"), key="k")
        events.add(session, deployed("c"))
        events.add(session, deployed("d"))
    with pytest.raises(sa.exc.IntegrityError), writes(engine).begin() as session:
        events.add(session, deployed("e"), key="k")
    assert versions(engine) == ["d", "c", "b", "a"]


def test_old_events_are_removed_with_their_keys(engine: Engine) -> None:
    with writes(engine).begin() as session:
        events.add(session, deployed("v1", NOON - MINUTE), key="k", fingerprint="f")
        events.add(session, deployed("v2"))
        assert events.remove_before(session, NOON) == 1
        assert events.of_key(session, "token:ci", "k") is None
    assert versions(engine) == ["v2"]
