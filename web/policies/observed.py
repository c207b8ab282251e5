"""What the calls of the last 15 minutes say about a draft: predictions, and findings that rest on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.policy import RULES, Finding, TrafficPolicy

_LATE_SHARE = 0.01  # of calls that may take longer than a timeout before it is worth a word: p99


class EdgeCalls(Protocol):
    """The calls of one edge in the last 15 minutes."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def rate(self) -> float:
        """Calls per second."""

    @property
    def error_rate(self) -> float | None:
        """Share (0-1) of calls that failed."""

    @property
    def p99(self) -> float | None:
        """ms, None when no duration was seen."""

    def share_above(self, ms: float) -> float | None:
        """Share (0-1) of calls that took longer, None when no duration was seen."""


class CallReader(Protocol):
    """Who calls a target, as it was observed."""

    async def edges_to(self, target: str) -> Sequence[EdgeCalls]: ...

    async def versions_of(self, target: str) -> Mapping[str, float]:
        """Version → calls that it took in the last 15 minutes."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Calls that a draft is about. ``edges``: those of its callers; ``versions``: see :class:`CallReader`."""

    edges: Sequence[EdgeCalls] = ()
    versions: Mapping[str, float] | None = None

    @property
    def rate(self) -> float:
        """Calls per second."""
        return float(sum(edge.rate for edge in self.edges))


async def observed(policy: TrafficPolicy, calls: CallReader | None) -> Observed | None:
    """None where nothing is observed at all."""
    if calls is None:
        return None
    chosen, target = policy.target.callers, policy.target.service
    edges = [edge for edge in await calls.edges_to(target) if not chosen or edge.source in chosen]
    return Observed(edges, await calls.versions_of(target))


def cut_share(policy: TrafficPolicy, seen: Observed) -> float | None:
    """Share of today's calls that take longer than the draft's timeout, weighted by their number."""
    if policy.timeout is None:
        return None
    limit = policy.timeout.seconds * 1000
    shares = [(edge.rate, share) for edge in seen.edges if (share := edge.share_above(limit)) is not None]
    total = sum(rate for rate, _ in shares)
    return sum(rate * share for rate, share in shares) / total if total else None


def extra_load(policy: TrafficPolicy, seen: Observed) -> float | None:
    """Calls per second that a retry adds: ``Σ rate · (e + e² + … + eⁿ)`` at today's share ``e`` of failures.

    It takes every failure as one that is retried, and attempts as failing independently. None without a retry or calls.
    """
    if policy.retry is None:
        return None
    known = [(edge.rate, edge.error_rate) for edge in seen.edges]
    added = [
        rate * sum(share**attempt for attempt in range(1, policy.retry.attempts + 1))
        for rate, share in known
        if share is not None
    ]
    return sum(added) if added else None


def findings(policy: TrafficPolicy, mesh: Mesh, seen: Observed | None) -> list[Finding]:
    """Warnings and hints; never errors: traffic of today forbids nothing."""
    if seen is None or all(getattr(policy, rule) is None for rule in RULES):
        return []
    if not seen.edges:
        return [
            Finding(
                "info",
                "target",
                f"No call to {policy.target.service} that this applies to was seen in the last 15 minutes.",
                "Look whether it is called at all; nothing can be predicted.",
            ),
        ]
    return [
        *_timeout(policy, seen),
        *_retry(policy, seen),
        *_versions(policy, mesh, seen),
        *_mtls(policy, mesh, seen),
    ]


def _timeout(policy: TrafficPolicy, seen: Observed) -> Iterator[Finding]:
    """Of each edge, since a slow caller is lost in the sum with a busy fast one."""
    if policy.timeout is None:
        return
    limit = policy.timeout.seconds * 1000
    for edge in seen.edges:
        share, p99 = edge.share_above(limit), edge.p99
        if share is not None and p99 is not None and (share > _LATE_SHARE or p99 > limit):
            yield Finding(
                "warning",
                "timeout",
                f"{policy.timeout} is below the observed p99 of {edge.source} → {edge.target}, {p99:.3g} ms: "
                f"{share:.1%} of its calls in the last 15 minutes took longer and would have been cut.",
                f"Give more than {p99:.0f}ms.",
            )


def _retry(policy: TrafficPolicy, seen: Observed) -> Iterator[Finding]:
    added = extra_load(policy, seen)
    if added and seen.rate and added / seen.rate > _LATE_SHARE:
        yield Finding(
            "warning",
            "retry.attempts",
            f"At today's failures retries would add up to {added:.3g} calls/s, {added / seen.rate:.1%} "
            f"of the {seen.rate:.3g} calls/s.",
            "Look at the failures first, or allow fewer attempts.",
        )


def _mtls(policy: TrafficPolicy, mesh: Mesh, seen: Observed) -> Iterator[Finding]:
    """Callers that are in no mesh; that those in a library cannot is an error of its own (``envoy``)."""
    known = {*mesh.services(), *mesh.callers(policy.target.service)}
    without = sorted({edge.source for edge in seen.edges} - known)
    if policy.mtls == "strict" and without:
        yield Finding(
            "warning",
            "mtls",
            f"{', '.join(without)} called in the last 15 minutes without a sidecar: strict refuses that.",
            "Let it call through a sidecar or a gateway first, or use permissive.",
        )


def _versions(policy: TrafficPolicy, mesh: Mesh, seen: Observed) -> Iterator[Finding]:
    """A version that is not there at all is an error of its own (``envoy.checks``)."""
    for at, share in enumerate(policy.split or ()):
        there = share.version in mesh.versions(policy.target.service)
        if share.weight and there and not (seen.versions or {}).get(share.version):
            yield Finding(
                "info",
                f"split[{at}].version",
                f"{share.version} took no call in the last 15 minutes; it would get {share.weight} % of them.",
                "Begin with a small weight, with a guard.",
            )
