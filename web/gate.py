"""The gate in front of everything: a pure ASGI middleware, so that pages, API, assets and websockets pass it.

AUTH=on: a session cookie, or `Authorization: Bearer` with an API token. Changes by cookie need the CSRF
header (the console sends the CSRF cookie back as `X-CSRFToken`) and an Origin of our own; a bearer needs
neither, because no browser sends it by itself. AUTH=off: everybody, but only under a loopback name: otherwise
any web page could reach this server by a name of its own that resolves to 127.0.0.1 (DNS rebinding).

Browsers keep cookies per host, whatever the port: their names hold the port, so that two servers on one host
do not sign each other's users out.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.auth import ANONYMOUS, NOBODY, SESSION_LIFE, Actor, Auth, csrf_token
from web.problems import Problem

CSRF_HEADERS = ("x-csrftoken", "x-csrf-token")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PUBLIC = ("/healthz", "/readyz", "/login", "/login/login.css")
# Asked for by programs and scripts: they are told 401, a page is sent to the login.
MACHINE_PREFIXES = ("/api/", "/jaeger/", "/zipkin/", "/prometheus/", "/v1/", "/metrics")
HUMAN_API_PAGES = ("/api/docs",)


class Gate:
    """`app.add_middleware(Gate, auth=…)`; without an `Auth` everybody passes (AUTH=off)."""

    def __init__(self, app: ASGIApp, auth: Auth | None) -> None:
        self._app, self._auth = app, auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            who, send = await self._admit(scope, Headers(scope=scope), send)
        except Problem as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        scope.setdefault("state", {})["actor"] = who
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, headers: Headers, send: Send) -> tuple[Actor, Send]:
        """The actor, and `send` (which may add cookies to the answer). Problem for who may not pass."""
        if self._auth is None:
            _check_loopback_name(headers)
            _check_origin(scope, headers)
            return ANONYMOUS, send
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            who = await asyncio.to_thread(self._auth.bearer, token.strip())
            if who is not None:
                _admitted_while(scope, self._auth.holds_token, token.strip())
                return who, send
        _check_origin(scope, headers)
        public = scope["path"] in PUBLIC
        names = CookieNames.of(scope)
        secret = cookie(headers, names.session)
        entered = await asyncio.to_thread(self._auth.enter, secret) if secret else None
        if entered is not None:
            if not public:
                _check_csrf(scope, headers, secret)
            _admitted_while(scope, self._auth.holds_session, secret)
            stale = entered.renewed or cookie(headers, names.csrf) != csrf_token(secret)
            return entered.actor, _with_cookies(send, scope, secret) if stale else send
        if public or (scope["path"] == "/metrics" and _is_local_peer(scope, headers)):
            return NOBODY, send
        raise _unauthorized(bool(token))


@dataclass(frozen=True, slots=True)
class CookieNames:
    """The cookies of the server that listens on `port`."""

    port: int

    @classmethod
    def of(cls, scope: Scope) -> CookieNames:
        """Of the server that a request came to."""
        _, port = scope.get("server") or ("", None)
        return cls(port or 80)

    @property
    def session(self) -> str:
        return f"meshscope_session_{self.port}"

    @property
    def csrf(self) -> str:
        return f"meshscope_csrf_{self.port}"


def cookie(headers: Headers, name: str) -> str:
    """The value of one cookie, "" without it."""
    return cookie_parser(headers.get("cookie", "")).get(name, "")


def set_session_cookies(headers: MutableHeaders, scope: Scope, secret: str) -> None:
    """The session (not for scripts) and the CSRF token (for scripts); an empty secret removes both."""
    life = int(SESSION_LIFE.total_seconds()) if secret else 0
    common = f"; Path=/; Max-Age={life}; SameSite=Lax" + ("; Secure" if scope["scheme"] in _TLS else "")
    names = CookieNames.of(scope)
    headers.append("set-cookie", f"{names.session}={secret}{common}; HttpOnly")
    headers.append("set-cookie", f"{names.csrf}={csrf_token(secret) if secret else ''}{common}")


_TLS = ("https", "wss")
_PROXY_HEADERS = ("via", "forwarded", "x-real-ip")


def _with_cookies(send: Send, scope: Scope, secret: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            # A login or logout in this very answer knows better.
            mine = CookieNames.of(scope).session + "="
            if not any(value.startswith(mine) for value in headers.getlist("set-cookie")):
                set_session_cookies(headers, scope, secret)
        await send(message)

    return sending


def _admitted_while(scope: Scope, holds: Callable[[str], bool], secret: str) -> None:
    """For answers that last: `scope["state"]["admitted"]` asks whether the credential still holds."""
    scope.setdefault("state", {})["admitted"] = partial(asyncio.to_thread, holds, secret)


def _check_csrf(scope: Scope, headers: Headers, secret: str) -> None:
    if scope["type"] == "websocket" or scope["method"] in SAFE_METHODS:
        return
    expected = csrf_token(secret).encode()
    sent = (headers.get(name, "").encode("utf-8", "replace") for name in CSRF_HEADERS)
    if not any(hmac.compare_digest(expected, value) for value in sent):
        detail = f"Send the cookie {CookieNames.of(scope).csrf} back as the header X-CSRFToken, or use an API token."
        raise Problem(403, "CSRF token missing or wrong", detail)


def _check_origin(scope: Scope, headers: Headers) -> None:
    """A browser names where a request comes from: for changes and websockets it must be this server."""
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
        return
    origin = headers.get("origin")
    if origin is None:
        # No browser, or a very old one. A browser that sends no Origin still says where it comes from.
        foreign = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    else:
        foreign = _netloc(origin) != headers.get("host", "").lower()
    if foreign:
        raise Problem(403, "Foreign origin", "This request was started by another site.")


def _check_loopback_name(headers: Headers) -> None:
    name = headers.get("host", "")
    if "@" in name or not _is_loopback(_hostname(name)):
        detail = "Without authentication this server answers only under localhost, 127.0.0.1 or [::1]."
        raise Problem(403, "Not a loopback name", detail)


def _is_local_peer(scope: Scope, headers: Headers) -> bool:
    """Whether a program of this machine asks for itself; what a proxy hands on has another peer."""
    client = scope.get("client")
    handed_on = any(name in _PROXY_HEADERS or name.startswith("x-forwarded-") for name in headers)
    name = headers.get("host", "")
    own_name = "@" not in name and _is_loopback(_hostname(name))
    return client is not None and not handed_on and own_name and _is_loopback(client[0])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""


def _hostname(netloc: str) -> str:
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _unauthorized(token_given: bool) -> Problem:
    detail = "Sign in, or send `Authorization: Bearer` with an API token."
    if token_given:
        detail = "This API token is not known; it may have been revoked."
    return Problem(401, "Not signed in", detail, headers={"WWW-Authenticate": "Bearer"})


async def _refuse(refusal: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # Closing before accepting is answered with 403 by the server.
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.title})
        return
    response = refusal.response()
    if refusal.status == 401 and _is_page(scope):
        target = scope["path"]
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        response = RedirectResponse(f"/login?next={quote(target, safe='')}", 303)
    await response(scope, receive, send)


def _is_page(scope: Scope) -> bool:
    path: str = scope["path"]
    if scope["method"] not in ("GET", "HEAD") or "/_dash-" in path or "/assets/" in path:
        return False
    return path in HUMAN_API_PAGES or not (path + "/").startswith(MACHINE_PREFIXES)
