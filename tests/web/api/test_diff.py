"""``/api/v1/graph/diff``."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine

from collector.rollup import LiveWindow
from store import calls
from tests.collector.series import versioned
from tests.web.api.graphs import client, graphs
from tests.web.happened import deployed, ruled, timeline
from web import markers
from web.api import diff

pytestmark = pytest.mark.anyio
A, B = {"a_start": "0", "a_end": "60"}, {"b_start": "60", "b_end": "120"}
BEFORE = versioned([("x/a", "x/b", "v1", "", 600, 6), ("x/a", "old", "", "", 100, 0)], time=30)
AFTER = versioned([("x/a", "x/b", "v2", "", 1200, 80), ("x/a", "y/new", "", "", 3, 0)], time=90)


@pytest.fixture
async def http(control: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client(diff.router(graphs(control, BEFORE, AFTER), timeline(control))) as opened:
        yield opened


async def get(http: httpx.AsyncClient, **parameters: str) -> dict[str, Any]:
    answer = await http.get("/api/v1/graph/diff", params={**A, **B, **parameters})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    diff.Diff.model_validate(document)
    return document


async def test_added_removed_changed(http: httpx.AsyncClient) -> None:
    document = await get(http)
    (added,), (removed,) = document["added"]["edges"], document["removed"]["edges"]
    assert (added["target"], added["calls"], added["significant"]) == ("y/new", 3, False)
    assert (removed["target"], removed["calls"], removed["significant"]) == ("old", 100, True)
    assert [n["id"] for n in document["added"]["nodes"]] == ["y/new"]
    (changed,) = document["changed"]["edges"]
    assert (changed["source"], changed["target"], changed["significant"]) == ("x/a", "x/b", True)
    assert changed["rate"] == {
        "a": 10,
        "b": 20,
        "change": 10,
        "p_value": changed["rate"]["p_value"],
        "significant": True,
    }
    assert changed["rate"]["p_value"] < 1e-6
    assert changed["error_rate"]["change"] == pytest.approx(80 / 1200 - 0.01, abs=1e-6)
    assert changed["p95_ms"]["change"] == 0
    assert document["test"]["level"] == 0.05


async def test_only_what_is_significant(http: httpx.AsyncClient) -> None:
    document = await get(http, only_significant="true")
    assert document["added"] == {"nodes": [], "edges": []}
    assert len(document["removed"]["edges"]) == len(document["changed"]["edges"]) == 1


@pytest.mark.parametrize("group_by", ["service", "version", "namespace", "operation"])
async def test_a_window_does_not_differ_from_itself(http: httpx.AsyncClient, group_by: str) -> None:
    document = await get(http, b_start="0", b_end="60", group_by=group_by)
    for part in ("added", "removed", "changed"):
        assert document[part] == {"nodes": [], "edges": []}


async def test_a_new_version_is_a_new_node(http: httpx.AsyncClient) -> None:
    document = await get(http, group_by="version")
    assert "x/b@v2" in [n["id"] for n in document["added"]["nodes"]]
    assert "x/b@v1" in [n["id"] for n in document["removed"]["nodes"]]


async def test_focus_and_namespace(http: httpx.AsyncClient) -> None:
    near = await get(http, focus="y/new")
    assert [e["target"] for e in near["added"]["edges"]] == ["y/new"]
    assert near["removed"]["edges"] == near["changed"]["edges"] == []
    assert [e["target"] for e in (await get(http, namespace="y"))["added"]["edges"]] == ["y/new"]
    assert (await get(http, namespace="z"))["changed"]["edges"] == []


@pytest.mark.parametrize(
    ("parameters", "status", "field"),
    [
        ({"a_start": "soon"}, 400, "a_start"),
        ({"b_end": "60"}, 400, "b_end"),
        ({"a_end": "99999999999"}, 400, "a_end"),
        ({"start": "0"}, 400, "start"),
        ({"idle": "true"}, 400, "idle"),
        ({"group_by": "'"}, 422, "group_by"),
        ({"b_start": "' OR 1=1 --"}, 400, "b_start"),
    ],
)
async def test_what_is_wrong_is_named(
    http: httpx.AsyncClient, parameters: dict[str, str], status: int, field: str
) -> None:
    answer = await http.get("/api/v1/graph/diff", params={**A, **B, **parameters})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)


async def test_markers_stand_at_what_they_concern(http: httpx.AsyncClient, control: Engine) -> None:
    """In the diff: deployments and rules from the start of a to the end of b, of what is compared."""
    deployment = deployed(control, 60, "x/b")
    for at, service in ((60, "z/else"), (121, "x/b")):
        deployed(control, at, service)
    of_all = ruled(control, 0, "p", target={"service": "x/b"}, timeout="1s")
    of_another = ruled(control, 70, "q", target={"service": "x/b", "from": ["y/c"]}, timeout="1s")
    of_caller = ruled(control, 80, "r", target={"service": "x/b", "from": ["x/a"]}, timeout="1s")
    document = await get(http)
    assert [each["id"] for each in document["markers"]] == [of_caller, of_another, deployment, of_all]
    assert document["markers"][2]["version"] == "v2"
    (changed,) = document["changed"]["edges"]
    assert {*changed["markers"]} == {deployment, of_all, of_caller}
    nodes = {each["id"]: each["markers"] for each in document["changed"]["nodes"]}
    assert {*nodes["x/b"]} == {deployment, of_all, of_another, of_caller}
    assert document["added"]["edges"][0]["markers"] == document["removed"]["edges"][0]["markers"] == []
    swapped = await get(http, **{"a_start": "60", "a_end": "120", "b_start": "0", "b_end": "60"})
    assert swapped["markers"] == document["markers"]


async def test_markers_are_those_of_the_window_however_many_came_since(
    http: httpx.AsyncClient, control: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markers, "AT_ONCE", 2)
    asked = [deployed(control, at, "x/b") for at in (10, 60, 60, 110)]
    for at in (120, 130, 140):
        deployed(control, at, "x/b")
    deployed(control, 50, "z/else")
    ruled_ = ruled(control, 60, "p", target={"service": "x/b"}, timeout="1s")
    found = [each["id"] for each in (await get(http))["markers"]]
    assert (found[0], found[-1]) == (asked[3], asked[0])
    assert sorted(found) == sorted([*asked, ruled_])


@pytest.mark.parametrize(
    ("group_by", "node", "part"),
    [("version", "x/b@v2", "added"), ("namespace", "x", "changed"), ("operation", "x/b", "changed")],
)
async def test_markers_of_the_parts_of_a_service(
    http: httpx.AsyncClient, control: Engine, group_by: str, node: str, part: str
) -> None:
    marker = deployed(control, 60, "x/b")
    document = await get(http, group_by=group_by)
    (found,) = (each for each in document[part]["nodes"] if each["id"] == node)
    assert found["markers"] == [marker]
    assert (await get(http, group_by=group_by, namespace="z"))["markers"] == []


async def test_markers_of_both_ends_are_told_once(http: httpx.AsyncClient, control: Engine) -> None:
    told = [deployed(control, 61, "x/a"), deployed(control, 60, "x/b")]
    (changed,) = (await get(http, group_by="namespace"))["changed"]["edges"]
    assert (changed["source"], changed["target"]) == ("x", "x")
    assert changed["markers"] == told


async def test_two_windows_of_the_past_come_from_the_store(telemetry: Engine, control: Engine) -> None:
    """Two hours ago: nothing of that is in memory."""
    past = int(time.time()) // 60 * 60 - 7200
    calls.write(telemetry, versioned([("x/a", "x/b", "v1", "", 600, 6)], time=past + 30))
    after = [("x/a", "x/b", "v2", "", 1200.0, 80.0), ("x/a", "y/new", "", "", 3.0, 0.0)]
    calls.write(telemetry, versioned(after, time=past + 90))
    times = {"a_start": past, "a_end": past + 60, "b_start": past + 60, "b_end": past + 120}
    async with client(diff.router(graphs(telemetry, live=LiveWindow()), timeline(control))) as http:
        document = await get(http, **{name: str(at) for name, at in times.items()})
    assert [e["target"] for e in document["added"]["edges"]] == ["y/new"]
    assert document["changed"]["edges"][0]["rate"]["change"] == 10
