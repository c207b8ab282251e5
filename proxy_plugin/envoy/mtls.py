"""mTLS of a target, one stage at a time, so that no call ever meets a listener that does not understand it.

`mtls` of a policy is about a target's sidecars and all their callers in the mesh:

- off: plain text (as without a policy)
- permissive: the listeners take both, callers in the mesh speak TLS
- strict: the listeners take TLS only

The stages are in a line, and a change goes through every one between where it begins and where it ends; each
is acknowledged by all before the next one: listeners take TLS before anybody speaks it, all speak it before
it is required, and back in the opposite order.
"""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from proxy_plugin.envoy.mesh import Mesh


class Stage(IntEnum):
    """What holds for a target. From OFFERED on its listeners take TLS."""

    OFF = 0
    OFFERED = 1
    SPOKEN = 2  # by all callers in the mesh
    REQUIRED = 3


_WANTED = {"off": Stage.OFF, "permissive": Stage.SPOKEN, "strict": Stage.REQUIRED}


def stage(mesh: Mesh, target: str) -> Stage:
    """Where `target` is: on its way (`mesh.underway`), or where the policies want it."""
    for name, at in mesh.underway:
        if name == target:
            return Stage(at)
    return wanted(mesh, target)


def wanted(mesh: Mesh, target: str) -> Stage:
    """What the policies ask for; of several the last by name decides. Gateways and the outside stay plain."""
    modes = {
        policy.name: policy.mtls
        for policy in mesh.policies
        if policy.mtls and policy.enabled and policy.target.service == target
    }
    if not modes or any(each.role == "router" for each in mesh.instances(target)) or ":" in target:
        return Stage.OFF
    return _WANTED[modes[max(modes)]]


def held(mesh: Mesh, after: Mesh) -> Mesh:
    """`after` with TLS still where it is in `mesh`."""
    targets = {policy.target.service for each in (mesh, after) for policy in each.policies if policy.mtls}
    targets |= {name for name, _ in mesh.underway}
    here = {target: stage(mesh, target) for target in targets}
    away = {target: at for target, at in here.items() if at != wanted(after, target)}
    return replace(after, underway=tuple(sorted(away.items())))


def steps(before: Mesh, after: Mesh) -> list[Mesh]:
    """The meshes to go through, the last one being `after`. All other rules change with the last step."""
    found: list[Mesh] = []
    at = {name: Stage(each) for name, each in held(before, after).underway}
    while any(abs(wanted(after, name) - each) > 1 for name, each in at.items()):
        at = {name: _towards(each, wanted(after, name)) for name, each in at.items()}
        found.append(replace(after, policies=before.policies, underway=tuple(sorted(at.items()))))
    return [*found, replace(after, underway=())]


def required_anew(before: Mesh, after: Mesh) -> list[str]:
    """Targets whose callers must all speak TLS by now."""
    targets = {policy.target.service for policy in after.policies if policy.mtls}
    return sorted(
        target
        for target in targets | {name for name, _ in after.underway}
        if stage(after, target) == Stage.REQUIRED != stage(before, target)
    )


def _towards(at: Stage, end: Stage) -> Stage:
    return at if at == end else Stage(at + (1 if end > at else -1))
