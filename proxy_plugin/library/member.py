"""One process as a member of the mesh: its rules, its breakers, and the control plane that it follows."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import httpx
from opentelemetry.trace import TracerProvider

from proxy_plugin.library.breaker import Breaker, Transition
from proxy_plugin.library.limiter import Limiter
from proxy_plugin.library.rules import Rejection, Rules, read
from proxy_plugin.library.tracing import tracer
from proxy_plugin.library.upstreams import Given, Upstreams

_MOST_TRANSITIONS = 500  # that wait for the control plane; of more, the oldest are forgotten
_MOST_BREAKERS = 1000  # targets outside the mesh come from URLs, which are without end


class Member:
    """`async with Member("shop/checkout", …) as member:` follows the control plane while it lasts.

    Without `control` there are no policies, only spans and a sidecar's defaults. The last known rules stay in
    force when the control plane is gone. Belongs to one event loop.
    """

    def __init__(
        self,
        service: str,
        *,
        instance: str = "",
        version: str = "v1",
        upstreams: Given | None = None,
        control: str = "",
        token: str = "",
        tracer_provider: TracerProvider | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        dice: random.Random | None = None,
    ) -> None:
        """`service`: its id, `namespace/service`. `control`: the console's URL, with an API token.

        `http`: how the control plane is reached (for certificates of one's own, for example).
        """
        self.service, self.version = service, version
        self.instance = instance or f"{service.rpartition('/')[2]}-{socket.gethostname()}-{os.getpid()}"
        self.upstreams = Upstreams(service, upstreams or {})
        self.tracer = tracer(tracer_provider)
        self.dice = dice or random.Random()  # noqa: S311 - which call is hit by a fault is no secret
        self.limiter = Limiter()
        self.rules = Rules(service)
        self.revision = ""
        self.rejected: tuple[Rejection, ...] = ()
        self.news = asyncio.Event()
        """Set when there is something to report."""
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._transitions: deque[dict[str, Any]] = deque(maxlen=_MOST_TRANSITIONS)
        self._control, self._token, self._http = control, token, http
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._control and self._following is None:
            from proxy_plugin.library.control import follow

            following = follow(self, self._control, self._token, self._http)
            self._following = asyncio.create_task(following, name="meshscope-library")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
            self._following = None

    def apply(self, documents: Sequence[Mapping[str, Any]], revision: str) -> None:
        """Put these policies into force, whole, in place of those before; what cannot be held is in `rejected`."""
        self.rules, self.rejected = read(documents, self.service, self.upstreams.versions)
        self.revision = revision
        for (target, _), breaker in self._breakers.items():
            breaker.use(self.rules.edge(target).cluster)
        for target in self.upstreams.targets:  # a breaker that is forced is to be seen before the first call
            if self.rules.edge(target).cluster.force != "auto":
                for version in self.upstreams.versions[target] or ("",):
                    self.breaker(target, version)
        self.limiter.keep({policy.name for policy in self.rules.policies})
        self.news.set()

    def breaker(self, target: str, version: str) -> Breaker:
        """One per target and version."""
        found = self._breakers.get((target, version))
        if found is None:
            if len(self._breakers) >= _MOST_BREAKERS:
                self._forget_idle()
            found = Breaker(lambda transition: self._note(target, version, transition))
            self._breakers[target, version] = found
            found.use(self.rules.edge(target).cluster)
        return found

    def transitions(self) -> list[dict[str, Any]]:
        """What is still to be reported, the oldest first; `reported` takes it away."""
        return list(self._transitions)

    def reported(self, count: int) -> None:
        for _ in range(min(count, len(self._transitions))):
            self._transitions.popleft()

    def states(self) -> list[dict[str, Any]]:
        """Every breaker as it is now, those that are not simply closed first."""
        found = [_written(*key, breaker.last) for key, breaker in self._breakers.items()]
        return sorted(found, key=lambda each: each["state"] == "closed" and not each["forced"])

    def _note(self, target: str, version: str, transition: Transition) -> None:
        self._transitions.append(_written(target, version, transition))
        self.news.set()

    def _forget_idle(self) -> None:
        for key, breaker in list(self._breakers.items()):
            if not breaker.active and breaker.state == "closed":
                del self._breakers[key]


def _written(target: str, version: str, transition: Transition) -> dict[str, Any]:
    return {
        "target": target,
        "version": version,
        "state": transition.state,
        "forced": transition.forced,
        "since": transition.at,
        "reason": transition.reason,
    }
