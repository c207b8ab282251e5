"""Enforcer: leads the mesh to other policies, each step acknowledged by all proxies before the next one.

Mostly there is one step; a change of mTLS has up to three (`mtls`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from proxy_plugin.envoy.api import CDS
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.mtls import required_anew, steps
from proxy_plugin.envoy.push import Concern, Progress, Streams, outcome, progress
from proxy_plugin.envoy.rendering import drafts
from proxy_plugin.policy import TrafficPolicy

_BACK_AT_LEAST, BACK_AT_MOST = 1.0, 3.0
"""Seconds."""


class State(Protocol):
    """What is in force, and how that is changed."""

    def mesh(self) -> Mesh: ...

    async def put(self, mesh: Mesh) -> None:
        """Publish this mesh's rules and stages of mTLS for the sidecars that are there."""


class Enforcer:
    """`heard` is to be called whenever a proxy answered, came or left."""

    def __init__(self, state: State, ads: Streams) -> None:
        self._state, self._ads = state, ads
        self._news = asyncio.Event()

    def heard(self) -> None:
        self._news.set()

    async def forward(
        self, policies: Sequence[TrafficPolicy], wait: float, published: asyncio.Event | None = None
    ) -> Progress:
        """Ends early when a proxy refuses or does not acknowledge in time. The rules change with the last step.

        `published` is set when the first step is.
        """
        seen, until = Progress(), time.monotonic() + wait
        while True:
            mesh = self._state.mesh()  # it may change meanwhile: the way is looked up at every step
            step, *more = steps(mesh, mesh.with_policies(policies))
            ready = await self._speak_tls(mesh, step, until - time.monotonic())
            if not ready.over:
                return seen.then(ready)
            seen = seen.then(await self._take(step, until, published))
            if not more or seen.nacked or seen.pending:
                return seen

    async def back(self, policies: Sequence[TrafficPolicy], wait: float) -> Progress:
        """To policies that were in force before, whatever the proxies say. The rules change at once."""
        seen = Progress()
        until = time.monotonic() + min(max(wait, _BACK_AT_LEAST), BACK_AT_MOST)
        while True:
            mesh = self._state.mesh()
            step, *more = steps(mesh, mesh.with_policies(policies))
            seen = seen.then(await self._take(replace(step, policies=tuple(policies)), until))
            if not more:
                return seen

    async def outcome(self, concerns: Sequence[Concern], wait: float) -> Progress:
        """What the proxies say, as soon as it is decided or the time (seconds) is over."""
        try:
            async with asyncio.timeout(wait):
                while not (seen := progress(concerns, self._ads)).over:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            seen = progress(concerns, self._ads)
        return seen

    async def _take(self, step: Mesh, until: float, published: asyncio.Event | None = None) -> Progress:
        concerns = await self._concerns(step)
        await self._state.put(step)
        if published is not None:
            published.set()
        return await self.outcome(concerns, until - time.monotonic())

    async def _concerns(self, after: Mesh) -> list[Concern]:
        """Connected proxies whose resources change with `after`."""
        mesh = self._state.mesh()
        found = await asyncio.to_thread(drafts, mesh.sidecars, mesh, after)
        return [
            Concern(draft.sidecar, stream, types)
            for draft in found
            if (types := draft.asked()) and (stream := self._ads.stream(draft.sidecar.node_id))
        ]

    async def _speak_tls(self, mesh: Mesh, step: Mesh, wait: float) -> Progress:
        """Whether all callers do, where the next step requires it: one that is away may still be plain."""
        callers = {
            sidecar.node_id: sidecar
            for target in required_anew(mesh, step)
            for caller in mesh.callers(target)
            for sidecar in mesh.instances(caller)
        }
        away = [
            outcome(sidecar, CDS, "it is not connected, so it may not speak TLS yet")
            for sidecar in callers.values()
            if self._ads.stream(sidecar.node_id) is None
        ]
        if away:
            return Progress(pending=away)
        streams = [(sidecar, self._ads.stream(sidecar.node_id)) for sidecar in callers.values()]
        return await self.outcome([Concern(one, stream, (CDS,)) for one, stream in streams if stream], wait)
