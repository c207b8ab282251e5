"""What the control plane tells about proxies and pushes: plain values for the API, the UI and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TypeState = Literal["synced", "stale", "nacked", "not_sent", "not_requested", "disconnected"]
TypeName = Literal["CDS", "EDS", "SDS", "LDS", "RDS"]


@dataclass(frozen=True, slots=True)
class TypeStatus:
    """One resource type at one proxy. `stale`: sent, not answered. Times are unix seconds, None = never.

    `version` is what the proxy should have, `error` the proxy's own words when it refused that version.
    """

    state: TypeState
    version: str
    error: str | None = None
    sent_at: float | None = None
    answered_at: float | None = None


@dataclass(frozen=True, slots=True)
class ProxyStatus:
    """One proxy, connected or lately connected. `service` is the service id; times are unix seconds."""

    node_id: str
    service: str
    version: str
    instance: str
    role: str
    address: str
    connected: bool
    connected_at: float
    last_seen: float
    types: Mapping[TypeName, TypeStatus]


@dataclass(frozen=True, slots=True)
class ProxyOutcome:
    """What became of one resource type of a push at one proxy; `message` is the proxy's own text, or why."""

    node_id: str
    service: str
    version: str
    instance: str
    type: TypeName
    message: str = ""


@dataclass(frozen=True, slots=True)
class PushResult:
    """All or none, one outcome for each changed type of each connected proxy.

    `reverted`: a proxy refused or the wait ended, and the policies before were pushed back; `restored` is
    False when some proxy did not confirm those in time either (it gets them as soon as it answers).
    `refused`: what Envoy said in the dry run; then nothing was sent. `gone`: disconnected meanwhile; when
    such a proxy returns it gets what is in force then, so it decides nothing.
    """

    acked: tuple[ProxyOutcome, ...] = ()
    nacked: tuple[ProxyOutcome, ...] = ()
    pending: tuple[ProxyOutcome, ...] = ()
    gone: tuple[ProxyOutcome, ...] = ()
    refused: tuple[str, ...] = ()
    reverted: bool = False
    restored: bool = True
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.nacked and not self.pending and not self.refused


@dataclass(frozen=True, slots=True)
class Verdict:
    """Envoy's answer to a dry run; `message` holds its own words when it refuses."""

    ok: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a draft changes at one proxy. `diff` is a unified diff of the resources as YAML."""

    node_id: str
    service: str
    types: tuple[TypeName, ...]
    diff: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Rendering:
    """A draft, rendered and tried, nothing sent. `resources`: node id → type URL → name → resource."""

    resources: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return all(change.verdict.ok for change in self.changes.values())

    def refusals(self) -> tuple[str, ...]:
        """Envoy's distinct words against the draft."""
        return tuple(
            dict.fromkeys(change.verdict.message for change in self.changes.values() if not change.verdict.ok)
        )

    def diffs(self) -> dict[str, str]:
        """Node id → unified diff, changed proxies only."""
        return {node_id: change.diff for node_id, change in self.changes.items()}
