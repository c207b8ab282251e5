"""All apps of a world (or its externals) in one process: `python -m proxy_plugin.demo.apps placement.json`.

One uvicorn server listens on every instance's port; the port that a request came in by says whose it is.
The process says `ready` on stdout once it listens, and ends on SIGTERM or when its stdin closes: the parent
holds the other end, so the apps go with it however it dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from proxy_plugin.demo.broker import Broker
from proxy_plugin.demo.client import Client
from proxy_plugin.demo.instance import Instance
from proxy_plugin.demo.model import Subscription, World
from proxy_plugin.demo.placement import TOKEN, Place, Placement
from proxy_plugin.demo.shop import SHOP
from proxy_plugin.demo.telemetry import batch_processor, of, provider

if TYPE_CHECKING:
    from proxy_plugin.demo.library import LibraryClient

READY = b"ready\n"

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Apps:
    """An ASGI application: every instance of a placement, told apart by port."""

    def __init__(self, world: World, placement: Placement, processor: SpanProcessor) -> None:
        self._client = Client()
        self._libraries: list[LibraryClient] = []
        groups = [(sub.topic, s.id) for s in world.services for sub in s.subscriptions]
        self._broker = Broker(groups)
        self._instances = {
            place.port: self._instance(world, place, placement, processor) for place in placement.places
        }
        self._consumers = [
            (self._instances[place.port], subscription)
            for place in placement.places
            for subscription in _subscriptions(world, place)
        ]

    def _instance(
        self, world: World, place: Place, placement: Placement, processor: SpanProcessor
    ) -> Instance:
        namespace, _, name = place.owner.rpartition("/")
        spans = provider(
            processor, name=name, namespace=namespace, version=place.version, instance=place.instance
        )
        return Instance(
            owner=place.owner,
            routes=world.routes(place.owner),
            slowness=_slowness(world, place),
            dial=place.dial,
            rng=random.Random(f"{placement.seed}/{place.instance}"),
            tracer=of(spans),
            client=self._by_library(place, placement.control, spans) if place.library else self._client,
            broker=self._broker,
        )

    def _by_library(self, place: Place, control: str, spans: TracerProvider) -> LibraryClient:
        from proxy_plugin.demo.library import LibraryClient  # with it comes httpx, which only some need

        client = LibraryClient(place, control, os.environ.get(TOKEN, ""), spans)
        self._libraries.append(client)
        return client

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Who has the library follows the control plane while this lasts."""
        async with AsyncExitStack() as stack:
            for client in self._libraries:
                await stack.enter_async_context(client)
            yield

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        instance = self._instances[scope["server"][1]]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, word = await instance.answer(scope["method"], scope["path"], headers)
        body = json.dumps({"service": instance.owner, "answer": word}).encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    @contextmanager
    def consuming(self) -> Iterator[None]:
        """The consumers run while this lasts."""
        tasks = [asyncio.create_task(instance.consume(sub)) for instance, sub in self._consumers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            self._client.close()


def _subscriptions(world: World, place: Place) -> tuple[Subscription, ...]:
    return next((s.subscriptions for s in world.services if s.id == place.owner), ())


def _slowness(world: World, place: Place) -> float:
    versions = (v for s in world.services if s.id == place.owner for v in s.versions)
    return next((v.slowness for v in versions if v.name == place.version), 1.0)


async def serve(placement: Placement, *, announce: Callable[[], None], closed: Awaitable[object]) -> None:
    """Serve until SIGINT, SIGTERM or `closed`; `announce` is called once all ports listen."""
    processor = batch_processor(placement.otlp_http) if placement.otlp_http else SpanProcessor()
    apps = Apps(SHOP, placement, processor)
    sockets = [listen(place.port) for place in placement.places]
    # Envoy keeps its connections: a server that closes idle ones would cut the next request (503 UC).
    config = uvicorn.Config(
        apps, lifespan="off", log_level="warning", access_log=False, timeout_keep_alive=3600,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    server = uvicorn.Server(config)

    async def stop_when_closed() -> None:
        await closed
        server.should_exit = True

    watcher = asyncio.create_task(stop_when_closed())
    async with apps.following():
        with apps.consuming():
            announce()
            await server.serve(sockets=sockets)
    watcher.cancel()
    processor.shutdown()


def listen(port: int) -> socket.socket:
    """Accepted connections inherit TCP_NODELAY. asyncio sets it only on sockets that name their protocol, which
    these do not; without it the body of every answer waits 40 ms for the acknowledgement of its head."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _stdin_closed() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


def _announce() -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()


def main() -> None:
    placement = Placement.model_validate_json(Path(sys.argv[1]).read_bytes())
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(placement, announce=_announce, closed=_stdin_closed()))


if __name__ == "__main__":
    main()
