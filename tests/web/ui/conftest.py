"""The console on real parts: a mesh without Envoys, its control database, and calls that were seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dash
import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from proxy_plugin.envoy.control import ControlPlane
from store.layouts import Layouts
from tests.web.mesh import Mesh
from web.auth import ANONYMOUS
from web.listen import Ports
from web.policies.publish import Publisher
from web.settings import Settings
from web.ui.app import create_ui, warm_up

EDGES = (("shop/front", "shop/checkout"), ("shop/front", "shop/payments"), ("shop/checkout", "shop/payments"))


@dataclass
class Seen:
    """A graph that was seen, in the shape of GET /api/v1/graph."""

    edges: list[tuple[str, str]] = field(default_factory=lambda: list(EDGES))

    def graph(self, window: float, messaging: str, hops: str) -> Mapping[str, Any]:
        """With proxies, every edge has one between its ends."""
        assert window > 0
        assert messaging in ("collapsed", "expanded")
        edges = self.edges
        if hops == "expanded":
            edges = [part for a, b in edges for part in ((a, f"proxy({b})"), (f"proxy({b})", b))]
        nodes = sorted({node for edge in edges for node in edge})
        return {
            "nodes": [
                {"id": node, "service": node.split("/")[-1], "namespace": "shop", "kind": "service"}
                for node in nodes
            ],
            "edges": [{"source": source, "target": target, "kind": "call"} for source, target in edges],
        }


@dataclass
class Wired:
    """What pages get."""

    publisher: Publisher
    control: ControlPlane
    layouts: Layouts
    live: Seen
    settings: Settings
    ports: Ports


@pytest.fixture
async def parts(mesh: Mesh, publisher: Publisher) -> Wired:
    return Wired(
        publisher, mesh.control, Layouts(mesh.database), Seen(), Settings(), Ports(8080, 4317, 4318, 18000)
    )


class AsAnonymous:
    """Stands where the gate stands: every request has an actor."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["actor"] = ANONYMOUS
        await self._app(scope, receive, send)


@dataclass
class Console:
    """The console in one process, with a client for it."""

    app: dash.Dash
    client: httpx.AsyncClient


@pytest.fixture
async def console(parts: Wired) -> AsyncIterator[Console]:
    api = FastAPI()
    app = create_ui(api, parts)
    backend: Any = app.backend
    backend._setup_catchall()  # what Dash does when the server starts
    await warm_up(app)
    transport = httpx.ASGITransport(app=AsAnonymous(api))
    async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
        yield Console(app, client)
