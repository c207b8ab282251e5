"""What a draft changes: the resources of each sidecar before and after, compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import unified_diff

import yaml

from proxy_plugin.envoy.api import ORDER, SDS, InvalidResourceError, envoy_api
from proxy_plugin.envoy.mesh import Mesh, Sidecar
from proxy_plugin.envoy.resources.render import Resources, render
from proxy_plugin.envoy.resources.values import Json
from proxy_plugin.envoy.snapshot import consistent
from proxy_plugin.envoy.xds import TYPE_NAMES

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the one in C where PyYAML has it


@dataclass(frozen=True, slots=True)
class Draft:
    """One sidecar's resources as they are and as they would be."""

    sidecar: Sidecar
    before: Resources
    after: Resources

    def types(self) -> tuple[str, ...]:
        """Type URLs that change."""
        return tuple(kind for kind in ORDER if self.before[kind] != self.after[kind])

    def asked(self) -> tuple[str, ...]:
        """Type URLs that the proxy is to acknowledge: it is not told that it needs no secrets any more."""
        return tuple(kind for kind in self.types() if kind != SDS or self.after[SDS])

    def diff(self) -> str:
        """Unified diff as YAML, one file for each resource that changes."""
        return "".join(
            line
            for kind in self.types()
            for name in sorted({*self.before[kind], *self.after[kind]})
            for line in _diff(
                f"{TYPE_NAMES[kind]}/{name}", self.before[kind].get(name), self.after[kind].get(name)
            )
        )

    def fault(self) -> str:
        """Why it cannot be sent at all; empty when it can."""
        try:
            for kind in self.types():
                for name, body in self.after[kind].items():
                    if body != self.before[kind].get(name):
                        envoy_api().pack(body)
        except InvalidResourceError as error:
            return str(error)
        return "; ".join(consistent(self.after))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a draft changes at one sidecar. `fault`: why it cannot be sent at all, empty when it can."""

    sidecar: Sidecar
    after: Resources
    types: tuple[str, ...]
    diff: str
    fault: str


def comparisons(before: Mesh, after: Mesh) -> list[Comparison]:
    """One per sidecar, changed or not. Takes its time: call it in a thread."""
    found = drafts(before.sidecars, before, after)
    return [Comparison(each.sidecar, each.after, each.types(), each.diff(), each.fault()) for each in found]


def drafts(sidecars: Iterable[Sidecar], before: Mesh, after: Mesh) -> list[Draft]:
    """One per sidecar, changed or not."""
    return [Draft(each, render(each, before), render(each, after)) for each in sidecars]


def _diff(path: str, before: Json | None, after: Json | None) -> Iterator[str]:
    if before == after:
        return
    yield from unified_diff(
        _lines(before),
        _lines(after),
        f"a/{path}" if before is not None else "/dev/null",
        f"b/{path}" if after is not None else "/dev/null",
    )


def _lines(body: Json | None) -> list[str]:
    return (
        yaml.dump(body, Dumper=_DUMPER, sort_keys=False).splitlines(keepends=True) if body is not None else []
    )
