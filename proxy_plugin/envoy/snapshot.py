"""Snapshot: everything that one proxy is to have, immutable, with one version per resource type.

A version is ``<revision>/<hash of the content>``. It changes only when the content does, so an unchanged type
is never sent again; going back to former content gets a new revision and is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from google.protobuf.message import Message

from proxy_plugin.envoy.api import CDS, EDS, LDS, RDS, SDS, InvalidResourceError, envoy_api
from proxy_plugin.envoy.mesh import Mesh, Sidecar
from proxy_plugin.envoy.resources.render import Resources, render
from proxy_plugin.envoy.resources.values import Json


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it was rendered and as it is sent (`Any`). A secret holds a key: it is not shown."""

    body: Json = field(repr=False)
    packed: Message = field(repr=False)
    digest: str

    @classmethod
    def of(cls, body: Json) -> Resource:
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        return cls(body, envoy_api().pack(body), hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Type URL → name → resource, and type URL → version."""

    resources: Mapping[str, Mapping[str, Resource]]
    versions: Mapping[str, str]

    @classmethod
    def of(cls, resources: Resources, revision: int, before: Snapshot | None = None) -> Snapshot:
        """What is rendered as it was in `before` is taken from there. InvalidResourceError: see `api`."""
        made = {
            kind: {name: _resource(body, kind, name, before) for name, body in named.items()}
            for kind, named in resources.items()
        }
        versions = {kind: _version(named, revision, kind, before) for kind, named in made.items()}
        return cls(made, versions)

    def changed(self, before: Snapshot | None) -> tuple[str, ...]:
        """Type URLs whose content is not as it was."""
        old = before.versions if before else {}
        return tuple(kind for kind, version in self.versions.items() if version != old.get(kind))


def snapshots(
    sidecars: Iterable[Sidecar],
    mesh: Mesh,
    revision: int,
    before: Mapping[str, Snapshot],
    secrets: Callable[[Sidecar], dict[str, Json]],
) -> dict[str, Snapshot]:
    """Node id → what it is to have; none for a sidecar that cannot be rendered. Call it in a thread.

    `secrets`: what SDS is to give to a sidecar that needs it.
    """
    made: dict[str, Snapshot] = {}
    for sidecar in sidecars:
        try:
            resources = render(sidecar, mesh)
            if resources[SDS]:
                resources[SDS] = secrets(sidecar)
            made[sidecar.node_id] = Snapshot.of(resources, revision, before.get(sidecar.node_id))
        except InvalidResourceError as error:
            structlog.get_logger().exception("render_failed", node=sidecar.node_id, error=str(error))
    return made


def _resource(body: Json, kind: str, name: str, before: Snapshot | None) -> Resource:
    known = before.resources.get(kind, {}).get(name) if before else None
    return known if known is not None and known.body == body else Resource.of(body)


def _version(named: Mapping[str, Resource], revision: int, kind: str, before: Snapshot | None) -> str:
    content = "".join(f"{name}={named[name].digest};" for name in sorted(named))
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    known = before.versions.get(kind, "") if before else ""
    return known if known.endswith(f"/{digest}") else f"{revision}/{digest}"


_OWN, _TRUSTED = "tls_certificate_sds_secret_configs", "validation_context_sds_secret_config"


def consistent(resources: Resources) -> list[str]:
    """What is referred to and not there, or there and not referred to; empty when all fits together.

    Envoy itself accepts a route to a cluster that does not exist, and then answers 503.
    """
    clusters, routes = resources[CDS], resources[RDS]
    eds_clusters = {name for name, cluster in clusters.items() if cluster["type"] == "EDS"}
    listened = {str(each["route_config_name"]) for each in _values(resources[LDS], "rds")}
    routed = {str(name) for name in _values(routes, "cluster") if isinstance(name, str)}
    weighted = {
        str(each["name"]) for found in _values(routes, "weighted_clusters") for each in found["clusters"]
    }
    users = [clusters, resources[LDS]]
    secrets = {str(each["name"]) for each in _values(users, _TRUSTED)}
    secrets |= {str(each["name"]) for found in _values(users, _OWN) for each in found}
    return [
        *(f"secret {name} is missing" for name in sorted(secrets - set(resources[SDS]))),
        *(f"cluster {name} has no endpoints resource" for name in sorted(eds_clusters - set(resources[EDS]))),
        *(f"endpoints {name} belong to no cluster" for name in sorted(set(resources[EDS]) - eds_clusters)),
        *(f"route configuration {name} is missing" for name in sorted(listened - set(routes))),
        *(
            f"a route leads to the unknown cluster {name}"
            for name in sorted((routed | weighted) - set(clusters))
        ),
    ]


def _values(tree: object, key: str) -> Iterator[Any]:
    """Every value under `key`, at any depth."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from _values(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from _values(value, key)
