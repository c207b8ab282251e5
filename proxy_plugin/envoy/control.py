"""ControlPlane: the façade over sidecars, rendering, dry runs and pushes. It knows no database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from proxy_plugin.envoy.bootstrap import TelemetryTarget
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.status import ProxyStatus, PushResult, Rendering
from proxy_plugin.policy import TrafficPolicy


class ControlPlane:
    """Joins sidecars, renders, validates, pushes. Everything runs on the event loop that called `start`."""

    def __init__(
        self, *, telemetry: TelemetryTarget, envoy: Path | None = None, grace: float = 10.0
    ) -> None: ...

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Serve ADS; returns the bound port (0 asks for any free one)."""
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError

    @property
    def port(self) -> int:
        raise NotImplementedError

    def set_policies(self, policies: Sequence[TrafficPolicy]) -> None:
        """The initial state; proxies are answered nothing before it was called once."""
        raise NotImplementedError

    def policies(self) -> tuple[TrafficPolicy, ...]:
        """What is in force (enabled or not), as it was last set or pushed."""
        raise NotImplementedError

    def mesh(self) -> Mesh:
        raise NotImplementedError

    def proxies(self) -> list[ProxyStatus]:
        raise NotImplementedError

    async def render(self, policies: Sequence[TrafficPolicy]) -> Rendering:
        raise NotImplementedError

    async def push(
        self, policies: Sequence[TrafficPolicy], wait: float = 5.0, *, validate: bool = True
    ) -> PushResult:
        raise NotImplementedError

    def listen(self, callback: Callable[[], None]) -> None:
        raise NotImplementedError
