"""The client of a demo service without a sidecar: `proxy_plugin.httpx` in its place."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx
from opentelemetry.trace import TracerProvider

from proxy_plugin.demo.client import Response
from proxy_plugin.demo.placement import Place
from proxy_plugin.httpx import Member, MeshTransport


class LibraryClient:
    """Looks like `demo.client.Client`: ports say who is meant. Follows the control plane while it is entered."""

    def __init__(self, place: Place, control: str, token: str, spans: TracerProvider) -> None:
        self._hosts = {dial.port: _host(target) for target, dial in place.dial.items()}
        self.member = Member(
            place.owner,
            instance=place.instance,
            version=place.version,
            upstreams={target: f"http://127.0.0.1:{dial.port}" for target, dial in place.dial.items()},
            control=control,
            token=token,
            tracer_provider=spans,
        )
        self._http = httpx.AsyncClient(transport=MeshTransport(self.member), timeout=20.0, trust_env=False)

    async def __aenter__(self) -> Self:
        await self.member.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        await self.member.__aexit__(kind, error, trace)

    def close(self) -> None:
        """Nothing: its connections end with the member."""

    async def request(self, port: int, method: str, path: str, headers: Mapping[str, str]) -> Response:
        """Raises OSError."""
        rest = {name: value for name, value in headers.items() if name != "host"}
        try:
            found = await self._http.request(method, f"http://{self._hosts[port]}{path}", headers=rest)
        except httpx.TransportError as error:
            raise ConnectionError(str(error)) from error
        return Response(found.status_code, dict(found.headers), found.content)


def _host(target: str) -> str:
    namespace, slash, name = target.partition("/")
    return f"{name}.{namespace}" if slash else target
