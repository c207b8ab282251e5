"""ControlPlane: the façade over sidecars, rendering, dry runs and pushes. It knows no database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import structlog

from proxy_plugin.envoy.api import EDS, SDS
from proxy_plugin.envoy.binary import envoy_binary
from proxy_plugin.envoy.bootstrap import RECONNECT_WITHIN, TelemetryTarget
from proxy_plugin.envoy.enforce import BACK_AT_MOST, Enforcer
from proxy_plugin.envoy.goodbye import goodbye_handler
from proxy_plugin.envoy.identity import Identities
from proxy_plugin.envoy.mesh import LOOPBACK, Mesh, Sidecar
from proxy_plugin.envoy.mtls import held
from proxy_plugin.envoy.ports import PortBusyError
from proxy_plugin.envoy.push import Concern
from proxy_plugin.envoy.registry import Registry
from proxy_plugin.envoy.rendering import Comparison, comparisons
from proxy_plugin.envoy.roster import Roster
from proxy_plugin.envoy.snapshot import Snapshot, snapshots
from proxy_plugin.envoy.status import Change, ProxyStatus, PushResult, Rendering, Verdict
from proxy_plugin.envoy.validate import Validator
from proxy_plugin.envoy.xds import TYPE_NAMES, AdsServer, Stream
from proxy_plugin.policy import TrafficPolicy

SETTLE = RECONNECT_WITHIN + 0.2
"""Seconds after the start in which the proxies of a former control plane all return. Until then they keep
what they have: told now, they would forget the endpoints of those that are still on their way."""

_DEBOUNCE = 0.03
_GOODBYE_WITHIN = 1.0
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class ControlPlane:
    """Joins sidecars, renders, validates, pushes. Everything runs on the event loop that called `start`."""

    def __init__(
        self,
        *,
        telemetry: TelemetryTarget,
        envoy: Path | None = None,
        grace: float = 10.0,
        identities: Identities | None = None,
    ) -> None:
        """`telemetry`: where proxies report (for dry runs); `grace`: seconds until a lost sidecar is out;
        `identities`: who issues certificates (None: an authority that ends with this)."""
        self._ads = AdsServer(self)
        self._enforcer = Enforcer(self, self._ads)
        self._registry = Registry(self._refresh_soon, grace)
        self._roster = Roster()
        self._validator = Validator(envoy or envoy_binary(), telemetry)
        self._identities = identities or Identities()
        self._policies: tuple[TrafficPolicy, ...] | None = None
        self._libraries: tuple[tuple[str, tuple[str, ...]], ...] = ()
        self._underway: tuple[tuple[str, int], ...] = ()
        self._snapshots: dict[str, Snapshot] = {}
        self._revision = 0
        self._listeners: list[Callable[[], None]] = []
        self._settled = asyncio.Event()
        self._one_push, self._one_publish = asyncio.Lock(), asyncio.Lock()
        self._publishing: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._server: grpc.aio.Server | None = None
        self._port = 0
        self._log = structlog.get_logger()

    async def start(self, host: str = LOOPBACK, port: int = 0) -> int:
        """Serve ADS; returns the bound port (0 asks for any free one). PortBusyError when it is taken."""
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((self._ads.handler(), goodbye_handler(self._goodbye)))
        try:
            self._port = server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise PortBusyError(host, port, "xDS") from error
        await server.start()
        self._server = server
        self._after(SETTLE, "settle", self._end_settling)
        self._after(self._identities.look_every, "renew", self._renew)
        return self._port

    async def stop(self) -> None:
        """Proxies keep what they have and go on serving."""
        if self._server is not None:
            await self._server.stop(None)
        self._registry.close()
        for timer in self._timers.values():
            timer.cancel()
        for task in self._publishing:
            task.cancel()
        await asyncio.gather(*self._publishing, return_exceptions=True)

    @property
    def port(self) -> int:
        return self._port

    def set_policies(self, policies: Sequence[TrafficPolicy]) -> None:
        """The initial state; proxies are answered nothing before it was called once."""
        self._policies = tuple(policies)
        self._refresh_soon()

    def policies(self) -> tuple[TrafficPolicy, ...]:
        """What is in force (enabled or not), as it was last set or pushed."""
        return self._policies or ()

    def mesh(self) -> Mesh:
        return Mesh(self._registry.sidecars(), self.policies(), self._libraries, self._underway)

    def set_libraries(self, libraries: Mapping[str, Iterable[str]]) -> None:
        """Services without a sidecar, and whom they call: for plans only, they are pushed nothing here."""
        self._libraries = tuple((service, tuple(sorted(libraries[service]))) for service in sorted(libraries))

    def proxies(self) -> list[ProxyStatus]:
        """Connected or lately connected, by service and instance."""
        return self._roster.proxies(self._ads.streams())

    def listen(self, callback: Callable[[], None]) -> None:
        """`callback` is called on the event loop whenever anything in `proxies()` or `policies()` changed."""
        self._listeners.append(callback)

    async def render(self, policies: Sequence[TrafficPolicy]) -> Rendering:
        """Renders `policies` for every sidecar and has Envoy try what changes. Sends and keeps nothing."""
        mesh = self.mesh()
        found = await asyncio.to_thread(comparisons, mesh, mesh.with_policies(policies))
        changed = [each for each in found if each.types]
        verdicts = await asyncio.gather(*(self._verdict(each) for each in changed))
        changes = (_change(each, verdict) for each, verdict in zip(changed, verdicts, strict=True))
        return Rendering(
            resources={each.sidecar.node_id: each.after for each in found},
            changes={change.node_id: change for change in changes},
        )

    async def push(
        self,
        policies: Sequence[TrafficPolicy],
        wait: float = 5.0,
        *,
        validate: bool = True,
        published: asyncio.Event | None = None,
    ) -> PushResult:
        """Puts `policies` into force at all proxies or at none, and says what each proxy answered.

        When a proxy refuses, or does not answer within `wait` seconds, the policies before are pushed back
        and `reverted` is set. What Envoy's dry run refuses is not sent at all (`refused`). `published` is
        set when the states of the proxies begin to tell of this push.
        """
        async with self._one_push:
            if any(stream.returning for stream in self._ads.streams()):
                await self._settled.wait()
            started = time.monotonic()
            if validate and (words := (await self.render(policies)).refusals()):
                return PushResult(refused=words, seconds=time.monotonic() - started)
            before = self.policies()
            try:
                seen = await self._enforcer.forward(policies, wait, published)
            except BaseException:  # who asked is gone and will not know what stands: then nothing does
                here = held(self.mesh(), self.mesh().with_policies(before))
                self._policies, self._underway = here.policies, here.underway
                self._spawn(self._return())
                raise
            if seen.over and not seen.nacked:
                return seen.result(seconds=time.monotonic() - started)
            restored = (await self._enforcer.back(before, wait)).over
            self._log.warning("push_reverted", nacked=len(seen.nacked), pending=len(seen.pending))
            return seen.result(reverted=True, restored=restored, seconds=time.monotonic() - started)

    async def restore(self, policies: Sequence[TrafficPolicy], wait: float = 5.0) -> bool:
        """Puts `policies`, which were in force before, into force whatever the proxies say.

        Whether all of them confirmed it within `wait` seconds; the others are told as soon as they listen.
        """
        async with self._one_push:
            return (await self._enforcer.back(policies, wait)).over

    # What the streams tell (xds.Events)

    def joined(self, sidecar: Sidecar) -> None:
        self._roster.forget(sidecar.node_id)
        self._registry.joined(sidecar)
        self._refresh_soon()
        self.answered()

    def left(self, stream: Stream) -> None:
        self._roster.left(stream)
        self._registry.lost(stream.sidecar.node_id)
        self.answered()

    def answered(self) -> None:
        self._enforcer.heard()
        for callback in self._listeners:
            callback()

    # Publishing

    async def put(self, mesh: Mesh) -> None:
        """Publish these rules and stages of mTLS, for the sidecars that are there (enforce.State)."""
        self._policies, self._underway = mesh.policies, mesh.underway
        await self._publish()

    def _refresh_soon(self) -> None:
        if self._server is not None and "refresh" not in self._timers:
            self._after(_DEBOUNCE, "refresh", self._publish_soon)

    def _end_settling(self) -> None:
        self._settled.set()
        self._publish_soon()

    def _renew(self) -> None:
        """Certificates that are old are made anew by whoever asks for them."""
        self._after(self._identities.look_every, "renew", self._renew)
        self._publish_soon()

    def _publish_soon(self) -> None:
        self._spawn(self._publish())

    def _spawn(self, publishing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(publishing, name="publish")
        self._publishing.add(task)
        task.add_done_callback(self._published)

    def _published(self, task: asyncio.Task[None]) -> None:
        self._publishing.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._log.error("publish_failed", exc_info=error)

    async def _publish(self) -> None:
        """Give every stream what it should have now; unchanged types have unchanged versions."""
        async with self._one_publish:
            if self._policies is None:
                return
            for (
                callback
            ) in self._listeners:  # before the rendering: who takes policies as they are need not wait
                callback()
            mesh = self.mesh()
            self._revision = max(self._revision + 1, int(time.time() * 1000))
            streams = [each for each in self._ads.streams() if self._settled.is_set() or not each.returning]
            sidecars = [stream.sidecar for stream in streams]
            secrets = self._identities.secrets
            made = await asyncio.to_thread(
                snapshots, sidecars, mesh, self._revision, self._snapshots, secrets
            )
            there = {sidecar.node_id for sidecar in mesh.sidecars}
            self._identities.keep(there)
            kept = self._snapshots | made
            self._snapshots = {node_id: found for node_id, found in kept.items() if node_id in there}
            for stream in streams:
                if found := made.get(stream.sidecar.node_id):
                    stream.publish(found)

    def _after(self, seconds: float, name: str, action: Callable[[], None]) -> None:
        def run() -> None:
            del self._timers[name]
            action()

        self._timers[name] = asyncio.get_running_loop().call_later(seconds, run)

    # Drafts and answers

    async def _verdict(self, draft: Comparison) -> Verdict:
        if draft.fault:
            return Verdict(False, draft.fault)
        if draft.after[SDS] and (words := await asyncio.to_thread(self._identities.trouble)):
            return Verdict(False, words)
        return await self._validator.verdict(draft.sidecar, draft.after)

    async def _return(self) -> None:
        """From where TLS is to where the policies in force want it."""
        async with self._one_push:
            await self._enforcer.back(self.policies(), BACK_AT_MOST)

    async def _goodbye(self, node_id: str) -> None:
        """Takes a sidecar out and returns when its callers know, or nearly so."""
        leaving = [each for each in self._registry.sidecars() if each.node_id == node_id]
        callers = [
            Concern(stream.sidecar, stream, (EDS,))
            for stream in self._ads.streams()
            if any(target.id == each.id for each in leaving for target in stream.sidecar.targets())
        ]
        self._registry.remove(node_id)
        await self._publish()
        await self._enforcer.outcome(callers, _GOODBYE_WITHIN)


def _change(draft: Comparison, verdict: Verdict) -> Change:
    types = tuple(TYPE_NAMES[kind] for kind in draft.types)
    return Change(draft.sidecar.node_id, draft.sidecar.id, types, draft.diff, verdict)
