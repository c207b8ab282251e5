"""Registry: which sidecars belong to the mesh. They come by connecting and go a while after they vanish."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy_plugin.envoy.mesh import Sidecar


class Registry:
    """`changed` is called whenever `sidecars()` changed. `grace`: seconds until a lost one is out."""

    def __init__(self, changed: Callable[[], None], grace: float) -> None:
        self._changed = changed
        self._grace = grace
        self._sidecars: dict[str, Sidecar] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}

    def sidecars(self) -> tuple[Sidecar, ...]:
        return tuple(self._sidecars.values())

    def joined(self, sidecar: Sidecar) -> None:
        self._stay(sidecar.node_id)
        if self._sidecars.get(sidecar.node_id) != sidecar:
            self._sidecars[sidecar.node_id] = sidecar
            self._changed()

    def lost(self, node_id: str) -> None:
        """The stream broke: perhaps only the stream, so calls still go there for the grace time."""
        if node_id in self._sidecars:
            self._stay(node_id)
            self._leaving[node_id] = asyncio.get_running_loop().call_later(self._grace, self.remove, node_id)

    def remove(self, node_id: str) -> None:
        """Out at once: the grace time is over, or the sidecar said good-bye."""
        self._stay(node_id)
        if self._sidecars.pop(node_id, None):
            self._changed()

    def close(self) -> None:
        for node_id in list(self._leaving):
            self._stay(node_id)

    def _stay(self, node_id: str) -> None:
        if timer := self._leaving.pop(node_id, None):
            timer.cancel()
