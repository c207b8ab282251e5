"""Processes that hold the policies themselves (`proxy_plugin.httpx`, `.asgi`): who listens, what each has in force.

Kept in memory: after a restart they are back within seconds and say it all again. Everything runs on one loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import orjson

from proxy_plugin.envoy.control import ControlPlane
from proxy_plugin.policy import TrafficPolicy
from web.problems import Problem

HEARTBEAT: Final = 5.0  # s
MOST_LISTENERS: Final = 2000
MOST_CLIENTS: Final = 4000  # known, there or gone
_KEPT_TRANSITIONS: Final = 100  # per client, target and version
_FORGOTTEN: Final = 600.0  # s after a client was last heard of
_RETRY_AFTER: Final = 5  # s

BreakerState = Literal["closed", "open", "half_open"]
RuleState = Literal["synced", "stale", "nacked", "disconnected"]


@dataclass(frozen=True, slots=True)
class LibraryBreaker:
    """One breaker of one process, now or at one of its transitions.

    `service`, `instance`: the caller. `target`: service id, or `host:port` outside the mesh; `version` of it, ""
    where versions are not told apart. `since`: unix seconds, when it came into this state. `forced`: a policy says
    so (`circuit_breaker.force`), whatever was counted. `reason`: the library's words.
    """

    service: str
    instance: str
    target: str
    state: BreakerState
    since: float
    forced: bool = False
    version: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Who:
    """A process; `address`: where it calls from."""

    service: str
    instance: str
    version: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a process says of itself. `rejected`: why parts of `revision` are not in force there."""

    revision: str
    rejected: str = ""
    breakers: Sequence[LibraryBreaker] = ()
    transitions: Sequence[LibraryBreaker] = ()


@dataclass(frozen=True, slots=True)
class LibraryStatus:
    """One process, connected or lately connected. Times are unix seconds; `revision` is what it should have."""

    who: Who
    connected: bool
    connected_at: float
    last_seen: float
    state: RuleState
    revision: str
    error: str | None


@dataclass(slots=True)
class _Client:
    who: Who
    connected_at: float
    last_seen: float
    targets: frozenset[str] = frozenset()
    streams: int = 0
    told: Told = Told("")
    breakers: dict[tuple[str, str], LibraryBreaker] = field(default_factory=dict)
    history: dict[tuple[str, str], deque[LibraryBreaker]] = field(default_factory=dict)


