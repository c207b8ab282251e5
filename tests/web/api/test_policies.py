from __future__ import annotations

from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from tests.web.mesh import Mesh
from web.auth import Auth
from web.gate import CookieNames
from web.problems import MEDIA_TYPE

pytestmark = pytest.mark.anyio

SESSION_COOKIE, CSRF_COOKIE = CookieNames(80).session, CookieNames(80).csrf

URL = "/api/v1/policies"
RULE: dict[str, Any] = {"name": "rule", "target": {"service": "shop/payments"}, "timeout": "2s"}
AS_WRITTEN = """
name: payments-canary
target: {service: shop/payments, route: {path_prefix: /, headers: {}}, from: [shop/checkout]}
split: [{version: v1, weight: 90}, {version: v2, weight: 10}]
timeout: 2s
retry: {attempts: 2, per_try_timeout: 500ms, on: [5xx, reset, connect-failure]}
circuit_breaker: {max_connections: 100, max_pending_requests: 64, max_requests: 200, force: auto}
outlier_detection: {consecutive_5xx: 5, interval: 10s, base_ejection_time: 30s, max_ejection_percent: 50}
fault: {delay: {percent: 10, duration: 200ms}, abort: {percent: 1, status: 503}}
mirror: {version: v2, percent: 5}
lease: 15m
enabled: true
"""


