"""The wired parts, as routers and pages get them. Made once, in ``web.main``; nobody else makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Engine

from proxy_plugin.envoy.control import ControlPlane
from store.layouts import Layouts
from web.answers import Answers
from web.auth import Auth
from web.events import Events
from web.listen import Ports
from web.live import Graphs, Question
from web.policies.library_clients import LibraryClients
from web.policies.publish import Publisher
from web.settings import Settings
from web.stream import Streams
from web.timeline import Timeline


@dataclass(frozen=True, slots=True)
class LiveView:
    """The graph as the console shows it: silent edges kept."""

    graphs: Graphs

    def graph(self, window: float, messaging: str, hops: str) -> Mapping[str, Any]:
        """The last ``window`` seconds, in the shape of ``GET /api/v1/graph``. Blocks."""
        asked = Question(f"now-{window:g}s", messaging=messaging, hops=hops, idle=True, recent=True)
        return self.graphs.graph(asked)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a router or a page may use."""

    settings: Settings
    ports: Ports
    telemetry: Engine
    auth: Auth | None
    graphs: Graphs
    answers: Answers
    streams: Streams
    live: LiveView
    control: ControlPlane
    publisher: Publisher
    libraries: LibraryClients
    layouts: Layouts
    events: Events
    timeline: Timeline
