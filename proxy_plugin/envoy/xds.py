"""AdsServer: serves snapshots to Envoys over one ADS stream each (state of the world), on grpc.aio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from itertools import count
from time import time
from typing import Any, Protocol

import grpc
import structlog
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from proxy_plugin.envoy.api import CDS, EDS, LDS, ORDER, RDS, SDS, envoy_api
from proxy_plugin.envoy.mesh import Sidecar, UnknownProxyError
from proxy_plugin.envoy.snapshot import Snapshot
from proxy_plugin.envoy.status import TypeName, TypeStatus
from proxy_plugin.envoy.subscription import Answer, Subscription

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
TYPE_NAMES: Mapping[str, TypeName] = {CDS: "CDS", EDS: "EDS", SDS: "SDS", LDS: "LDS", RDS: "RDS"}


class Events(Protocol):
    """Who wants to know what happens on the streams; called on the event loop."""

    def joined(self, sidecar: Sidecar) -> None:
        """A proxy's stream began."""

    def left(self, stream: Stream) -> None:
        """The proxy's stream ended."""

    def answered(self) -> None:
        """Some status changed."""


class Stream:
    """One proxy's stream. `returning`: it came with a configuration. Writes whatever is due when woken."""

    def __init__(self, sidecar: Sidecar, returning: bool, log: Any) -> None:
        self.sidecar = sidecar
        self.returning = returning
        self.connected_at = self.last_seen = time()
        self.snapshot: Snapshot | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._nonces = count(1)
        self._wake, self.replaced = asyncio.Event(), asyncio.Event()
        self._log = log
        self._response: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryResponse")

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._wake.set()

    def read(self, request: Any) -> Answer:
        self.last_seen = time()
        kind = request.type_url
        if kind not in ORDER:
            return Answer.NONE
        subscription = self._subscriptions.setdefault(kind, Subscription(kind))
        answer = subscription.read(request)
        if answer is Answer.NACK:
            self._log.warning(
                "envoy_refused",
                node=self.sidecar.node_id,
                type=TYPE_NAMES[kind],
                keeps=request.version_info,
                message=subscription.error,
            )
        self._wake.set()
        return answer

    async def write(self, write: Callable[[Any], Awaitable[None]]) -> None:
        """Runs until it is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for kind in ORDER:
                await self._send_if_due(kind, write)

    async def _send_if_due(self, kind: str, write: Callable[[Any], Awaitable[None]]) -> None:
        subscription, snapshot = self._subscriptions.get(kind), self.snapshot
        if subscription is None or snapshot is None or not subscription.due(snapshot):
            return
        if kind == SDS and not self._secrets():  # what used them is draining
            return
        nonce = str(next(self._nonces))
        resources = subscription.sending(snapshot, nonce)
        if kind == CDS and (endpoints := self._subscriptions.get(EDS)):
            # A changed cluster warms until its endpoints come once more; Envoy does not ask for them.
            endpoints.send_again()
        await write(
            self._response(
                version_info=snapshot.versions[kind],
                type_url=kind,
                nonce=nonce,
                resources=[resource.packed for resource in resources],
            )
        )

    def _secrets(self) -> frozenset[str]:
        """What SDS has for the proxy."""
        return frozenset(self.snapshot.resources[SDS]) if self.snapshot else frozenset()

    def status(self) -> dict[TypeName, TypeStatus]:
        versions = self.snapshot.versions if self.snapshot else {}
        found: dict[TypeName, TypeStatus] = {}
        for kind, name in TYPE_NAMES.items():
            version = versions.get(kind, "")
            subscription = self._subscriptions.get(kind)
            found[name] = (
                subscription.status(version, self._secrets() if kind == SDS else frozenset())
                if subscription and (kind != SDS or self._secrets())
                else TypeStatus("not_requested", version)
            )
        return found


class AdsServer:
    """The streams by node id. A second proxy with the same id takes the place of the first.

    The stream of the first is closed: a living Envoy comes again, instead of being told nothing for ever.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._streams: dict[str, Stream] = {}
        self._log = structlog.get_logger()
        self._request: Any = envoy_api().message("envoy.service.discovery.v3.DiscoveryRequest")

    def handler(self) -> grpc.GenericRpcHandler:
        method = grpc.stream_stream_rpc_method_handler(
            self._serve,  # reads bytes: what is no request is answered by us, not by a traceback
            response_serializer=lambda response: response.SerializeToString(),
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"StreamAggregatedResources": method})

    def stream(self, node_id: str) -> Stream | None:
        return self._streams.get(node_id)

    def streams(self) -> list[Stream]:
        return list(self._streams.values())

    def publish(self, node_id: str, snapshot: Snapshot) -> None:
        """Replace what the proxy is to have. Nothing happens when it is not connected."""
        if stream := self._streams.get(node_id):
            stream.publish(snapshot)

    async def _serve(self, requests: AsyncIterator[bytes], context: Any) -> None:
        first = await anext(requests, None)
        if first is None:
            return
        try:
            request = self._request_of(first)
            stream = self._joined(_sidecar(request.node), returning=bool(request.version_info))
            try:
                self._read(stream, request)
                await self._converse(stream, requests, context.write)
            finally:
                self._left(stream)
        except UnknownProxyError as error:
            self._log.warning("proxy_unknown", peer=context.peer(), error=str(error))
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if stream.replaced.is_set():
            await context.abort(grpc.StatusCode.ABORTED, "another proxy came with this node id")

    async def _converse(
        self, stream: Stream, requests: AsyncIterator[bytes], write: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Until the proxy leaves, or another one takes its place."""

        async def read() -> None:
            async for raw in requests:
                self._read(stream, self._request_of(raw))

        tasks = [asyncio.create_task(each) for each in (read(), stream.write(write), stream.replaced.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _request_of(self, raw: bytes) -> Any:
        try:
            return self._request.FromString(raw)
        except DecodeError:
            raise UnknownProxyError("what was sent is no DiscoveryRequest") from None

    def _read(self, stream: Stream, request: Any) -> None:
        if stream.read(request) is not Answer.NONE:
            self._events.answered()

    def _joined(self, sidecar: Sidecar, returning: bool) -> Stream:
        stream = Stream(sidecar, returning, self._log)
        if before := self._streams.get(sidecar.node_id):
            self._log.warning("proxy_twice", node=sidecar.node_id)
            before.replaced.set()
        self._streams[sidecar.node_id] = stream
        self._log.info("proxy_joined", node=sidecar.node_id, service=sidecar.id, returning=returning)
        self._events.joined(sidecar)
        return stream

    def _left(self, stream: Stream) -> None:
        node_id = stream.sidecar.node_id
        if self._streams.get(node_id) is stream:
            del self._streams[node_id]
            self._log.info("proxy_left", node=node_id)
            self._events.left(stream)


def _sidecar(node: Any) -> Sidecar:
    try:
        metadata = envoy_api().to_dict(node.metadata)
    except (json_format.Error, RecursionError) as error:
        raise UnknownProxyError(f"node metadata cannot be read: {str(error)[:100]}") from error
    return Sidecar.from_metadata(metadata)