async def put(api: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await api.put(f"{URL}/rule", json=RULE | fields)


async def test_the_life_of_a_policy(api: httpx.AsyncClient, mesh: Mesh) -> None:
    created = await put(api)
    assert (created.status_code, created.headers["etag"], created.headers["location"]) == (
        201,
        '"1"',
        f"{URL}/rule",
    )
    assert created.json()["outcome"] == "applied"
    assert [each["instance"] for each in created.json()["proxies"]["acked"]] == ["checkout-1", "front-1"]
    assert "'timeout': '2s'" in mesh.checkout.rules()

    changed = await api.put(f"{URL}/rule", json=RULE | {"timeout": "3s"}, headers={"if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')

    found = await api.get(f"{URL}/rule")
    assert found.headers["etag"] == '"2"'
    assert found.json() | {"revision": 2, "enabled": True, "expires_at": None} == found.json()
    assert found.json()["timeout"] == "3s"

    back = await api.post(f"{URL}/rule/rollback")
    assert (back.json()["revision"], back.json()["policy"]["timeout"]) == (3, "2s")

    assert (await api.delete(f"{URL}/rule", headers={"if-match": '"3"'})).status_code == 204
    assert (await api.get(f"{URL}/rule")).status_code == 404
    assert "'timeout': '2s'" not in mesh.checkout.rules()


async def test_a_policy_as_people_write_it(api: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/yaml"}
    answer = await api.put(f"{URL}/payments-canary", content=AS_WRITTEN, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["policy"]["expires_at"] == "2030-01-01T00:15:00Z"
    found = await api.get(f"{URL}/payments-canary", headers={"accept": "application/yaml"})
    assert found.headers["content-type"].startswith("application/yaml")
    assert yaml.safe_load(found.text) == yaml.safe_load(AS_WRITTEN.replace(" on:", " 'on':"))


async def test_what_was_read_can_be_sent_back(api: httpx.AsyncClient) -> None:
    await put(api)
    document = (await api.get(f"{URL}/rule")).json()
    answer = await api.put(f"{URL}/rule", json=document, headers={"if-match": '"1"'})
    assert (answer.status_code, answer.json()["revision"]) == (200, 2)


async def test_creating_needs_a_free_name(api: httpx.AsyncClient) -> None:
    created = await api.post(URL, json=RULE)
    assert (created.status_code, created.headers["location"]) == (201, f"{URL}/rule")
    again = await api.post(URL, json=RULE)
    assert (again.status_code, again.json()["title"]) == (409, "There already")
    only_new = await api.put(f"{URL}/rule", json=RULE, headers={"if-none-match": "*"})
    assert only_new.status_code == 412


async def test_the_list_has_the_shape_of_a_collection(api: httpx.AsyncClient) -> None:
    assert (await api.get(URL)).json() == {"items": [], "next_cursor": None}
    await put(api)
    items = (await api.get(URL)).json()["items"]
    assert [(each["name"], each["revision"], each["enabled"]) for each in items] == [("rule", 1, True)]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('"1"', 200),
        ("1", 200),
        ('W/"1"', 200),
        ("*", 200),
        ('"2"', 412),
        ('"0"', 412),
        ('"x"', 400),
        ("", 400),
    ],
)
async def test_if_match_protects_a_change_of_somebody_else(
    api: httpx.AsyncClient, header: str, status: int
) -> None:
    await put(api)
    answer = await api.put(f"{URL}/rule", json=RULE, headers={"if-match": header})
    assert answer.status_code == status
    if status == 412:
        assert answer.json()["revision"] == 1
    stale = await api.delete(f"{URL}/rule", headers={"if-match": '"9"'})
    assert (stale.status_code, stale.json()["revision"]) == (412, 2 if status == 200 else 1)


async def test_any_revision_needs_one_to_be_there(api: httpx.AsyncClient) -> None:
    answer = await api.put(f"{URL}/rule", json=RULE, headers={"if-match": "*"})
    assert answer.status_code == 412


async def test_an_invalid_policy_is_422_with_findings(api: httpx.AsyncClient) -> None:
    answer = await put(api, split=[{"version": "v9", "weight": 50}])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert {"split", "split[0].version"} == {error["field"] for error in answer.json()["errors"]}
    assert all(finding["fix"] for finding in answer.json()["findings"])


async def test_a_plan_reads_whatever_can_be_read(api: httpx.AsyncClient) -> None:
    good = await api.post(f"{URL}/rule/plan", json=RULE)
    assert (good.status_code, good.json()["valid"], good.json()["findings"]) == (200, True, [])
    assert "+timeout: 2s" in good.json()["diff"]
    assert len(good.json()["resources"]) == 2
    assert good.json()["blast_radius"]["callers"] == ["shop/checkout", "shop/front"]
    bad = await api.post(f"{URL}/rule/plan", json={"target": 7, "fault": {"abort": {"status": 42}}})
    assert (bad.status_code, bad.json()["valid"]) == (200, False)
    assert "fault.abort.status" in [finding["field"] for finding in bad.json()["findings"]]
    assert (
        await api.post(f"{URL}/rule/plan", content="{", headers={"content-type": "application/json"})
    ).status_code == 400
    assert (await api.get(URL)).json()["items"] == []


async def test_a_switch_can_be_planned_and_applied(api: httpx.AsyncClient, mesh: Mesh) -> None:
    await put(api)
    plan = await api.post(f"{URL}/rule/plan", json={"enabled": False})
    assert "+enabled: false" in plan.json()["diff"]
    off = await api.post(f"{URL}/rule/apply", json={"enabled": False}, headers={"if-match": '"1"'})
    assert (off.status_code, off.json()["policy"]["enabled"], off.headers["etag"]) == (200, False, '"2"')
    assert "'timeout': '2s'" not in mesh.checkout.rules()
    on = await api.post(f"{URL}/rule/apply", json={"enabled": True})
    assert on.json()["policy"]["enabled"] is True
    for body in ({"enabled": False}, {"enabled": True}):
        assert (await api.post(f"{URL}/nothing/apply", json=body)).status_code == 404
    assert (await api.post(f"{URL}/rule/apply", json={"enabled": "no"})).status_code == 422


async def test_apply_takes_a_whole_draft(api: httpx.AsyncClient) -> None:
    draft = {key: value for key, value in RULE.items() if key != "name"}
    answer = await api.post(f"{URL}/rule/apply?reason=because", json=draft)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "applied")
    revision = (await api.get(f"{URL}/rule/revisions")).json()["items"][0]
    assert (revision["actor"], revision["reason"]) == ("token:test", "because")


async def test_a_refusal_is_409_with_the_proxys_words(api: httpx.AsyncClient, mesh: Mesh) -> None:
    mesh.front.behaviour = "nack"
    answer = await put(api)
    assert answer.status_code == 409
    assert mesh.front.WORDS in answer.json()["detail"]
    assert answer.json()["proxies"]["nacked"][0]["message"] == mesh.front.WORDS
    assert (await api.get(f"{URL}/rule")).status_code == 404
    assert (await api.get(f"{URL}/rule/revisions")).json()["items"][0]["outcome"] == "failed"


async def test_an_early_end_of_the_wait_is_202(api: httpx.AsyncClient, mesh: Mesh) -> None:
    mesh.front.behaviour = "silent"
    answer = await api.post(f"{URL}/rule/apply?wait=100ms", json=RULE)
    assert (answer.status_code, answer.json()["outcome"], answer.json()["policy"]) == (202, "pending", None)
    assert "front-1" in [each["instance"] for each in answer.json()["proxies"]["pending"]]
    await mesh.front.speak()

    async def applied() -> bool:
        return (await api.get(f"{URL}/rule")).status_code == 200

    await mesh.until_async(applied)


async def test_revisions_come_in_pages(api: httpx.AsyncClient) -> None:
    for seconds in range(1, 6):
        await put(api, timeout=f"{seconds}s")
    first = (await api.get(f"{URL}/rule/revisions?limit=2")).json()
    second = (await api.get(f"{URL}/rule/revisions?limit=3&cursor={first['next_cursor']}")).json()
    assert [each["revision"] for each in first["items"] + second["items"]] == [5, 4, 3, 2, 1]
    assert second["next_cursor"] is None
    assert (second["items"][-1]["before"], second["items"][-1]["after"]["timeout"]) == (None, "1s")
    assert (await api.get(f"{URL}/nothing/revisions")).status_code == 404


async def test_the_path_and_the_body_name_one_policy(api: httpx.AsyncClient) -> None:
    for method, path in (("PUT", ""), ("POST", "/apply"), ("POST", "/plan")):
        answer = await api.request(method, f"{URL}/other{path}", json=RULE)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name")


@pytest.mark.parametrize("name", ["%00", "a%0ab", "x" * 300, "%F0%9F%92%A5", "%FF"])
async def test_names_that_no_policy_can_have(api: httpx.AsyncClient, name: str) -> None:
    assert (await api.get(f"{URL}/{name}")).status_code == 422
    assert (await api.put(f"{URL}/{name}", json=RULE)).status_code == 422


@pytest.mark.parametrize("name", ["'; DROP TABLE policies; --", "..", "UPPER", "a b", "-x"])
async def test_names_that_look_like_something_else(api: httpx.AsyncClient, name: str) -> None:
    body = {key: value for key, value in RULE.items() if key != "name"}
    path = (
        httpx.URL("http://localhost/")
        .join(URL + "/")
        .copy_with(raw_path=f"{URL}/{name}".replace(" ", "%20").encode())
    )
    answer = await api.put(path, json=body)
    assert answer.status_code in (404, 405, 422)
    assert (await api.get(URL)).json()["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        "wiat=5s",
        "wait=5",
        "wait=-1s",
        "wait=5m",
        "wait=61s",
        "to=0",
        "to=x",
        "to=99999999999",
        "to=1&to=2",
        "wait=٣s",
        "wait=5s%0A",
        "wait=" + "9" * 400 + "s",
    ],
)
async def test_parameters_are_checked(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.post(f"{URL}/rule/rollback?{query}")
    assert answer.status_code in (400, 422)
    assert query.split("=")[0] in answer.text


async def test_nobody_gets_in_without_a_token(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        for method, path in (("GET", ""), ("PUT", "/rule"), ("POST", "/rule/apply"), ("DELETE", "/rule")):
            assert (await client.request(method, f"{URL}{path}", json=RULE)).status_code == 401


async def test_a_browser_needs_the_csrf_header(app: FastAPI, mesh: Mesh) -> None:
    auth = Auth(mesh.database, mesh.clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        _, secret = auth.use_login_link(auth.issue_login_link())
        client.cookies.set(SESSION_COOKIE, secret)
        given = await client.get(URL)
        assert (await client.put(f"{URL}/rule", json=RULE)).status_code == 403
        header = {"x-csrftoken": given.cookies[CSRF_COOKIE]}
        assert (await client.put(f"{URL}/rule", json=RULE, headers=header)).status_code == 201
        revision = (await client.get(f"{URL}/rule/revisions")).json()["items"][0]
        assert revision["actor"] == "operator"
