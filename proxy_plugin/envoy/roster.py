"""Roster: the proxies as a person sees them, connected or lately connected."""

from __future__ import annotations

from dataclasses import replace
from time import time

from proxy_plugin.envoy.status import ProxyStatus, TypeName, TypeStatus
from proxy_plugin.envoy.xds import Stream

LATELY = 300.0
"""Seconds that a proxy stays in the list after it was last seen."""


class Roster:
    def __init__(self) -> None:
        self._gone: dict[str, ProxyStatus] = {}

    def left(self, stream: Stream) -> None:
        status = status_of(stream)
        types: dict[TypeName, TypeStatus] = {
            name: replace(kind, state="disconnected") for name, kind in status.types.items()
        }
        self._gone[status.node_id] = replace(status, connected=False, types=types)

    def forget(self, node_id: str) -> None:
        self._gone.pop(node_id, None)

    def proxies(self, streams: list[Stream]) -> list[ProxyStatus]:
        """By service and instance."""
        for status in list(self._gone.values()):
            if time() - status.last_seen > LATELY:
                self.forget(status.node_id)
        connected = {stream.sidecar.node_id: status_of(stream) for stream in streams}
        return sorted({**self._gone, **connected}.values(), key=lambda each: (each.service, each.instance))


def status_of(stream: Stream) -> ProxyStatus:
    sidecar = stream.sidecar
    return ProxyStatus(
        node_id=sidecar.node_id,
        service=sidecar.id,
        version=sidecar.version,
        instance=sidecar.instance,
        role=sidecar.role,
        address=f"{sidecar.address}:{sidecar.inbound_port}",
        connected=True,
        connected_at=stream.connected_at,
        last_seen=stream.last_seen,
        types=stream.status(),
    )
