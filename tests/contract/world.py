"""A server with data in it: calls of every kind, a rule, a marker; what the tests of the contract ask."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from bench.server import serve
from store.engines import control_engine
from tests.collector.notation import START, request
from tests.web.mesh import SIDECARS, Proxy
from web.auth import Auth

METHODS = ("get", "put", "post", "delete", "patch")
SPANS = (
    "t1 1 S shop/front 30; t1 2<1 C shop/front 20; t1 3<2 S shop/payments 10 !;"
    "t1 4<3 C shop/payments [db.system.name=postgresql, server.address=pg-1, server.port=5432] 5;"
    "t2 1 P shop/payments [messaging.system=kafka, messaging.destination.name=orders] 1; t2 2<1 N ship/post 3;"
    "t3 1 C shop/front [server.address=api.example.com] 7; t4 2<9 S shop/cart 4; t5 1 I job 9 !"
)
"""Pairs, an error, a database, a message, a target from outside, an unknown caller, a lone job."""
EDGES = 6
"""That these spans make."""
RULE = {"target": {"service": "shop/payments"}, "timeout": "2s"}
DEPLOYED = {"service": "shop/payments", "version": "v2", "link": "https://ci.example.com/job/17"}
FIRST = (
    ("PUT", "/api/v1/policies/payments-timeout", RULE),
    ("POST", "/api/v1/events", DEPLOYED),
    ("POST", "/api/v1/events", {"kind": "note", "text": "the day begins"}),
)
"""What is written before anybody asks: method, path, JSON body."""


@dataclass(frozen=True)
class World:
    """A server that runs, and what its description says."""

    url: str
    token: str
    document: dict[str, Any]

    def client(self, *, signed_in: bool = True) -> httpx.Client:
        """A client, with an API token or without any credentials."""
        headers = {"authorization": f"Bearer {self.token}"} if signed_in else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def operations(self, *methods: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Method, path (as a template) and description of every operation, or of those of some methods."""
        for path, routes in self.document["paths"].items():
            for method in routes.keys() & set(methods or METHODS):
                yield method, path, routes[method]


@contextmanager
def running(data: Path) -> Iterator[World]:
    """The server as it is started by people, with authentication on."""
    with serve(data, AUTH="on") as server, _proxies(server.xds):
        url = f"http://127.0.0.1:{server.http}"
        engine = control_engine(None, data)
        token = Auth(engine).create_token("contract")
        engine.dispose()
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30) as api:
            document = api.get("/api/openapi.json").json()
            _report(server.otlp_http)
            _await(lambda: len(api.get("/api/v1/graph").json()["edges"]) == EDGES)
            _await(lambda: len(api.get("/api/v1/proxies").json()["items"]) == len(SIDECARS))
            for method, path, body in FIRST:
                answer = api.request(method, path, json=body)
                assert answer.is_success, answer.text
        yield World(url, token, document)


def concrete(path: str, operation: dict[str, Any]) -> str:
    """A path without templates: every parameter by the example that its description gives."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(example(parameter), safe=""))
    return path


def example(parameter: dict[str, Any]) -> str:
    """The first example of a parameter."""
    found = parameter.get("example") or (parameter["schema"].get("examples") or ["x"])[0]
    return str(found[0] if isinstance(found, list) else found)


def _report(port: int) -> None:
    message = request(SPANS)
    moved = time.time_ns() - 5 * 10**9 - START
    for group in message.resource_spans:
        for span in group.scope_spans[0].spans:
            span.start_time_unix_nano += moved
            span.end_time_unix_nano += moved
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v1/traces",
        content=message.SerializeToString(),
        headers={"content-type": "application/x-protobuf"},
        timeout=30,
    )
    answer.raise_for_status()


@contextmanager
def _proxies(port: int) -> Iterator[None]:
    """Sidecars without Envoys, which obey; in a loop of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    found = asyncio.run_coroutine_threadsafe(_joined(port), loop).result(30)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_left(found), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _joined(port: int) -> list[Proxy]:
    found = [Proxy(sidecar, port) for sidecar in SIDECARS]
    for proxy in found:
        await proxy.join()
    return found


async def _left(found: list[Proxy]) -> None:
    for proxy in found:
        await proxy.leave()
    await asyncio.get_running_loop().shutdown_asyncgens()  # or what is collected later finds the loop closed


def _await(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
