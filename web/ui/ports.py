"""What the console needs from the rest: the shapes of `web.parts.Parts`, so that pages import no wiring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.status import ProxyOutcome, ProxyStatus
from proxy_plugin.policy import Finding
from store.policies import Revision, StoredPolicy
from web.listen import Ports
from web.settings import Settings


class Plan(Protocol):
    """What a draft would change; nothing has happened yet."""

    @property
    def valid(self) -> bool: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def diff(self) -> str: ...
    @property
    def resources(self) -> Mapping[str, str]: ...
    @property
    def blast_radius(self) -> Mapping[str, Any]: ...


class Applied(Protocol):
    """What became of a push; `proxies` has the keys acked, nacked and pending."""

    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def outcome(self) -> str: ...
    @property
    def proxies(self) -> Mapping[str, Sequence[ProxyOutcome]]: ...


class Publisher(Protocol):
    """The one write path of policy."""

    async def plan(self, draft: Mapping[str, object]) -> Plan: ...
    async def apply(
        self,
        draft: Mapping[str, object],
        *,
        actor: str,
        reason: str = "",
        if_match: int | None = None,
        wait: float = 5.0,
    ) -> Applied: ...
    async def toggle(
        self, name: str, enabled: bool, *, actor: str, if_match: int | None = None, wait: float = 5.0
    ) -> Applied: ...
    async def delete(
        self, name: str, *, actor: str, reason: str = "", if_match: int | None = None
    ) -> None: ...
    async def policies(self) -> Sequence[StoredPolicy]: ...
    async def revisions(self, name: str, limit: int = 100) -> Sequence[Revision]: ...


class Control(Protocol):
    """The control plane, read only."""

    def mesh(self) -> Mesh: ...
    def proxies(self) -> Sequence[ProxyStatus]: ...


class Layouts(Protocol):
    """Where stored positions live: one set of `{node id: (x, y)}` per view."""

    async def load(self, view: str) -> Mapping[str, tuple[float, float]]: ...
    async def save(self, view: str, positions: Mapping[str, tuple[float, float]]) -> None: ...


class Live(Protocol):
    """The live graph."""

    def graph(self, window: float, messaging: str, hops: str) -> Mapping[str, Any]:
        """The last `window` seconds, in the shape of GET /api/v1/graph. Blocks. The others: as that route has them."""
        ...


class Parts(Protocol):
    """The wired parts that pages may use."""

    @property
    def publisher(self) -> Publisher: ...
    @property
    def control(self) -> Control: ...
    @property
    def layouts(self) -> Layouts: ...
    @property
    def live(self) -> Live: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def ports(self) -> Ports: ...
