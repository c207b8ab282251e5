"""How a push goes: which proxies it concerns and what each of them has answered so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from proxy_plugin.envoy.mesh import Sidecar
from proxy_plugin.envoy.status import ProxyOutcome, PushResult
from proxy_plugin.envoy.xds import TYPE_NAMES, Stream


class Streams(Protocol):
    """Who is connected."""

    def stream(self, node_id: str) -> Stream | None: ...


@dataclass(frozen=True, slots=True)
class Concern:
    """A proxy, the stream that it had when the push began, and the types (URLs) that change for it."""

    sidecar: Sidecar
    stream: Stream
    types: tuple[str, ...]


@dataclass(slots=True)
class Progress:
    """Outcomes so far. A proxy that left meanwhile is `gone`: it gets what is in force when it returns."""

    acked: list[ProxyOutcome] = field(default_factory=list)
    nacked: list[ProxyOutcome] = field(default_factory=list)
    pending: list[ProxyOutcome] = field(default_factory=list)
    gone: list[ProxyOutcome] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """All or none: the first refusal decides."""
        return bool(self.nacked) or not self.pending

    def then(self, later: Progress) -> Progress:
        """With what the next step brought; what a proxy says later of a type takes the place of the earlier."""
        newer = {
            (each.node_id, each.type) for each in (*later.acked, *later.nacked, *later.pending, *later.gone)
        }
        earlier = [each for each in self.acked if (each.node_id, each.type) not in newer]
        gone = [each for each in self.gone if (each.node_id, each.type) not in newer]
        return Progress([*earlier, *later.acked], later.nacked, later.pending, [*gone, *later.gone])

    def result(self, **facts: float | bool) -> PushResult:
        return PushResult(
            acked=tuple(self.acked),
            nacked=tuple(self.nacked),
            pending=tuple(self.pending),
            gone=tuple(self.gone),
            reverted=bool(facts.get("reverted", False)),
            restored=bool(facts.get("restored", True)),
            seconds=float(facts.get("seconds", 0.0)),
        )


def progress(concerns: Iterable[Concern], ads: Streams) -> Progress:
    found = Progress()
    for concern in concerns:
        there = ads.stream(concern.sidecar.node_id) is concern.stream
        statuses = concern.stream.status()
        for kind in concern.types:
            status = statuses[TYPE_NAMES[kind]]
            if not there:
                found.gone.append(outcome(concern.sidecar, kind, "disconnected"))
            elif status.state == "synced":
                found.acked.append(outcome(concern.sidecar, kind, ""))
            elif status.state == "nacked":
                found.nacked.append(outcome(concern.sidecar, kind, status.error or ""))
            else:
                found.pending.append(outcome(concern.sidecar, kind, "no answer yet"))
    return found


def outcome(sidecar: Sidecar, kind: str, message: str) -> ProxyOutcome:
    return ProxyOutcome(
        sidecar.node_id, sidecar.id, sidecar.version, sidecar.instance, TYPE_NAMES[kind], message
    )
