"""An ASGI middleware that does what a sidecar's inbound side does: `app = MeshMiddleware(app, member)`.

A span for each request, a child of the caller's; who may call (403) and how often (429), as the policies say.
Where the server runs the lifespan protocol, the member follows the control plane as long as the app lives.
Callers are known by what they say, the header that sidecars send each other: no proof, as without mTLS.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from opentelemetry import context, trace

from proxy_plugin.envoy.rules import RouteRules
from proxy_plugin.library import tracing
from proxy_plugin.library.member import Member
from proxy_plugin.policy import Access

__all__ = ["Member", "MeshMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class MeshMiddleware:
    """`app` behind the rules of `member`."""

    def __init__(self, app: App, member: Member) -> None:
        self._app, self._member = app, member

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with self._member:
                await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        span = tracing.server_span(self._member.tracer, scope, headers)
        token = context.attach(trace.set_span_in_context(span))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _named(span, scope)
                tracing.answered(span, message["status"], client=False)
            await send(message)

        try:
            refusal = self._refusal(scope["path"], headers)
            if refusal is None:
                await self._app(scope, receive, sending)
            else:
                await _answer(sending, *refusal)
        except Exception as error:
            tracing.failed(span, type(error).__name__)
            raise
        finally:
            context.detach(token)
            span.end()

    def _refusal(self, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """Access is looked at before the rate limit."""
        caller = headers.get(tracing.SOURCE_HEADER, "")
        rules: RouteRules = self._member.rules.inbound(caller, path, headers)
        if rules.access is not None and not _may(rules.access, caller):
            return 403, f"denied by {rules.deciding['access']}"
        limit = rules.rate_limit
        if limit is not None and not self._member.limiter.take(rules.deciding["rate_limit"], limit):
            return 429, f"limited by {rules.deciding['rate_limit']}"
        return None


def _may(access: Access, caller: str) -> bool:
    return caller not in access.deny and (not access.allow or caller in access.allow)


def _named(span: trace.Span, scope: Scope) -> None:
    """Frameworks leave the route that they found in the scope."""
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str):
        span.set_attribute("http.route", path)
        span.update_name(f"{scope['method']} {path}")


async def _answer(send: Send, status: int, why: str) -> None:
    body = why.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
