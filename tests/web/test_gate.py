"""Who gets in, and what from other pages does not (without authentication: test_gate_off.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import Request
from sqlalchemy.engine import Engine

from tests.web.clock import Clock
from tests.web.doors import CSRF_COOKIE, HOST, SESSION_COOKIE, browse, handshake, make_app
from web.auth import Auth, csrf_token
from web.gate import Gate
from web.problems import MEDIA_TYPE

pytestmark = pytest.mark.anyio


@pytest.fixture
def auth(control: Engine, clock: Clock) -> Auth:
    return Auth(control, clock)


@pytest.fixture
async def stranger(auth: Auth) -> AsyncIterator[httpx.AsyncClient]:
    async with browse(make_app(auth)) as client:
        yield client


@pytest.fixture
async def browser(auth: Auth) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is signed in."""
    async with browse(make_app(auth)) as client:
        _, secret = auth.use_login_link(auth.issue_login_link())
        client.cookies.update({SESSION_COOKIE: secret, CSRF_COOKIE: csrf_token(secret)})
        yield client


# --- who gets in


@pytest.mark.parametrize(
    "path", ["/api/v1/who", "/api/", "/api", "/jaeger/api/traces", "/metrics", "/v1/traces"]
)
async def test_programs_without_credentials_are_told_401(stranger: httpx.AsyncClient, path: str) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/ui/_dash-layout", "/ui/assets/graph.js", "/_dash-component-suites/x.js"])
async def test_parts_of_a_page_are_not_sent_to_the_login(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 401
    assert (await stranger.post("/ui/_dash-update-component")).status_code == 401


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", "/login?next=%2F"),
        ("/ui/graph?a=1&b=%2F", "/login?next=%2Fui%2Fgraph%3Fa%3D1%26b%3D%252F"),
        ("/api/docs", "/login?next=%2Fapi%2Fdocs"),
        ("/apiary", "/login?next=%2Fapiary"),
        ("//evil.example/x", "/login?next=%2F%2Fevil.example%2Fx"),
    ],
)
async def test_pages_lead_to_the_login_and_back(auth: Auth, path: str, location: str) -> None:
    async with browse(make_app(auth)) as client:
        answer = await client.get(f"http://{HOST}{path}")
    assert (answer.status_code, answer.headers["location"]) == (303, location)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/login", "/login/login.css"])
