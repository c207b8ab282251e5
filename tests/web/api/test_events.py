"""``/api/v1/events``: reported ones, and edges that come and go, on one line of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from store import calls
from store.events import Asked
from tests.store.test_topology import HOUR, PAIR, of
from tests.store.test_topology import START as TOPOLOGY_START
from tests.web.clock import Clock
from tests.web.happened import ruled, timeline
from tests.web.mesh import until
from web import problems
from web.api import events as routes
from web.auth import Auth
from web.events import Events, Report
from web.gate import Gate

pytestmark = pytest.mark.anyio
URL = "/api/v1/events"
DEPLOYED = {"service": "shop/payments", "version": "v2", "link": "https://ci.test/job/17"}
NOW = TOPOLOGY_START + 10 * HOUR


@pytest.fixture
async def api(control: Engine, telemetry: Engine, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an API token; ``clock`` stands at NOW."""
    clock.now += timedelta(seconds=NOW - clock.now.timestamp())
    events = Events(control, clock)
    line = timeline(control, telemetry, lambda: clock.now.timestamp())
    app = FastAPI()
    problems.install(app)
    auth = Auth(control, clock)
    app.add_middleware(Gate, auth=auth)
    app.include_router(routes.router(events, line))
    headers = {"authorization": f"Bearer {auth.create_token('ci')}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        yield client


async def report(api: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await api.post(URL, json=DEPLOYED | body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(api: httpx.AsyncClient, **parameters: Any) -> list[dict[str, Any]]:
    answer = await api.get(URL, params=parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_deployment_is_reported_and_listed(api: httpx.AsyncClient) -> None:
    made = await report(api, who="jenkins", text="canary\n10 %", at="2023-11-14T22:00:00.5Z")
    assert made == {
        "id": "1",
        "kind": "deployment",
        "at": "2023-11-14T22:00:00.500000Z",
        "service": "shop/payments",
        "version": "v2",
        "who": "jenkins",
        "link": "https://ci.test/job/17",
        "text": "canary\n10 %",
        "actor": "token:ci",
        "edge": None,
        "last_seen": None,
        "rule": None,
    }
    assert (await api.get(URL)).json() == {"items": [made], "next_cursor": None}


async def test_what_may_be_left_out(api: httpx.AsyncClient) -> None:
    made = (await api.post(URL, json={"kind": "note", "text": "chaos day"})).json()
    assert (made["who"], made["service"], made["version"], made["link"]) == ("token:ci", None, None, None)
    at = await api.post(URL, content="{service: a, at: 1700000000.25}", headers={"content-type": "text/yaml"})
    assert at.json()["at"] == "2023-11-14T22:13:20.250000Z"


async def test_what_is_wrong_is_a_problem(api: httpx.AsyncClient) -> None:
    for body, status, fields in (
        ({"kind": "edge_new", "nonsense": 1}, 422, ["kind", "nonsense"]),
        ({"at": "2999-01-01T00:00:00Z"}, 422, ["at"]),
        ({"at": "soon"}, 422, ["at"]),
        ({"at": -1}, 422, ["at"]),
    ):
        answer = await api.post(URL, json=DEPLOYED | body)
        assert answer.status_code == status
        assert [error["field"] for error in answer.json()["errors"]] == fields
    for content, kind, status in (
        ("{", "application/json", 400),
        ("[]", "text/yaml", 400),
        ("a=b", "text/plain", 415),
    ):
        answer = await api.post(URL, content=content, headers={"content-type": kind})
        assert answer.status_code == status
    assert await listed(api) == []


async def test_a_key_makes_sending_again_harmless(api: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "build-17"}
    first = await api.post(URL, json=DEPLOYED, headers=key)
    again = await api.post(URL, json=DEPLOYED, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = await api.post(URL, json=DEPLOYED | {"version": "v3"}, headers=key)
    assert other.status_code == 422
    assert len(await listed(api)) == 1
    assert (await api.post(URL, json=DEPLOYED, headers={"Idempotency-Key": "a b"})).status_code == 422


async def test_who_may_report(api: httpx.AsyncClient, control: Engine) -> None:
    assert (await api.post(URL, json=DEPLOYED, headers={"authorization": ""})).status_code == 401
    await report(api)
    with control.connect() as connection:
        found = connection.execute(sa.text("SELECT actor, action, subject, outcome FROM audit")).all()
    assert found == [("token:ci", "event.report", "shop/payments", "applied")]


async def test_edges_stand_between_what_was_reported(api: httpx.AsyncClient, telemetry: Engine) -> None:
    calls.write(telemetry, of(PAIR, at=HOUR))
    made = await report(api, at=TOPOLOGY_START + HOUR, service="a")
    await report(api, at=TOPOLOGY_START + 3 * HOUR)
    items = await listed(api)
    assert [each["kind"] for each in items] == ["deployment", "edge_vanished", "deployment", "edge_new"]
    vanished, new = items[1], items[3]
    assert new["edge"] == vanished["edge"] == {"source": "a", "target": "b", "kind": "call"}
    assert (vanished["last_seen"], new["last_seen"]) == (made["at"], None)
    assert len({each["id"] for each in items}) == 4
    for question, kinds in (
        ({"service": "b"}, ["edge_vanished", "edge_new"]),
        ({"service": "a"}, ["edge_vanished", "deployment", "edge_new"]),
        ({"kind": "edge_new"}, ["edge_new"]),
        ({"kind": ["edge_vanished", "note"]}, ["edge_vanished"]),
        (
            {"start": str(TOPOLOGY_START + HOUR), "end": str(TOPOLOGY_START + 2 * HOUR)},
            ["deployment", "edge_new"],
        ),
        ({"start": str(TOPOLOGY_START + HOUR + 1)}, ["deployment", "edge_vanished"]),
    ):
        assert [each["kind"] for each in await listed(api, **question)] == kinds, question


async def test_pages_neither_repeat_nor_miss(api: httpx.AsyncClient, telemetry: Engine) -> None:
    """Some of one moment."""
    calls.write(telemetry, of("1 C a; 2<1 S b; t2 1 C a; t2 2<1 S c", at=HOUR))
    for version in ("v1", "v2"):
        await report(api, at=TOPOLOGY_START + HOUR, version=version)
    whole = await listed(api)
    assert len(whole) == 6
    for limit in (1, 2, 3, 6):
        assert await paged(api, limit) == whole, limit


async def paged(api: httpx.AsyncClient, limit: int) -> list[dict[str, Any]]:
    """All events, so many a page."""
    found: list[dict[str, Any]] = []
    question: dict[str, Any] = {"limit": limit}
    while True:
        page = (await api.get(URL, params=question)).json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        question["cursor"] = page["next_cursor"]


async def test_events_are_kept_for_a_while(api: httpx.AsyncClient, control: Engine, clock: Clock) -> None:
    """What is older is not taken, and what becomes older is removed."""
    events = Events(control, clock, timedelta(days=1))
    assert (await report(api, at="now-23h"))["id"] == "1"
    await report(api)
    assert events.forget() == 0
    clock.now += timedelta(hours=2)
    with pytest.raises(problems.Problem) as refused:
        events.report(Report.model_validate({"service": "a", "at": "now-25h"}), "ci")
    assert "not older than events are kept" in (refused.value.detail or "")
    assert (events.forget(), events.forget()) == (1, 0)
    assert [each["id"] for each in await listed(api, kind="deployment")] == ["2"]


async def test_old_events_are_removed_while_the_server_runs(control: Engine, clock: Clock) -> None:
    events = Events(control, clock, timedelta(days=1))
    events.report(Report.model_validate({"service": "a"}), "ci")
    clock.now += timedelta(days=2)
    running = asyncio.create_task(events.keep_forgetting())
    await until(lambda: not events.page(Asked(), 1))
    running.cancel()


async def test_rules_that_change_are_events(api: httpx.AsyncClient, control: Engine) -> None:
    start = TOPOLOGY_START
    ruled(control, start, timeout="1s")
    ruled(control, start + 1, timeout="2s")
    ruled(control, start + 2, "slow", "failed", timeout="3s")
    ruled(control, start + 3, timeout="2s", enabled=False)
    ruled(control, start + 4)
    aim = {"service": "b", "from": ["a"]}
    ruled(control, start + 5, "other", "lease_ended", target=aim, timeout="1s", enabled=False)
    found = await listed(api, kind="rule_change")
    said = [(each["rule"]["policy"], each["rule"]["revision"], each["rule"]["what"]) for each in found]
    assert said == [
        ("other", 1, "lease_ended"),
        ("slow", 5, "removed"),
        ("slow", 4, "disabled"),
        ("slow", 2, "changed"),
        ("slow", 1, "added"),
    ]
    assert (found[0]["service"], found[0]["rule"]["callers"]) == ("b", ["a"])
    assert (found[1]["service"], found[1]["who"], found[1]["text"]) == ("shop/payments", "ann", "why")
    assert [each["id"] for each in await listed(api, service="b")] == ["rule-other-1"]
    inside = await listed(api, start=str(start + 1), end=str(start + 4))
    assert [each["rule"]["revision"] for each in inside] == [4, 2]
    assert await listed(api, kind="deployment") == []


async def test_pages_of_rules_of_one_moment(api: httpx.AsyncClient, control: Engine) -> None:
    """Between reports of the same moment."""
    for name in ("p", "q", "r", "s", "t"):
        ruled(control, TOPOLOGY_START + HOUR, name, timeout="1s")
    ruled(control, TOPOLOGY_START, "u", timeout="1s")
    for version in ("v1", "v2"):
        await report(api, at=TOPOLOGY_START + HOUR, version=version)
    whole = await listed(api)
    assert len({each["id"] for each in whole}) == 8
    for limit in (1, 2, 3, 4, 8):
        assert await paged(api, limit) == whole, limit


async def test_parameters_are_checked(api: httpx.AsyncClient) -> None:
    queries = [
        "kind=deploy",
        "limit=0",
        "limit=1001",
        "cursor=x",
        "cursor=1.3.3",
        "service=%00",
        "service=",
        "nmae=a",
    ]
    queries += ["start=soon", "end=-1", "start=now&end=now-1h", "start=9999999999", "service=a&service=b"]
    answers = {query: (await api.get(f"{URL}?{query}")).status_code for query in queries}
    assert {query for query, status in answers.items() if status not in (400, 422)} == set()


async def test_any_cursor_of_the_right_shape_is_a_place(api: httpx.AsyncClient) -> None:
    await report(api)
    assert await listed(api, cursor=f"{'9' * 17}.1.{'9' * 18}") == await listed(api)
    assert await listed(api, cursor="0.0.0") == []
