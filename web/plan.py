"""What a draft of a policy would do: findings, differences, blast radius. Nothing is changed here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, Protocol, TypedDict

import yaml

from proxy_plugin.envoy import checks
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.policy import Finding, TrafficPolicy, read_policy
from store.policies import StoredPolicy


class EdgeCalls(Protocol):
    """The calls of one edge in the last 15 minutes."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def rate(self) -> float:
        """Calls per second."""

    def share_above(self, ms: float) -> float | None:
        """Share (0-1) of calls that took longer, None when no duration was seen."""


class CallReader(Protocol):
    """Who calls a target, as it was observed."""

    async def edges_to(self, target: str) -> Sequence[EdgeCalls]: ...


class BlastRadius(TypedDict):
    """What a policy touches. Shares are 0-1; None: nothing is cut, or no call was seen."""

    edges: list[list[str]]
    callers: list[str]
    calls_per_second: float
    predicted_cut_share: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """`valid`: no finding is an error. `resources`: node id → unified diff of what the proxy is given."""

    valid: bool
    findings: list[Finding]
    diff: str = ""
    resources: dict[str, str] = field(default_factory=dict)
    blast_radius: BlastRadius = field(
        default_factory=lambda: BlastRadius(
            edges=[], callers=[], calls_per_second=0.0, predicted_cut_share=None
        )
    )
    policy: TrafficPolicy | None = None  # the draft, when it could be read


class Planner:
    """Judges drafts against the mesh as it is."""

    def __init__(self, control: ControlPlane, calls: CallReader | None) -> None:
        self._control, self._calls = control, calls

    async def plan(
        self,
        draft: TrafficPolicy | Mapping[str, Any],
        stored: StoredPolicy | None,
        others: Sequence[TrafficPolicy],
    ) -> Plan:
        """`stored`: the policy as it stands, None for a new one; `others`: all policies but this one."""
        policy, findings = (draft, []) if isinstance(draft, TrafficPolicy) else read_policy(draft)
        if policy is None:
            return Plan(False, findings)
        mesh = self._control.mesh().with_policies(others)
        findings = await asyncio.to_thread(checks.problems, policy, mesh)
        resources: dict[str, str] = {}
        if not errors(findings):
            rendering = await self._control.render([*others, policy])
            resources = rendering.diffs()
            findings += [_envoy_refuses(words) for words in rendering.refusals()]
        return Plan(
            valid=not errors(findings),
            findings=findings,
            diff=difference(stored, policy),
            resources=resources,
            blast_radius=await blast_radius(policy, mesh, self._calls),
            policy=policy,
        )


def errors(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def difference(stored: StoredPolicy | None, policy: TrafficPolicy) -> str:
    """Unified YAML diff of the stored policy and the draft."""
    before = _yaml(stored.document) if stored else []
    old = f"{policy.name} (revision {stored.revision})" if stored else "/dev/null"
    return "".join(unified_diff(before, _yaml(policy.document()), old, f"{policy.name} (draft)"))


async def blast_radius(policy: TrafficPolicy, mesh: Mesh, calls: CallReader | None) -> BlastRadius:
    """Edges that are configured or were seen, and what flows over those that the policy applies to."""
    target = policy.target.service
    chosen = policy.target.callers
    seen = [
        edge
        for edge in (await calls.edges_to(target) if calls else ())
        if not chosen or edge.source in chosen
    ]
    callers = sorted(
        {edge.source for edge in seen}
        | {caller for caller in mesh.callers(target) if not chosen or caller in chosen}
    )
    return BlastRadius(
        edges=[[caller, target] for caller in callers],
        callers=callers,
        calls_per_second=float(sum(edge.rate for edge in seen)),
        predicted_cut_share=_cut_share(policy, seen),
    )


def _cut_share(policy: TrafficPolicy, seen: Sequence[EdgeCalls]) -> float | None:
    """Share of today's calls that take longer than the draft's timeout, weighted by their number."""
    if policy.timeout is None:
        return None
    limit = policy.timeout.seconds * 1000
    shares = [(edge.rate, share) for edge in seen if (share := edge.share_above(limit)) is not None]
    total = sum(rate for rate, _ in shares)
    return sum(rate * share for rate, share in shares) / total if total else None


def _envoy_refuses(words: str) -> Finding:
    return Finding("error", "", f"Envoy refuses it: {words}", "Change the part that Envoy names.")


def _yaml(document: Mapping[str, Any]) -> list[str]:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True).splitlines(keepends=True)
