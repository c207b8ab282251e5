"""An instance takes its route's steps: its share of failures, its times, its calls, its messages."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from proxy_plugin.demo.broker import Broker, Message
from proxy_plugin.demo.client import Client
from proxy_plugin.demo.instance import Instance
from proxy_plugin.demo.model import (
    Call,
    Delay,
    Fail,
    Publish,
    Query,
    Route,
    Step,
    Subscription,
    Together,
    Work,
)
from proxy_plugin.demo.placement import Dial
from proxy_plugin.demo.shop import ORDERS, SHOP
from proxy_plugin.demo.telemetry import tracer
from tests.proxy_plugin.demo import virtual
from tests.proxy_plugin.demo.test_client import OK, Server, listening
from tests.proxy_plugin.demo.waiting import until

HEADERS = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "x-request-id": "r", "cookie": "c"}
DOWN = b"HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n"


def instance(
    routes: tuple[Route, ...] = (),
    *,
    port: int = 0,
    slowness: float = 1.0,
    processor: SpanProcessor | None = None,
    broker: Broker | None = None,
) -> Instance:
    return Instance(
        owner="shop/a",
        routes=routes,
        slowness=slowness,
        dial={"shop/b": Dial(port=port, host="b.shop")},
        rng=random.Random(3),  # noqa: S311 - dice
        tracer=tracer(
            processor or SpanProcessor(), name="a", namespace="shop", version="v1", instance="a-v1-1"
        ),
        client=Client(),
        broker=broker or Broker([]),
    )


def get(*steps: Step) -> tuple[Route, ...]:
    return (Route("GET", "/", steps),)


def test_pricing_fails_two_percent() -> None:
    """5000 tries, 100 expected, standard deviation 9.9: the bounds are five of them away."""

    async def ask() -> Counter[int]:
        pricing = instance(SHOP.routes("shop/pricing"))
        answers = await asyncio.gather(*(pricing.answer("GET", "/prices/1", {}) for _ in range(5000)))
        return Counter(status for status, _ in answers)

    statuses = asyncio.run(ask())
    assert set(statuses) == {200, 500}
    assert 50 <= statuses[500] <= 150


def test_recommend_takes_80_to_400_ms() -> None:
    """Its own time only, without the call that it makes before."""

    async def ask(recommend: Instance) -> float:
        status, _ = await recommend.answer("GET", "/", {})
        assert status == 200
        return virtual.now()

    async def measure() -> list[float]:
        work = tuple(s for s in SHOP.service("shop/recommend").steps if isinstance(s, Work))
        recommend = instance(get(*work))
        return sorted(await asyncio.gather(*(ask(recommend) for _ in range(400))))

    times = virtual.run(measure())
    assert times[0] >= 0.08
    # The median's standard error is 4 ms.
    assert 0.16 <= times[200] <= 0.2
    assert times[-1] <= 0.4


def test_a_slower_version_takes_longer() -> None:
    async def measure() -> float:
        await instance(get(Work(Delay(20, low=20, high=20))), slowness=2.5).answer("GET", "/", {})
        return virtual.now()

    assert virtual.run(measure()) == pytest.approx(0.05)


def test_an_unknown_path_is_404() -> None:
    assert asyncio.run(instance(get()).answer("GET", "/nowhere", {}))[0] == 404


@pytest.mark.parametrize(
    ("answer", "optional", "status"), [(OK, False, 200), (DOWN, False, 502), (DOWN, True, 200)]
)
def test_an_upstreams_error_fails_the_caller_unless_it_is_optional(
    answer: bytes, optional: bool, status: int
) -> None:
    async def ask() -> int:
        server = Server(answer)
        async with listening(server) as port:
            caller = instance(get(Call("shop/b", "/x/{id}", optional=optional)), port=port)
            result, _ = await caller.answer("GET", "/", HEADERS)
            caller.client.close()
        (head,) = server.heads
        assert head.startswith("GET /x/")
        assert "host: b.shop\r\n" in head
        assert f"traceparent: {HEADERS['traceparent']}\r\n" in head
        assert "x-request-id: r\r\n" in head
        assert "cookie" not in head
        return result

    assert asyncio.run(ask()) == status


def test_an_upstream_that_is_not_there_fails_the_caller() -> None:
    async def ask() -> int:
        async with listening(Server(OK)) as port:
            pass
        return (await instance(get(Call("shop/b", "/")), port=port).answer("GET", "/", {}))[0]

    assert asyncio.run(ask()) == 502


def test_the_id_of_the_path_is_handed_on() -> None:
    async def ask() -> str:
        server = Server(OK)
        async with listening(server) as port:
            caller = instance((Route("GET", "/p/{id}", (Call("shop/b", "/x/{id}"),)),), port=port)
            await caller.answer("GET", "/p/17", {})
            caller.client.close()
        return server.heads[0].split(" ")[1]

    assert asyncio.run(ask()) == "/x/17"


def test_steps_together_all_run_and_one_failure_is_the_answer() -> None:
    async def ask() -> tuple[int, int]:
        exporter = InMemorySpanExporter()
        steps = Together((Fail(1.0, 503), Query(ORDERS, "SELECT"), Query(ORDERS, "UPDATE")))
        caller = instance(get(steps), processor=SimpleSpanProcessor(exporter))
        status, _ = await caller.answer("GET", "/", HEADERS)
        return status, len(exporter.get_finished_spans())

    assert asyncio.run(ask()) == (503, 2)


def test_a_message_reaches_its_consumer_in_the_same_trace() -> None:
    async def exchange() -> InMemorySpanExporter:
        exporter, broker = InMemorySpanExporter(), Broker([("order.created", "shop/a")])
        processor = SimpleSpanProcessor(exporter)
        both = instance(get(Publish("order.created")), processor=processor, broker=broker)
        await both.answer("GET", "/", HEADERS)
        await handle_one(both, (Query(ORDERS, "UPDATE", "orders"),), exporter)
        return exporter

    exporter = asyncio.run(exchange())
    spans = {span.kind: span for span in exporter.get_finished_spans()}
    producer, consumer, query = (
        spans[kind] for kind in (SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.CLIENT)
    )
    assert producer.context
    assert consumer.context
    assert consumer.parent
    assert consumer.parent.span_id == producer.context.span_id
    assert query.parent
    assert query.parent.span_id == consumer.context.span_id
    assert {span.context.trace_id for span in spans.values() if span.context} == {int("a" * 32, 16)}


def test_a_consumer_that_fails_says_so_and_goes_on() -> None:
    async def exchange() -> InMemorySpanExporter:
        exporter, broker = InMemorySpanExporter(), Broker([("topic", "shop/a")])
        consumer = instance(processor=SimpleSpanProcessor(exporter), broker=broker)
        for number in "12":
            broker.publish(Message(number, "topic", HEADERS))
        await handle_one(consumer, (Fail(1.0, 500),), exporter, spans=2, topic="topic")
        return exporter

    for span in asyncio.run(exchange()).get_finished_spans():
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "500"


async def handle_one(
    consumer: Instance,
    steps: tuple[Step, ...],
    exporter: InMemorySpanExporter,
    *,
    spans: int = 1,
    topic: str = "order.created",
) -> None:
    """Lets the consumer run until `spans` CONSUMER spans have ended."""
    task = asyncio.create_task(consumer.consume(Subscription(topic, steps)))
    await until(lambda: sum(s.kind is SpanKind.CONSUMER for s in exporter.get_finished_spans()) >= spans)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
