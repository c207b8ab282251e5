"""The admin interface of a running Envoy: the few questions that are asked of it."""

from __future__ import annotations

import httpx

from proxy_plugin.envoy.mesh import Sidecar


class Admin:
    """httpx.HTTPError from any method: Envoy is not there (yet, or any more)."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"http://{sidecar.address}:{sidecar.admin_port}", timeout=5, trust_env=False
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> httpx.Response:
        response = await self._client.get(path)
        return response.raise_for_status()

    async def listeners(self) -> set[str]:
        """Names of the listeners that accept connections."""
        found = (await self.get("/listeners?format=json")).json()
        return {status["name"] for status in found.get("listener_statuses", [])}

    async def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose name matches the regular expression, also those never used."""
        response = await self._client.get("/stats", params={"filter": pattern, "format": "json"})
        stats = response.raise_for_status().json()["stats"]
        return {stat["name"]: int(stat["value"]) for stat in stats if "name" in stat}

    async def in_flight(self) -> int:
        """Requests that the proxy is busy with, both ways."""
        return sum((await self.stats("downstream_rq_active")).values())

    async def drain(self) -> None:
        """Ask the clients to go elsewhere; requests in flight go on."""
        (await self._client.post("/drain_listeners?graceful")).raise_for_status()