async def test_some_paths_are_public(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/healthz/../api/v1/who", "/healthzz", "/login.css", "/healthz/x", "/HEALTHZ"]
)
async def test_paths_that_look_public_are_not(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code in (303, 401)


async def test_metrics_are_for_this_machine_or_a_token(auth: Auth) -> None:
    app = make_app(auth)
    async with browse(app, peer="127.0.0.1") as near, browse(app) as far:
        assert (await near.get("/metrics")).status_code == 200
        for handed_on in ("via", "forwarded", "x-real-ip", "x-forwarded-for", "X-Forwarded-Host"):
            assert (await near.get("/metrics", headers={handed_on: "8.8.8.8"})).status_code == 401
        for host in ("mesh.example", "a@localhost", "10.0.0.1:8080", ""):
            assert (await near.get("/metrics", headers={"host": host})).status_code == 401
        assert (await near.get("/api/v1/who")).status_code == 401
        token = {"authorization": f"Bearer {auth.create_token('prometheus')}"}
        assert (await far.get("/metrics", headers=token)).status_code == 200


async def test_a_session_gets_in_everywhere(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/api/v1/who")).json() == "operator"
    assert (await browser.get("/ui/graph")).json() == "ui/graph for operator"


async def test_a_session_ends(browser: httpx.AsyncClient, clock: Clock) -> None:
    clock.advance(hours=12)
    assert (await browser.get("/api/v1/who")).status_code == 401
    assert (await browser.get("/ui/graph")).status_code == 303


async def test_a_session_that_is_used_gets_a_fresh_cookie(browser: httpx.AsyncClient, clock: Clock) -> None:
    assert "set-cookie" not in (await browser.get("/")).headers
    clock.advance(minutes=6)
    renewed = (await browser.get("/")).headers.get_list("set-cookie")
    assert [value.split("=")[0] for value in renewed] == [SESSION_COOKIE, CSRF_COOKIE]
    assert all("Max-Age=43200" in value for value in renewed)


async def test_a_lost_csrf_cookie_is_given_again(browser: httpx.AsyncClient) -> None:
    browser.cookies.delete(CSRF_COOKIE)
    given = (await browser.get("/")).cookies
    assert given[CSRF_COOKIE] == csrf_token(given[SESSION_COOKIE])


async def test_cookies_of_others_do_no_harm(browser: httpx.AsyncClient) -> None:
    """Cookies know no ports: on localhost those of every other program arrive here too."""
    secret = browser.cookies[SESSION_COOKIE]
    browser.cookies.clear()
    header = {b"cookie": f'a b{{"=1; =; weird[]="q; {SESSION_COOKIE}={secret}; é=1'.encode()}
    assert (await browser.get("/api/v1/who", headers=header)).status_code == 200


async def test_a_bearer_needs_no_csrf(stranger: httpx.AsyncClient, auth: Auth) -> None:
    token = auth.create_token("ci")
    header = {"authorization": f"bearer  {token}"}
    assert (await stranger.post("/api/v1/who", headers=header)).json() == "token:ci"
    auth.revoke_token("ci")
    answer = await stranger.post("/api/v1/who", headers=header)
    assert (answer.status_code, "revoked" in answer.json()["detail"]) == (401, True)
    assert token not in answer.text
    assert (await stranger.get("/healthz", headers=header)).status_code == 200


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Basic dXNlcjpwdw==", "Token x", "Bearer \xff", "x" * 9000]
)
async def test_other_authorizations_are_refused(stranger: httpx.AsyncClient, value: str) -> None:
    headers = {b"authorization": value.encode("latin-1")}
    assert (await stranger.get("/api/v1/who", headers=headers)).status_code == 401


# --- forgery


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_change_by_cookie_needs_the_csrf_header(browser: httpx.AsyncClient, method: str) -> None:
    token = browser.cookies[CSRF_COOKIE]
    for headers, status in (
        ({}, 403),
        ({"x-csrftoken": ""}, 403),
        ({"x-csrftoken": token[:-1]}, 403),
        ({"x-csrftoken": csrf_token("another session")}, 403),
        ({"x-csrftoken": token}, 200),
        ({"x-csrf-token": token}, 200),
    ):
        answer = await browser.request(method, "/api/v1/who", headers=headers)
        assert answer.status_code == status, headers


async def test_a_planted_csrf_cookie_is_no_use(browser: httpx.AsyncClient) -> None:
    """Another program on a sibling domain may set cookies here; it cannot know the session's token."""
    browser.cookies.set(CSRF_COOKIE, "planted")
    answer = await browser.post("/api/v1/who", headers={"x-csrftoken": "planted"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": f"http://{HOST}"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": f"http://{HOST}.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[broken"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
async def test_a_change_comes_from_our_own_pages(
    browser: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    sent = headers | {"x-csrftoken": browser.cookies[CSRF_COOKIE]}
    assert (await browser.post("/api/v1/who", headers=sent)).status_code == status


# --- websockets


async def test_a_websocket_needs_a_session_and_our_origin(auth: Auth) -> None:
    app = make_app(auth)
    _, secret = auth.use_login_link(auth.issue_login_link())
    cookies = f"{SESSION_COOKIE}={secret}; {CSRF_COOKIE}={csrf_token(secret)}"
    assert await handshake(app) == "websocket.close"
    assert await handshake(app, cookie=cookies, origin="http://evil.example") == "websocket.close"
    assert await handshake(app, cookie=cookies, origin=f"http://{HOST}") == "websocket.accept"
    assert await handshake(app, authorization=f"Bearer {auth.create_token('ci')}") == "websocket.accept"


async def test_two_servers_on_one_host_keep_their_own_cookies(auth: Auth) -> None:
    """Browsers send the cookies of localhost:8080 to localhost:9090 as well."""
    app = make_app(auth)
    jar = httpx.Cookies()
    for port in (8080, 9090):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=f"http://127.0.0.1:{port}", cookies=jar
        ) as client:
            await client.get(f"/login?token={auth.issue_login_link()}")
            jar = client.cookies
    assert sorted(jar) == [
        "meshscope_csrf_8080",
        "meshscope_csrf_9090",
        "meshscope_session_8080",
        "meshscope_session_9090",
    ]


async def test_answers_that_last_can_ask_whether_the_credential_still_holds(auth: Auth) -> None:
    app = make_app(auth)
    answers: list[bool] = []

    @app.middleware("http")
    async def ask(request: Request, call_next: Any) -> Any:
        answers.append(await request.scope["state"]["admitted"]())
        return await call_next(request)

    app.add_middleware(Gate, auth=auth)
    async with browse(app) as client:
        token = {"authorization": f"Bearer {auth.create_token('ci')}"}
        _, secret = auth.use_login_link(auth.issue_login_link())
        await client.get("/api/v1/who", headers=token)
        await client.get("/api/v1/who", headers={"cookie": f"{SESSION_COOKIE}={secret}"})
    assert answers == [True, True]
    assert auth.holds_session(secret)
    auth.revoke_token("ci")
    auth.leave(secret)
    assert not auth.holds_session(secret)
    assert not auth.holds_token(token["authorization"].removeprefix("Bearer "))
