"""``/api/v1/breakers``: what is open now, why, since when, and what is not known."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import polars as pl
import pytest
from sqlalchemy.engine import Engine

from collector import points
from collector.breaker_edges import TRANSITIONS
from collector.breakers import Breakers
from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.mesh import Mesh, Sidecar
from store import transitions
from store.policies import StoredPolicy
from tests.collector.messages import gauges
from tests.proxy_plugin.values import policy
from tests.web.api.graphs import client
from web.api import breakers
from web.breakers import LibraryState, MeshBreakers, OfLibraries
from web.policies.library_clients import LibraryBreaker, LibraryClients, Told, Who

pytestmark = pytest.mark.anyio

CLUSTER = "envoy.cluster."
RQ_OPEN = "circuit_breakers.default.rq_open"
OVERFLOW = "upstream_rq_pending_overflow"
TOTAL, HEALTHY = "membership_total", "membership_healthy"
EJECTED, PANIC = "outlier_detection.ejections_active", "lb_healthy_panic"
AGO = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class World:
    """What is reported, who is there, what is in force."""

    telemetry: Engine
    breakers: Breakers = field(default_factory=Breakers)
    mesh: Mesh = field(default_factory=Mesh)
    stored: list[StoredPolicy] = field(default_factory=list)
    told: list[LibraryState] = field(default_factory=list)
    api: httpx.AsyncClient = None  # type: ignore[assignment]

    def states(self) -> Iterable[LibraryState]:
        return self.told

    def report(self, values: dict[str, Any], ago: float = 0.0, **labels: str) -> None:
        named = {CLUSTER + name: value for name, value in values.items()}
        now = time.time() - ago
        changed = self.breakers.update(points.flatten([gauges(named, **labels).records]), now)
        transitions.write(self.telemetry, changed, "")

    async def policies(self) -> list[StoredPolicy]:
        return self.stored

    async def items(self, path: str = "", **asked: Any) -> list[dict[str, Any]]:
        answer = await self.api.get(f"/api/v1/breakers{path}", params=asked)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


@pytest.fixture
async def world(embedded_telemetry: Engine) -> AsyncIterator[World]:
    made = World(embedded_telemetry)
    found = MeshBreakers(made.breakers, libraries=made)
    parts = breakers.BreakerParts(found, lambda: made.mesh, made.policies, embedded_telemetry)
    async with client(breakers.router(parts)) as made.api:
        yield made


async def test_open_and_why_and_since_when(world: World) -> None:
    world.report({RQ_OPEN: 0, TOTAL: 2, HEALTHY: 2}, ago=8, cluster="b|*")
    world.report({RQ_OPEN: 1, TOTAL: 2, HEALTHY: 2}, ago=7, cluster="b|*")
    world.report({RQ_OPEN: 1, TOTAL: 2, HEALTHY: 2}, ago=1, cluster="b|*")
    (found,) = await world.items(state="open")
    assert (found["source"], found["instance"], found["target"], found["version"]) == ("a", "a-1", "b", None)
    assert [*found["reasons"]] == ["requests"]
    assert time.time() - datetime.fromisoformat(found["since"]).timestamp() == pytest.approx(7, abs=0.9)
    assert found["reasons"]["requests"] == found["since"]
    assert (found["hosts"], found["healthy"], found["ejected"], found["panic"]) == (2, 2, 0, False)
    assert found["limits"]["max_requests"] == 1024


async def test_tripped_counts_what_found_no_room_in_the_window(world: World) -> None:
    for ago, calls in ((50, 3), (30, 2), (10, 0)):
        world.report({OVERFLOW: calls}, ago=ago)
    (found,) = await world.items(start="now-60s")
    assert (found["state"], found["tripped"]["calls"]) == ("closed", 5)
    (found,) = await world.items(start="now-40s")
    assert found["tripped"]["calls"] == 2
    world.report({OVERFLOW: 1})
    assert [*(await world.items(state="open"))[0]["reasons"]] == ["overflow"]


async def test_ejected_hosts_and_panic(world: World) -> None:
    world.report({TOTAL: 2, HEALTHY: 1, EJECTED: 1}, cluster="b|v1")
    world.report({TOTAL: 2, HEALTHY: 0, EJECTED: 2}, cluster="b|v2")
    world.report({TOTAL: 2, HEALTHY: 0, EJECTED: 2, PANIC: 7}, cluster="c")
    one, none, panic = await world.items()
    assert (one["version"], one["state"], one["ejected"], [*one["reasons"]]) == (
        "v1",
        "closed",
        1,
        ["ejection"],
    )
    assert (none["state"], [*none["reasons"]]) == ("open", ["all_ejected", "ejection"])
    assert (panic["state"], panic["panic"], [*panic["reasons"]]) == ("closed", True, ["ejection", "panic"])


async def test_which_hosts_are_ejected_and_since_when(world: World) -> None:
    world.mesh = Mesh((Sidecar("a", "a-1", upstreams=("psp.test:443",)),))
    world.report({TOTAL: 2, HEALTHY: 1, EJECTED: 1}, cluster="psp.test_443")
    row = {
        "time": AGO.timestamp(),
        "source": "a",
        "instance": "a-1",
        "target": "psp.test_443",
        "version": "*",
    }
    rest = {"host": "h1:80", "before": "in", "state": "ejected", "reasons": "gateway_failure"}
    event = pl.DataFrame([row | rest | {"ejected": 0.0, "hosts": 0.0}], schema=TRANSITIONS)
    world.breakers.note(event)
    transitions.write(world.telemetry, event, "")
    (found,) = await world.items()
    told = {"host": "h1:80", "since": "2026-01-31T12:00:00Z", "reason": "gateway_failure"}
    assert found["ejected_hosts"] == [told]
    (change,) = await world.items("/transitions", start="2026-01-31T11:59:00Z", end="2026-01-31T12:01:00Z")
    assert (change["target"], change["host"], change["state"]) == ("psp.test:443", "h1:80", "ejected")


async def test_who_does_not_report_is_unknown_not_closed(world: World) -> None:
    caller = Sidecar("a", "a-1", upstreams=("b", "psp.test:443"))
    world.mesh = Mesh((caller, replace(caller, instance="a-2")))
    world.report({TOTAL: 1}, instance="a-1")
    world.report({TOTAL: 1}, instance="a-1", cluster="psp.test_443")
    found = {(each["instance"], each["target"]): each for each in await world.items()}
    assert {key: each["state"] for key, each in found.items()} == {
        ("a-1", "b"): "closed",
        ("a-1", "psp.test:443"): "closed",
        ("a-2", "b"): "unknown",
        ("a-2", "psp.test:443"): "unknown",
    }
    silent = found["a-2", "b"]
    assert (silent["since"], silent["reported"], silent["ejected"], silent["hosts"]) == (
        None,
        None,
        None,
        None,
    )
    assert len(await world.items(state="unknown")) == 2
    world.mesh = Mesh()
    world.report({TOTAL: 1}, ago=-31, instance="a-3")  # the others have been silent for too long
    states = {each["instance"]: each["state"] for each in await world.items(target="b")}
    assert states == {"a-3": "closed"}


async def test_forced_by_the_policy_in_force(world: World) -> None:
    held = policy("stop", service="b", circuit_breaker={"force": "open"}, lease="1m")
    world.mesh = Mesh(policies=(held,))
    world.stored = [StoredPolicy("stop", {}, 1, True, None, AGO, AGO)]
    world.report({TOTAL: 1})
    world.report({TOTAL: 1}, cluster="c")
    (found,) = await world.items(state="open")
    assert found["forced"] == {"state": "open", "policy": "stop", "since": "2026-01-31T12:00:00Z"}
    assert [each["forced"] for each in await world.items(target="c")] == [None]


async def test_half_open_where_a_library_says_so(world: World) -> None:
    now = time.time()
    world.told = [LibraryState("py", "py-1", "b", "half_open", now - 3)]
    world.report({TOTAL: 1})
    (found,) = await world.items(state="half_open")
    assert (found["source"], found["reporter"], found["limits"]) == ("py", "library", None)
    assert len(await world.items()) == 2


async def test_libraries_that_are_connected() -> None:
    clients = LibraryClients(ControlPlane(telemetry=TelemetryTarget(port=9)))
    who = Who("shop/py", "py-1", "v1")
    stream = clients.stream(who, frozenset({"shop/b"}))
    await anext(stream)
    told = [
        LibraryBreaker("shop/py", "py-1", "shop/b", "half_open", 5.0),
        LibraryBreaker("shop/py", "py-1", "psp.test:443", "open", 6.0, version="v2"),
    ]
    clients.report(who, Told("1", breakers=told))
    assert list(OfLibraries(clients).states()) == [
        LibraryState("shop/py", "py-1", "psp.test_443", "open", 6.0, "v2"),
        LibraryState("shop/py", "py-1", "shop/b", "half_open", 5.0),
    ]
    await stream.aclose()
    assert list(OfLibraries(clients).states()) == []


async def test_pages_meet(world: World) -> None:
    for number in range(5):
        world.report({TOTAL: 1}, instance=f"a-{number}")
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = (await world.api.get("/api/v1/breakers", params={"limit": 2, **cursor})).json()
        found += [each["instance"] for each in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    assert found == [f"a-{number}" for number in range(5)]
    assert page["next_cursor"] is None


async def test_transitions_in_pages(world: World) -> None:
    for ago, state in ((40, 0), (30, 1), (20, 0)):
        world.report({RQ_OPEN: state, TOTAL: 1}, ago=ago)
    asked = {"source": "a", "target": "b", "limit": "2"}
    first = (await world.api.get("/api/v1/breakers/transitions", params=asked)).json()
    assert [(each["before"], each["state"]) for each in first["items"]] == [
        ("open", "closed"),
        ("closed", "open"),
    ]
    assert first["items"][1]["reasons"] == ["requests"]
    rest = await world.items("/transitions", **asked, cursor=first["next_cursor"])
    assert [(each["before"], each["state"]) for each in rest] == [("unknown", "closed")]
    assert await world.items("/transitions", target="other") == []


@pytest.mark.parametrize("path", ["", "/transitions"])
@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"nothing": "1"}, 400),
        ({"cursor": "eA"}, 400),
        ({"start": "yesterday"}, 400),
        ({"limit": "0"}, 422),
        ({"source": "a\n"}, 422),
    ],
)
async def test_what_cannot_be_asked(world: World, path: str, asked: dict[str, str], status: int) -> None:
    assert (await world.api.get(f"/api/v1/breakers{path}", params=asked)).status_code == status


@pytest.mark.parametrize("text", ["' OR 1=1 --", "b'; DROP TABLE breaker_transitions; --", "%", "\\"])
async def test_values_are_values(world: World, text: str) -> None:
    world.report({TOTAL: 1})
    for path in ("", "/transitions"):
        assert await world.items(path, target=text) == []
        assert await world.items(path, source=text) == []
    assert len(await world.items("/transitions")) == 1
