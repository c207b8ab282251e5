"""The equations of :mod:`collector.telemetry`, with all doors open and all kinds of requests at once."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack
from itertools import chain

import grpc
import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import Engine

from collector.archive import Archive, Wanted
from collector.breakers import Breakers
from collector.consumer import Signal
from collector.directory import Directory
from collector.opening import TOO_LARGE, UNREADABLE
from collector.pipeline import Pipeline
from collector.receivers import otlp_grpc, otlp_http
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from collector.trim import Limits
from store import calls
from store.sink import StoreSink
from tests.web.everything import LIMIT, Sent, bad, good, over_all, too_large, traces
from tests.web.mesh import until
from web.api import metrics, zipkin
from web.gate import Gate
from web.listen import HttpServer, bind, port_of
from web.problems import install

pytestmark = pytest.mark.anyio

ROUNDS = 6
PAUSE = 0.05  # s before a refused request is sent again
LOST = 0  # answered by nobody, or by gRPC itself: a door may have counted it
REFUSED = (429, grpc.StatusCode.RESOURCE_EXHAUSTED)
EXPORT = {
    Signal.SPANS: "trace.v1.TraceService",
    Signal.LOGS: "logs.v1.LogsService",
    Signal.POINTS: "metrics.v1.MetricsService",
}


class Server:
    """The doors of a server, each on a port of its own, and what a test has sent there."""

    def __init__(self, archive: Archive, counters: Counters) -> None:
        self.counters, self.taken = counters, Counter[Signal]()
        self.answers = self.lost = 0
        parts = LiveWindow(), Breakers(), Directory(), counters
        self.pipeline = Pipeline(
            archive, *parts, retention=3600, max_bytes=60_000, limits=Limits(expanded_bytes=4 << 20)
        )
        self._client = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=400))
        self._otlp = self._web = ""
        self.otlp_port = 0

    async def open(self, stack: AsyncExitStack) -> None:
        await self.pipeline.start()
        stack.push_async_callback(self.pipeline.stop)
        server, port = await otlp_grpc.serve(self.pipeline, "127.0.0.1", 0, LIMIT, counters=self.counters)
        stack.push_async_callback(server.stop, 1.0)
        app = FastAPI()
        install(app)
        app.include_router(zipkin.router(self.pipeline, LIMIT, self.counters))
        app.include_router(metrics.router(self.counters.registry))
        app.add_middleware(Gate, auth=None)
        receiver = otlp_http.application(self.pipeline, LIMIT, counters=self.counters)
        self.otlp_port, web = [await self._listen(each, stack) for each in (receiver, app)]
        self._otlp, self._web = f"http://127.0.0.1:{self.otlp_port}", f"http://127.0.0.1:{web}"
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        stack.push_async_callback(self._channel.close)
        stack.push_async_callback(self._client.aclose)

    async def _listen(self, app: object, stack: AsyncExitStack) -> int:
        listener = bind("127.0.0.1", 0, "", "")
        http = HttpServer(app, listener)  # type: ignore[arg-type]
        await http.start()
        stack.push_async_callback(http.stop)
        return port_of(listener)

    async def send(self, sent: Sent) -> None:
        """Until it is answered for good, where it is wanted to be."""
        while True:
            answer = await (self._post(sent) if sent.path else self._call(sent))
            self.answers += answer != LOST
            self.lost += answer == LOST
            if answer in (200, 202, grpc.StatusCode.OK):
                self.taken[sent.signal] += sent.records
            if answer not in (*REFUSED, LOST) or not sent.wanted:
                return
            await asyncio.sleep(PAUSE)

    async def _post(self, sent: Sent) -> int:
        url = f"{self._web}/zipkin/api/v2/spans" if sent.path == "/zipkin" else self._otlp + sent.path
        headers = {"content-type": sent.content}
        try:
            return (await self._client.post(url, content=sent.body, headers=headers)).status_code
        except httpx.TransportError:  # more connections than are answered
            return LOST

    async def _call(self, sent: Sent) -> grpc.StatusCode | int:
        name = f"/opentelemetry.proto.collector.{EXPORT[sent.signal]}/Export"
        try:
            await self._channel.unary_unary(name)(sent.body)
        except grpc.aio.AioRpcError as error:
            ours = "grpc-status-details-bin" in dict(error.trailing_metadata() or ())
            full = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            return LOST if full and not ours else error.code()  # gRPC refuses as well: too large, too many
        return grpc.StatusCode.OK

    async def hang_up(self) -> None:
        """A request of which only a part comes."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.otlp_port)
        head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"
        writer.write(f"{head}content-length: 1000\r\n\r\nabc".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def count(self) -> Counts:
        answer = await self._client.get(f"{self._web}/metrics")
        return Counts(answer.text)


class Counts:
    """What ``/metrics`` says."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self._samples = [sample for family in families for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """Of all series that have these labels."""
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == f"meshscope_{name}_total" and labels.items() <= sample.labels.items()
        )


async def before(engine: Engine, trace: bytes) -> None:
    """An earlier process stores and counts a span."""
    async with AsyncExitStack() as stack:
        earlier = Server(StoreSink(engine), Counters())
        await earlier.open(stack)
        await earlier.send(over_all(traces(1, trace=trace), Signal.SPANS, 1, "", wanted=True)[0])


class Failing(StoreSink):
    """Gives no spans back for a while: what is stored meanwhile of older traces is counted as after a crash."""

    fails = False

    def spans_of(self, wanted: Wanted) -> pa.Table:
        if self.fails:
            raise OSError("the disk is gone")
        return super().spans_of(wanted)


async def test_spans_that_are_counted_from_the_store(
    telemetry: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R1.1: the store fails between spans and calls. They are neither linked nor lost, but recounted."""
    monkeypatch.setattr("collector.derivations.RETRY", 0.05)
    archive, trace = Failing(telemetry), os.urandom(16)
    await before(telemetry, trace)
    async with AsyncExitStack() as stack:
        server = Server(archive, Counters())
        await server.open(stack)
        await server.send(over_all(traces(3), Signal.SPANS, 3, "/v1/traces", wanted=True)[1])
        await server.pipeline.settled()
        archive.fails = True
        waiting = over_all(traces(7, trace=trace), Signal.SPANS, 7, "/v1/traces", wanted=True)
        await server.send(waiting[0])
        await until(lambda: not server.pipeline.sure)
        archive.fails = False
        await server.pipeline.settled()
        for sent in (waiting[1], over_all(traces(2), Signal.SPANS, 2, "", wanted=True)[0]):
            await server.send(sent)
        await server.pipeline.settled()
        found = await server.count()
    check_spans(found)
    told = {outcome: found.sum("spans", outcome=outcome) for outcome in ("recounted", "linked", "duplicate")}
    assert told == {"recounted": 7, "linked": 3 + 2, "duplicate": 7}  # the copy came after
    stored = calls.between(telemetry, 0, 2**32 - 1).sums
    assert stored["calls"].sum() == 1 + 3 + 7 + 2


async def test_the_equations_hold_under_load(telemetry: Engine) -> None:
    trace = os.urandom(16)
    await before(telemetry, trace)
    async with AsyncExitStack() as stack:
        server = Server(StoreSink(telemetry), Counters())
        await server.open(stack)
        late = over_all(traces(2, trace=trace), Signal.SPANS, 2, "/v1/traces", wanted=True)[:1]
        mix = [*chain.from_iterable((*good(), *bad()) for _ in range(ROUNDS)), *too_large(), *late]
        async with asyncio.timeout(60):
            await asyncio.gather(*map(server.send, mix), *(server.hang_up() for _ in range(3)))
        await until(lambda: server.counters.requests.labels("spans", "broken_off")._value.get() >= 3)
        await server.pipeline.settled()
        found = await server.count()
    for signal in Signal:
        check_requests(found, signal)
        check_records(found, signal, server.taken[signal])
    assert server.answers + 3 <= found.sum("requests_received") <= server.answers + server.lost + 3
    check_spans(found)
    for outcome in ("linked", "duplicate", "late", "future"):
        assert found.sum("spans", outcome=outcome) > 0, outcome
    assert found.sum("spans", outcome="late") == 2
    for door in ("otlp_grpc", "otlp_http", "otlp_http_json", "zipkin"):
        assert found.sum("records_received", door=door) > 0, door
    for name in ("records_unused", "records_rejected", "records_refused"):
        assert found.sum(name) > 0, name


def check_requests(found: Counts, signal: str) -> None:
    outcomes = ("stored", "rejected", "refused", "broken_off")
    told = {outcome: found.sum("requests", signal=signal, outcome=outcome) for outcome in outcomes}
    assert found.sum("requests_received", signal=signal) == sum(told.values()), told
    assert told["stored"] > 0
    assert told["rejected"] > 0


def check_records(found: Counts, signal: str, taken: int) -> None:
    """Also against what the answers said, which the counters do not know."""
    stored, unused, rejected, refused = (
        found.sum(f"records_{name}", signal=signal) for name in ("stored", "unused", "rejected", "refused")
    )
    assert found.sum("records_received", signal=signal) == stored + unused + rejected + refused
    for whole in (TOO_LARGE, UNREADABLE):
        rejected -= found.sum("records_rejected", signal=signal, reason=whole)
    assert stored + unused + rejected == taken > 0


def check_spans(found: Counts) -> None:
    outcomes = ("linked", "duplicate", "future", "failed", "recounted")
    told = {outcome: found.sum("spans", outcome=outcome) for outcome in outcomes}
    assert found.sum("records_stored", signal="spans") == sum(told.values()), told
    assert found.sum("spans", outcome="late") <= told["linked"] + told["duplicate"]
