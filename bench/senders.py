"""Closed-loop senders in a process of their own: each sends its next request when the last one was answered."""

from __future__ import annotations

import http.client
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import grpc

Protocol = Literal["http", "grpc"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("http", "grpc")
_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_HEADERS: Final = {"content-type": "application/x-protobuf"}
_PAUSE: Final = 0.5  # s before a refused request is sent again

Send = Callable[[bytes], bool]
"""Sends one body; whether it was accepted (False: come again)."""


@dataclass(slots=True)
class Sent:
    """What became of a replay."""

    accepted: int = 0  # requests
    refused: int = 0  # answers RESOURCE_EXHAUSTED or 429
    seconds: float = 0.0


def replay(bodies: list[bytes], protocol: Protocol, port: int, senders: int) -> Sent:
    """Send all ``bodies`` from another process, refused ones again until they are accepted."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_process, args=(there, bodies, protocol, port, senders))
    process.start()
    there.close()
    try:
        sent: Sent = here.recv()
    finally:
        process.join()
    return sent


def _process(result: Any, bodies: list[bytes], protocol: Protocol, port: int, senders: int) -> None:
    result.send(send_all(bodies, protocol, port, senders))


def send_all(bodies: Iterable[bytes], protocol: Protocol, port: int, senders: int) -> Sent:
    """Send ``bodies`` from ``senders`` threads of this process."""
    todo, sent, lock = iter(bodies), Sent(), threading.Lock()
    sends = [sender(protocol, port) for _ in range(senders)]
    threads = [threading.Thread(target=_send_some, args=(send, todo, sent, lock)) for send in sends]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.seconds = time.perf_counter() - began
    return sent


def _send_some(send: Send, todo: Iterator[bytes], sent: Sent, lock: threading.Lock) -> None:
    while True:
        with lock:
            body = next(todo, None)
        if body is None:
            return
        refused = 0
        while not send(body):
            refused += 1
            time.sleep(_PAUSE)
        with lock:
            sent.accepted += 1
            sent.refused += refused


def sender(protocol: Protocol, port: int) -> Send:
    """A sender with a connection of its own."""
    return _over_http(port) if protocol == "http" else _over_grpc(port)


def _over_http(port: int) -> Send:
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def send(body: bytes) -> bool:
        connection.request("POST", "/v1/traces", body, _HEADERS)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 429):
            raise RuntimeError(f"answered {answer.status}: {text[:200]!r}")
        return answer.status == 200

    return send


def _over_grpc(port: int) -> Send:
    options = [("grpc.use_local_subchannel_pool", 1)]
    call = grpc.insecure_channel(f"127.0.0.1:{port}", options).unary_unary(_EXPORT)

    def send(body: bytes) -> bool:
        try:
            call(body)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                return False
            raise
        return True

    return send
