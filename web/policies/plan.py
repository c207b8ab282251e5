"""What a draft of a policy would do: findings, differences, blast radius. Nothing is changed here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, TypedDict

import yaml

from proxy_plugin.envoy import checks
from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.policy import Finding, TrafficPolicy, read_policy
from store.policies import StoredPolicy
from web.policies import schedule
from web.policies.observed import CallReader, Observed, cut_share, extra_load, observed
from web.policies.observed import findings as said_by_traffic
from web.policies.schedule import Progress


class BlastRadius(TypedDict):
    """What a policy touches. Shares are 0-1, loads calls per second; None: nothing to predict, or no call seen."""

    edges: list[list[str]]
    callers: list[str]
    calls_per_second: float
    predicted_cut_share: float | None
    predicted_extra_load: float | None


def _nothing() -> BlastRadius:
    return BlastRadius(
        edges=[], callers=[], calls_per_second=0.0, predicted_cut_share=None, predicted_extra_load=None
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """`valid`: no finding is an error. `resources`: node id → unified diff of what the proxy is given."""

    valid: bool
    findings: list[Finding]
    diff: str = ""
    resources: dict[str, str] = field(default_factory=dict)
    blast_radius: BlastRadius = field(default_factory=_nothing)
    policy: TrafficPolicy | None = None  # the draft, when it could be read; at the first step of its schedule
    progress: Progress | None = None  # of that schedule


class Planner:
    """Judges drafts against the mesh as it is."""

    def __init__(self, control: ControlPlane, calls: CallReader | None) -> None:
        self._control, self._calls = control, calls

    async def plan(
        self,
        draft: TrafficPolicy | Mapping[str, Any],
        stored: StoredPolicy | None,
        others: Sequence[TrafficPolicy],
        *,
        begins: bool = False,
    ) -> Plan:
        """`stored`: the policy as it stands, None for a new one; `others`: all policies but this one.

        `begins`: a schedule begins, at its first step.
        """
        policy, findings = (draft, []) if isinstance(draft, TrafficPolicy) else read_policy(draft)
        if policy is None:
            return Plan(False, findings)
        mesh = self._control.mesh().with_policies(others)
        wrong, progress = schedule.problems(policy), None
        if begins:
            policy, progress = schedule.first(policy, stored.revision if stored else None)
        findings = wrong + await asyncio.to_thread(checks.problems, policy, mesh) + schedule.hints(policy)
        resources: dict[str, str] = {}
        if not errors(findings):
            rendering = await self._control.render([*others, policy])
            resources = rendering.diffs()
            findings += [_envoy_refuses(words) for words in rendering.refusals()]
        seen = await observed(policy, self._calls)
        if not errors(findings):
            findings += said_by_traffic(policy, mesh, seen)
        return Plan(
            valid=not errors(findings),
            findings=findings,
            diff=difference(stored, policy),
            resources=resources,
            blast_radius=blast_radius(policy, mesh, seen or Observed()),
            policy=policy,
            progress=progress,
        )


def errors(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def difference(stored: StoredPolicy | None, policy: TrafficPolicy) -> str:
    """Unified YAML diff of the stored policy and the draft."""
    before = _yaml(stored.document) if stored else []
    old = f"{policy.name} (revision {stored.revision})" if stored else "/dev/null"
    return "".join(unified_diff(before, _yaml(policy.document()), old, f"{policy.name} (draft)"))


def blast_radius(policy: TrafficPolicy, mesh: Mesh, seen: Observed) -> BlastRadius:
    """Edges that are configured or were seen, and what flows over those that the policy applies to."""
    target, chosen = policy.target.service, policy.target.callers
    callers = sorted(
        {edge.source for edge in seen.edges}
        | {caller for caller in mesh.callers(target) if not chosen or caller in chosen}
    )
    return BlastRadius(
        edges=[[caller, target] for caller in callers],
        callers=callers,
        calls_per_second=seen.rate,
        predicted_cut_share=cut_share(policy, seen),
        predicted_extra_load=extra_load(policy, seen),
    )


def _envoy_refuses(words: str) -> Finding:
    return Finding("error", "", f"Envoy refuses it: {words}", "Change the part that Envoy names.")


def _yaml(document: Mapping[str, Any]) -> list[str]:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True).splitlines(keepends=True)