class LibraryClients:
    """`stream` tells a process its policies, `report` takes what it says; the rest is for whoever shows it."""

    def __init__(self, control: ControlPlane, now: Callable[[], float] = time.time) -> None:
        self._control, self._now = control, now
        self._clients: dict[tuple[str, str], _Client] = {}
        self._seen: tuple[TrafficPolicy, ...] = ()
        self._written: dict[tuple[str, frozenset[str]], tuple[str, bytes]] = {}
        self._changed = asyncio.Event()
        self._ended = False
        control.listen(self._look)

    def admit(self) -> None:
        """Raises a 503 problem when there are too many listeners."""
        if sum(client.streams for client in self._clients.values()) >= MOST_LISTENERS:
            detail = f"There are {MOST_LISTENERS} listeners already."
            raise Problem(503, "Too many streams", detail, headers={"Retry-After": f"{_RETRY_AFTER}"})

    async def stream(
        self, who: Who, targets: frozenset[str], last: str = "", heartbeat: float = HEARTBEAT
    ) -> AsyncGenerator[bytes]:
        """Server-sent events: `policies`, whole, now (unless `last` is their revision) and whenever they change."""
        client = self._client(who)
        client.targets, client.connected_at = targets, self._now()
        client.streams += 1
        self._announce()
        try:
            yield b": welcome\n\n"
            while not self._ended:
                changed = self._changed
                revision, event = self._policies(who.service, targets)
                if revision != last:
                    last = revision
                    yield event
                try:
                    async with asyncio.timeout(heartbeat):
                        await changed.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            client.streams -= 1
            client.last_seen = self._now()
            self._announce()

    async def close(self) -> None:
        """End all streams."""
        self._ended = True
        self._changed.set()

    def report(self, who: Who, told: Told) -> None:
        """What a process says; of each breaker the transitions are kept, the last hundred."""
        client = self._client(who)
        client.told, client.last_seen = replace(told, breakers=(), transitions=()), self._now()
        client.breakers = {(each.target, each.version): each for each in told.breakers}
        for each in told.transitions:
            kept = client.history.setdefault((each.target, each.version), deque(maxlen=_KEPT_TRANSITIONS))
            if each not in kept:  # an answer that was lost makes a process say it again
                kept.append(each)
        client.history = {key: kept for key, kept in client.history.items() if key in client.breakers}

    def clients(self) -> list[LibraryStatus]:
        """By service and instance."""
        self._forget()
        return [self._status(client) for _, client in sorted(self._clients.items())]

    def breakers(self) -> list[LibraryBreaker]:
        """Every breaker of the processes that are connected, as last reported; by service, instance, target."""
        there = (client for _, client in sorted(self._clients.items()) if client.streams)
        return [each for client in there for _, each in sorted(client.breakers.items())]

    def transitions(
        self, service: str, instance: str, target: str, version: str = ""
    ) -> tuple[LibraryBreaker, ...]:
        """Of one breaker, the oldest first."""
        client = self._clients.get((service, instance))
        return tuple(client.history.get((target, version), ())) if client else ()

    def _announce(self) -> None:
        """A plan knows the callers that are there, as it knows the sidecars'."""
        there: dict[str, set[str]] = {}
        for client in self._clients.values():
            if client.streams:
                there.setdefault(client.who.service, set()).update(client.targets)
        self._control.set_libraries(there)

    def _look(self) -> None:
        """The control plane has news; only other policies matter here."""
        if self._control.policies() is not self._seen:
            self._seen = self._control.policies()
            self._written.clear()
            self._changed.set()
            self._changed = asyncio.Event()

    def _policies(self, service: str, targets: frozenset[str]) -> tuple[str, bytes]:
        """Revision (equal for equal policies, over restarts and replicas too) and event."""
        self._look()
        key = service, targets
        if key not in self._written:
            wanted = [each for each in self._seen if _concerns(each, service, targets)]
            wanted.sort(key=lambda each: each.name)
            body = orjson.dumps([each.document() for each in wanted])
            revision = hashlib.sha256(body).hexdigest()[:16]
            event = f"id: {revision}\nevent: policies\ndata: ".encode()
            event += b'{"revision":"%s","policies":%s}\n\n' % (revision.encode(), body)
            self._written[key] = revision, event
        return self._written[key]

    def _client(self, who: Who) -> _Client:
        key = who.service, who.instance
        found = self._clients.get(key)
        if found is None:
            self._forget()
            if len(self._clients) >= MOST_CLIENTS:
                raise Problem(503, "Too many libraries", f"{MOST_CLIENTS} are known already.")
            found = self._clients[key] = _Client(who, self._now(), self._now())
        found.who = who
        return found

    def _forget(self) -> None:
        """Who is gone for long."""
        before = self._now() - _FORGOTTEN
        gone = [
            key
            for key, client in self._clients.items()
            if not client.streams and max(client.last_seen, client.connected_at) < before
        ]
        for key in gone:
            del self._clients[key]

    def _status(self, client: _Client) -> LibraryStatus:
        revision, _ = self._policies(client.who.service, client.targets)
        told = client.told
        state: RuleState = "synced" if told.revision == revision else "stale"
        if state == "synced" and told.rejected:
            state = "nacked"
        last_seen = self._now() if client.streams else client.last_seen
        return LibraryStatus(
            client.who,
            client.streams > 0,
            client.connected_at,
            last_seen,
            state if client.streams else "disconnected",
            revision,
            told.rejected or None if state == "nacked" else None,
        )


def _concerns(policy: TrafficPolicy, service: str, targets: frozenset[str]) -> bool:
    """As callee, or as caller: of `targets` (none given: of all) and of everything outside the mesh."""
    target = policy.target.service
    if not policy.enabled:
        return False
    return target == service or (
        policy.applies_to(service, target) and (not targets or target in targets or ":" in target)
    )
