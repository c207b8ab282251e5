"""An httpx transport that does what a sidecar's outbound side does.

    async with Member("shop/checkout", upstreams={"shop/payments": "http://10.0.0.7:8080"}, control=…) as member:
        async with httpx.AsyncClient(transport=MeshTransport(member)) as client:
            await client.post("http://payments.shop/charges")

Only async: limits, delays and live rules live on one event loop.
"""

from __future__ import annotations

import httpx

from proxy_plugin.library.calls import LOCAL, Call
from proxy_plugin.library.member import Member

__all__ = ["LOCAL", "Member", "MeshTransport"]


class MeshTransport(httpx.AsyncBaseTransport):
    """Sends by `inner`, by default httpx's own transport."""

    def __init__(self, member: Member, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self._member, self._inner = member, inner or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await Call(self._member, request, self._inner.handle_async_request).run()

    async def aclose(self) -> None:
        await self._inner.aclose()
