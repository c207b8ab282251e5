"""From a world to places: which instance runs where, with which ports, calling whom through what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proxy_plugin.demo.model import Service, World
from proxy_plugin.demo.placement import Dial, Place, Placement
from proxy_plugin.envoy.mesh import Sidecar


@dataclass(frozen=True)
class Layout:
    gateway: Sidecar
    sidecars: tuple[Sidecar, ...]
    apps: Placement
    externals: Placement

    @property
    def envoys(self) -> tuple[Sidecar, ...]:
        """The gateway and every sidecar."""
        return (self.gateway, *self.sidecars)


def lay_out(world: World, take: Callable[[], int], *, seed: int, otlp_http: str, control: str = "") -> Layout:
    """`take` hands out free ports. One Envoy per instance, one for the gateway; none for who has the library."""
    externals = tuple(Place(owner=each.id, instance=each.host, port=take()) for each in world.externals)
    real = {place.owner: place.port for place in externals}
    gateway = Sidecar(
        world.gateway.name,
        f"{world.gateway.name}-1",
        world.gateway.namespace,
        role="router",
        inbound_port=take(),
        outbound_port=take(),
        admin_port=take(),
        upstreams=(f"/={world.gateway.target}",),
    )
    sidecars = tuple(
        Sidecar(
            service.name,
            f"{service.name}-{version.name}-{number}",
            service.namespace,
            version.name,
            app_port=take(),
            inbound_port=take(),
            outbound_port=take(),
            admin_port=take(),
            upstreams=tuple(f"{t}=127.0.0.1:{real[t]}" if t in real else t for t in service.targets),
        )
        for service in world.services
        if service.sidecar
        for version in service.versions
        for number in range(1, version.instances + 1)
    )
    inbound = {each.id: each.inbound_port for each in reversed(sidecars)}
    places = [
        *(_place(world, each) for each in sidecars),
        *(
            _library_place(service, version.name, number, take(), inbound | real)
            for service in world.services
            if not service.sidecar
            for version in service.versions
            for number in range(1, version.instances + 1)
        ),
    ]
    return Layout(
        gateway,
        sidecars,
        Placement(seed=seed, otlp_http=otlp_http, control=control, places=tuple(places)),
        Placement(seed=seed, places=externals),
    )


def _place(world: World, sidecar: Sidecar) -> Place:
    targets = world.service(sidecar.id).targets
    return Place(
        owner=sidecar.id,
        version=sidecar.version,
        instance=sidecar.instance,
        port=sidecar.app_port,
        dial={target: Dial(port=sidecar.outbound_port, host=_host(target)) for target in targets},
    )


def _library_place(service: Service, version: str, number: int, port: int, ports: Mapping[str, int]) -> Place:
    """It goes straight to its targets: to the first sidecar of a service."""
    return Place(
        owner=service.id,
        version=version,
        instance=f"{service.name}-{version}-{number}",
        port=port,
        dial={target: Dial(port=ports[target], host=_host(target)) for target in service.targets},
        library=True,
    )


def _host(target: str) -> str:
    """The Host header that names a target: `payments.shop` for a service, `host:port` for an external."""
    namespace, slash, name = target.partition("/")
    return f"{name}.{namespace}" if slash else target
