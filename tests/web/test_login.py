from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from sqlalchemy.engine import Engine

from tests.web.clock import Clock
from web.auth import Auth
from web.gate import CookieNames, Gate
from web.login import router, safe_target

pytestmark = pytest.mark.anyio

SESSION_COOKIE, CSRF_COOKIE = CookieNames(8080).session, CookieNames(8080).csrf


def make_app(auth: Auth | None) -> FastAPI:
    app = FastAPI()
    app.add_middleware(Gate, auth=auth)
    app.include_router(router(auth))

    @app.get("/ui/graph")
    async def graph(request: Request) -> str:
        return str(request.scope["state"]["actor"].name)

    return app


def browse(app: FastAPI, base: str = "http://localhost:8080") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)


@pytest.fixture
def auth(control: Engine, clock: Clock) -> Auth:
    return Auth(control, clock)


@pytest.fixture
async def client(auth: Auth) -> AsyncIterator[httpx.AsyncClient]:
    async with browse(make_app(auth)) as client:
        yield client


async def test_a_link_signs_in_and_leads_on(client: httpx.AsyncClient, auth: Auth) -> None:
    answer = await client.get(f"/login?token={auth.issue_login_link()}&next=/ui/graph%3Fa=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/graph?a=1")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert (await client.get("/ui/graph")).json() == "operator"


async def test_cookies_are_closed_to_scripts_and_other_sites(client: httpx.AsyncClient, auth: Auth) -> None:
    answer = await client.get(f"/login?token={auth.issue_login_link()}")
    session, csrf = answer.headers.get_list("set-cookie")
    assert session.startswith(f"{SESSION_COOKIE}=")
    assert csrf.startswith(f"{CSRF_COOKIE}=")
    assert "HttpOnly" in session
    assert "HttpOnly" not in csrf
    assert all("SameSite=Lax" in value and "Secure" not in value for value in (session, csrf))


async def test_over_https_cookies_are_secure(auth: Auth) -> None:
    async with browse(make_app(auth), "https://mesh.example") as client:
        answer = await client.get(f"/login?token={auth.issue_login_link()}")
    assert all("; Secure" in value for value in answer.headers.get_list("set-cookie"))


async def test_the_same_link_twice_says_so(client: httpx.AsyncClient, auth: Auth) -> None:
    link = f"/login?token={auth.issue_login_link()}"
    await client.get(link)
    again = await client.get(link)
    assert again.status_code == 403
    assert "already used" in again.text
    assert "You are signed in already" in again.text
    client.cookies.clear()
    other = await client.get(link)
    assert "already used" in other.text
    assert "signed in already" not in other.text
    assert SESSION_COOKIE not in client.cookies


async def test_a_late_or_unknown_link_says_what_to_do(
    client: httpx.AsyncClient, auth: Auth, clock: Clock
) -> None:
    link = auth.issue_login_link()
    clock.advance(minutes=16)
    late, unknown = await client.get(f"/login?token={link}"), await client.get("/login?token=nonsense")
    assert "has expired" in late.text
    assert "not known here" in unknown.text
    assert all(page.status_code == 403 and "meshscope login" in page.text for page in (late, unknown))


async def test_looking_at_a_link_does_not_use_it_up(client: httpx.AsyncClient, auth: Auth) -> None:
    link = f"/login?token={auth.issue_login_link()}"
    assert (await client.head(link)).status_code == 405
    assert (await client.get(link)).status_code == 303


async def test_the_token_does_not_reach_the_access_log(auth: Auth) -> None:
    """uvicorn logs the query of the scope once the answer starts."""
    seen: list[bytes] = []
    app = make_app(auth)

    async def logged(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        await app(scope, receive, send)
        seen.append(scope["query_string"])

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(logged), base_url="http://localhost"
    ) as client:
        assert (await client.get(f"/login?token={auth.issue_login_link()}")).status_code == 303
    assert seen == [b"token=hidden"]


async def test_the_page_tells_how_to_get_a_link(client: httpx.AsyncClient) -> None:
    page = await client.get("/login?next=/ui/graph")
    assert page.status_code == 200
    assert "meshscope login" in page.text
    assert 'name="next" value="/ui/graph"' in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert (await client.get("/login/login.css")).headers["content-type"].startswith("text/css")


async def test_an_api_token_signs_in_by_the_form(client: httpx.AsyncClient, auth: Auth) -> None:
    form = {"token": f" {auth.create_token('ann')} ", "next": "/ui/graph"}
    answer = await client.post("/login", data=form, headers={"origin": "http://localhost:8080"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/graph")
    assert (await client.get("/ui/graph")).json() == "token:ann"


async def test_a_wrong_token_is_not_shown_back(client: httpx.AsyncClient) -> None:
    answer = await client.post("/login", data={"token": "geheim", "next": '"><b>'})
    assert answer.status_code == 403
    assert "not known" in answer.text
    assert "geheim" not in answer.text
    assert '"><b>' not in answer.text
    assert SESSION_COOKIE not in client.cookies


async def test_another_site_cannot_sign_a_browser_in(client: httpx.AsyncClient, auth: Auth) -> None:
    form = {"token": auth.create_token("ann")}
    answer = await client.post("/login", data=form, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert SESSION_COOKIE not in client.cookies


async def test_a_form_that_is_too_large_is_not_read(client: httpx.AsyncClient, auth: Auth) -> None:
    form = {"padding": "x" * 5000, "token": auth.create_token("ann")}
    assert (await client.post("/login", data=form)).status_code == 403


async def test_logging_out_ends_the_session(client: httpx.AsyncClient, auth: Auth) -> None:
    await client.get(f"/login?token={auth.issue_login_link()}")
    secret = client.cookies[SESSION_COOKIE]
    assert (await client.post("/logout")).status_code == 403
    answer = await client.post("/logout", headers={"x-csrftoken": client.cookies[CSRF_COOKIE]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert SESSION_COOKIE not in client.cookies
    assert auth.enter(secret) is None


async def test_without_auth_there_is_nothing_to_sign_in_to() -> None:
    async with browse(make_app(None)) as client:
        assert (await client.get("/login?next=/ui/graph")).headers["location"] == "/ui/graph"
        assert (await client.post("/login")).headers["location"] == "/"


@pytest.mark.parametrize(
    "target",
    [
        "",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "ui/graph",
        "/login?token=x",
        "/logout",
        " //evil.example",
        "//[broken",
    ],
)
def test_only_paths_of_this_server_are_followed(target: str) -> None:
    assert safe_target(target) == "/"


@pytest.mark.parametrize("target", ["/", "/ui/graph", "/ui/?a=1&b=%2F#x", "/api/docs"])
def test_paths_are_followed_as_they_are(target: str) -> None:
    assert safe_target(target) == target


def test_other_letters_are_encoded() -> None:
    assert safe_target("/ui/dienst/größe\u00a0") == "/"
    assert safe_target("/ui/größe") == "/ui/gr%C3%B6%C3%9Fe"
    assert "\r" not in safe_target("/a\r\nSet-Cookie: x=1")
