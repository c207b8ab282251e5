"""One attempt: its request, its span, its place in the breaker. Both last until the body is read or closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

from proxy_plugin.library import tracing
from proxy_plugin.library.member import Member
from proxy_plugin.library.upstreams import Upstream


class Attempt:
    """`enter`, then one of `answered`, `failed`, `given_up`; `ended` for what was never sent."""

    def __init__(
        self, member: Member, request: httpx.Request, upstream: Upstream, version: str, resent: int
    ) -> None:
        self._breaker = member.breaker(upstream.target, version)
        self._span = tracing.client_span(member.tracer, request, upstream.target, version, resent)
        self._probe, self._over = False, False
        self.request = self._placed(request, upstream.versions.get(version))
        self.request.headers[tracing.SOURCE_HEADER] = member.service
        tracing.inject(self._span, self.request.headers)

    async def enter(self) -> None:
        """Waits for room; raises Refused. A caller that gives up meanwhile leaves nothing behind."""
        try:
            self._probe = await self._breaker.enter()
        except asyncio.CancelledError:
            self._span.end()
            raise

    def answered(self, response: httpx.Response, deadline: float) -> None:
        """The head is there; the body has until `deadline` (time of the loop)."""
        tracing.answered(self._span, response.status_code, client=True)
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Body(response.stream, self, response.status_code, deadline)
        else:
            self.over(response.status_code)

    def failed(self, kind: str) -> None:
        """No answer; `kind` says why."""
        tracing.failed(self._span, kind)
        self.over(None)

    def given_up(self) -> None:
        """The caller went away: that says nothing about the target, and is no error (R3 of the conventions)."""
        self.over(0)

    def ended(self, status: int, by: str) -> None:
        """Answered in this process, never sent."""
        tracing.answered(self._span, status, client=True)
        if status >= 400:
            self._span.set_attribute("error.type", by)
        self._span.end()

    def over(self, status: int | None) -> None:
        """Leave the breaker and end the span. Safe twice."""
        if not self._over:
            self._over = True
            self._breaker.leave(status, self._probe)
            self._span.end()

    @staticmethod
    def _placed(request: httpx.Request, base: httpx.URL | None) -> httpx.Request:
        """A copy that goes to `base`; its Host header is still the one that was meant."""
        url = (
            request.url
            if base is None
            else request.url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        )
        return httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )


class _Body(httpx.AsyncByteStream):
    """The body of an answer, under the deadline of its call."""

    def __init__(self, inner: httpx.AsyncByteStream, attempt: Attempt, status: int, deadline: float) -> None:
        self._inner, self._attempt, self._status, self._deadline = inner, attempt, status, deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._inner.__aiter__()
        while True:
            try:
                async with asyncio.timeout_at(self._deadline):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                self._attempt.failed("timeout")
                raise httpx.ReadTimeout("the time of the call is over") from error
            except httpx.TransportError as error:
                self._attempt.failed(type(error).__name__)
                raise
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._attempt.over(self._status)
