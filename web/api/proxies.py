"""`/api/v1/proxies`: the Envoys and the libraries in their place, and whether each has what it should have."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.status import ProxyStatus, TypeState
from web.auth import Reader
from web.policies.library_clients import LibraryClients, LibraryStatus
from web.problems import known_query_only, problem_responses


class TypeView(BaseModel):
    """One type of resources at one proxy."""

    state: TypeState = Field(
        description="stale: sent and not answered yet; nacked: refused, it keeps what it had",
        examples=["synced"],
    )
    version: str = Field(description="What it should have: revision/hash", examples=["12/ab54a98ceb1f"])
    error: str | None = Field(description="Its own words when it refused", examples=[None])


class ProxyView(BaseModel):
    """One Envoy, or a process with the library, that is connected or was lately."""

    node_id: str = Field(
        description="Envoy's node id, or one like it",
        examples=["sidecar~127.0.0.1~checkout-1.shop~mesh.local"],
    )
    service: str = Field(description="Service id", examples=["shop/checkout"])
    version: str = Field(description="Version of the service", examples=["v1"])
    instance: str = Field(description="Its instance", examples=["checkout-1"])
    role: str = Field(
        description="sidecar, router (a gateway) or library (a process without either)", examples=["sidecar"]
    )
    address: str = Field(description="Where its service is reached", examples=["127.0.0.1:20001"])
    connected: bool = Field(description="Whether its stream is open", examples=[True])
    connected_at: datetime = Field(description="Since when, or when last", examples=["2030-01-31T12:00:00Z"])
    last_seen: datetime = Field(description="When it last said something", examples=["2030-01-31T12:00:05Z"])
    types: dict[str, TypeView] = Field(
        description="CDS, EDS, LDS, RDS; of a library RULES: the policies as they are",
        examples=[{"CDS": {"state": "synced", "version": "12/ab54a98ceb1f", "error": None}}],
    )


class Proxies(BaseModel):
    """All proxies, by service and instance."""

    items: list[ProxyView] = Field(description="The proxies", examples=[[]])
    next_cursor: None = Field(default=None, description="Always null: all are given at once", examples=[None])


def router(control: ControlPlane, libraries: LibraryClients | None = None) -> APIRouter:
    """The one route."""
    routes = APIRouter(prefix="/api/v1/proxies", tags=["proxies"], dependencies=[Depends(known_query_only)])

    @routes.get("", summary="Proxies and what they run", responses=problem_responses(400, 401))
    async def list_proxies(who: Reader) -> Proxies:
        """Per proxy and type of resources whether it has what it should, with its words when it refused."""
        found = [_view(proxy) for proxy in control.proxies()]
        found += [_library_view(each) for each in (libraries.clients() if libraries else ())]
        return Proxies(items=sorted(found, key=lambda each: (each.service, each.instance)))

    return routes


def _view(proxy: ProxyStatus) -> ProxyView:
    return ProxyView(
        node_id=proxy.node_id,
        service=proxy.service,
        version=proxy.version,
        instance=proxy.instance,
        role=proxy.role,
        address=proxy.address,
        connected=proxy.connected,
        connected_at=datetime.fromtimestamp(proxy.connected_at, UTC),
        last_seen=datetime.fromtimestamp(proxy.last_seen, UTC),
        types={
            kind: TypeView(state=status.state, version=status.version, error=status.error)
            for kind, status in proxy.types.items()
        },
    )


def _library_view(library: LibraryStatus) -> ProxyView:
    who = library.who
    namespace = who.service.rpartition("/")[0] or "default"
    return ProxyView(
        node_id=f"library~{who.address}~{who.instance}.{namespace}~mesh.local",
        service=who.service,
        version=who.version,
        instance=who.instance,
        role="library",
        address=who.address,
        connected=library.connected,
        connected_at=datetime.fromtimestamp(library.connected_at, UTC),
        last_seen=datetime.fromtimestamp(library.last_seen, UTC),
        types={"RULES": TypeView(state=library.state, version=library.revision, error=library.error)},
    )
