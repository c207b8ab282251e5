"""The mesh as values: the sidecars that are there and the policies in force. No state, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from ipaddress import ip_address
from typing import Any, Literal, Self

from proxy_plugin.envoy import facts
from proxy_plugin.policy import TrafficPolicy

Role = Literal["sidecar", "router"]
METADATA_KEY = "meshscope"
LOOPBACK = "127.0.0.1"
TRUST_DOMAIN = "mesh.local"


class UnknownProxyError(ValueError):
    """A proxy connected whose node does not say what it is the sidecar of."""


@dataclass(frozen=True, slots=True)
class External:
    """Something outside the mesh: the logical `host`:`port` and where it really is."""

    host: str
    port: int
    address: str
    real_port: int

    @property
    def id(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def needs_dns(self) -> bool:
        try:
            ip_address(self.address)
        except ValueError:
            return True
        return False


@dataclass(frozen=True, slots=True)
class Upstream:
    """One target that a sidecar may call. `prefix`: the paths that a gateway sends there."""

    id: str
    external: External | None = None
    prefix: str | None = None

    @classmethod
    def parse(cls, text: str, namespace: str = "") -> Self:
        """Read one of

        - ``payments`` (own namespace) or ``shop/payments``: a service of the mesh
        - ``psp.example:8443`` or ``psp.example:8443=127.0.0.1:18999``: outside, and where it really is
        - ``/pay=payments``: at a gateway, the paths under ``/pay`` go to that target

        ValueError when it is none of them.
        """
        if text.startswith("/"):
            prefix, _, rest = text.partition("=")
            if not facts.is_prefix(prefix):
                raise ValueError(f"{facts.shown(prefix)} is not a path")
            return replace(cls.parse(rest, namespace), prefix=prefix)
        name, _, place = text.partition("=")
        if ":" in name:
            host, port = _host_port(name)
            address, real_port = _host_port(place) if place else (host, port)
            return cls(name, External(host, port, address, real_port))
        if place or name.count("/") > 1 or not all(facts.is_name(part) for part in name.split("/")):
            shown = facts.shown(text)
            raise ValueError(f"{shown} is not a target: use name, namespace/name or host:port=address:port")
        return cls(name if "/" in name or not namespace else f"{namespace}/{name}")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One Envoy and the app beside it. All ports are on `address`; a router (gateway) has no app (port 0)."""

    service: str
    instance: str
    namespace: str = ""
    version: str = "v1"
    role: Role = "sidecar"
    address: str = LOOPBACK
    app_port: int = 0
    inbound_port: int = 0
    outbound_port: int = 0
    admin_port: int = 0
    upstreams: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Service id: `namespace/service`, or `service` where there is no namespace."""
        return f"{self.namespace}/{self.service}" if self.namespace else self.service

    @property
    def node_id(self) -> str:
        return f"{self.role}~{self.address}~{self.instance}.{self.namespace or 'default'}~{TRUST_DOMAIN}"

    def targets(self) -> tuple[Upstream, ...]:
        return tuple(Upstream.parse(text, self.namespace) for text in self.upstreams)

    def metadata(self) -> dict[str, Any]:
        """Node metadata for the bootstrap; `from_metadata` reads it back."""
        return {METADATA_KEY: {**asdict(self), "upstreams": list(self.upstreams)}}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Self:
        """What a proxy's node says about itself; UnknownProxyError when it is not ours."""
        found = metadata.get(METADATA_KEY)
        if not isinstance(found, Mapping):
            raise UnknownProxyError(f"node metadata has no {METADATA_KEY!r}")
        try:
            if (role := found["role"]) not in ("sidecar", "router"):
                raise ValueError(f"role {facts.shown(role)} is neither sidecar nor router")
            sidecar = cls(
                service=facts.name(found, "service"),
                instance=facts.name(found, "instance", 200),
                namespace=facts.namespace(found, "namespace"),
                version=facts.name(found, "version"),
                role=role,
                address=facts.address(found, "address"),
                app_port=facts.port(found, "app_port"),
                inbound_port=facts.port(found, "inbound_port"),
                outbound_port=facts.port(found, "outbound_port"),
                admin_port=facts.port(found, "admin_port"),
                upstreams=facts.upstreams(found, "upstreams"),
            )
            try:
                sidecar.targets()
            except ValueError as error:
                raise ValueError(f"upstreams: {error}") from error
        except KeyError as error:
            raise UnknownProxyError(f"node metadata {METADATA_KEY!r} lacks {error}") from error
        except ValueError as error:
            raise UnknownProxyError(f"node metadata {METADATA_KEY!r} cannot be read: {error}") from error
        return sidecar


@dataclass(frozen=True)
class Mesh:
    """Who is there and which rules are in force. Services are named by their ids.

    `underway`: targets that are not yet where `mtls` of the policies wants them, and their stages (`mtls`).
    """

    sidecars: tuple[Sidecar, ...] = ()
    policies: tuple[TrafficPolicy, ...] = ()
    libraries: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Services without a sidecar and whom they call: callers as any other."""
    underway: tuple[tuple[str, int], ...] = ()

    def with_policies(self, policies: Iterable[TrafficPolicy]) -> Mesh:
        return replace(self, policies=tuple(policies), underway=())

    @cached_property
    def _by_service(self) -> dict[str, tuple[Sidecar, ...]]:
        found: dict[str, list[Sidecar]] = {}
        for sidecar in sorted(self.sidecars, key=lambda each: each.node_id):
            found.setdefault(sidecar.id, []).append(sidecar)
        return {service: tuple(sidecars) for service, sidecars in found.items()}

    @cached_property
    def _callers(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, set[str]] = {}
        for sidecar in self.sidecars:
            for upstream in sidecar.targets():
                found.setdefault(upstream.id, set()).add(sidecar.id)
        for service, targets in self.libraries:
            for target in targets:
                found.setdefault(target, set()).add(service)
        return {target: tuple(sorted(callers)) for target, callers in found.items()}

    def services(self) -> tuple[str, ...]:
        """Services with at least one sidecar."""
        return tuple(sorted(self._by_service))

    def targets(self) -> tuple[str, ...]:
        """Everything that somebody may call: services and externals, there or not."""
        return tuple(sorted(self._callers))

    def instances(self, service: str) -> tuple[Sidecar, ...]:
        return self._by_service.get(service, ())

    def versions(self, service: str) -> tuple[str, ...]:
        return tuple(sorted({sidecar.version for sidecar in self.instances(service)}))

    def callers(self, target: str) -> tuple[str, ...]:
        """Service ids that have `target` among their upstreams."""
        return self._callers.get(target, ())

    def edges(self) -> tuple[tuple[str, str], ...]:
        """Every (source, target) that is configured, called or not."""
        return tuple(
            sorted((caller, target) for target, callers in self._callers.items() for caller in callers)
        )

    def policies_for(self, source: str, target: str) -> tuple[TrafficPolicy, ...]:
        """Enabled policies in force for one edge, by name."""
        found = (policy for policy in self.policies if policy.applies_to(source, target))
        return tuple(sorted(found, key=lambda policy: policy.name))


def spiffe_id(service: str) -> str:
    """The identity that certificates prove, of a service id."""
    namespace, _, name = service.rpartition("/")
    return f"spiffe://{TRUST_DOMAIN}/ns/{namespace or 'default'}/sa/{name}"


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not facts.is_host(host) or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError(f"{facts.shown(text)} is not host:port")
    return host, int(port)
