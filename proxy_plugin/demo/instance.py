"""One running instance of a demo service: finds the route, takes its steps, answers."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from opentelemetry.trace import Span, StatusCode, Tracer

from proxy_plugin.demo.broker import Broker, Message
from proxy_plugin.demo.client import Response
from proxy_plugin.demo.model import Call, Fail, Publish, Query, Route, Step, Subscription, Together, Work
from proxy_plugin.demo.placement import Dial
from proxy_plugin.demo.telemetry import CONTEXT_HEADERS, process_span, query_span, send_span, under


class Calls(Protocol):
    """How an instance calls others: `demo.client.Client`, or by the library. Raises OSError and TimeoutError."""

    async def request(self, port: int, method: str, path: str, headers: Mapping[str, str]) -> Response: ...

    def close(self) -> None: ...


class StepError(Exception):
    """The request ends with `status`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Job:
    """What the steps of one request (or message) need to know about it."""

    headers: Mapping[str, str]
    item: str
    """The id that fills `{id}` in the paths of upstream calls."""


@dataclass(frozen=True)
class Instance:
    """The state of a service is its dice; everything else is given."""

    owner: str
    routes: tuple[Route, ...]
    slowness: float
    dial: Mapping[str, Dial]
    rng: random.Random
    tracer: Tracer
    client: Calls
    broker: Broker

    async def answer(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and a word about it."""
        route = next((route for route in self.routes if route.matches(method, path)), None)
        if route is None:
            return 404, "no such route"
        try:
            await self._take(route.steps, Job(_context_of(headers), self._item(path)))
        except StepError as failure:
            return failure.status, str(failure)
        return 200, "ok"

    async def consume(self, subscription: Subscription) -> None:
        """Handles one message after the other until cancelled."""
        while True:
            message = await self.broker.receive(subscription.topic, self.owner)
            span = process_span(self.tracer, message.topic, message.id, self.owner, message.headers)
            job = Job(under(span, message.headers), self._item(""))
            try:
                await self._take(subscription.steps, job)
            except StepError as failure:
                _mark_failed(span, failure)
            finally:
                span.end()

    async def _take(self, steps: Sequence[Step], job: Job) -> None:
        for step in steps:
            await self._step(step, job)

    async def _step(self, step: Step, job: Job) -> None:
        match step:
            case Work(delay, share):
                if share >= 1 or self.rng.random() < share:
                    await asyncio.sleep(delay.sample(self.rng) * self.slowness / 1000)
            case Fail(share, status):
                if self.rng.random() < share:
                    raise StepError(status, "the dice said no")
            case Call():
                await self._call(step, job)
            case Query(delay=delay):
                span = query_span(self.tracer, step, job.headers)
                await asyncio.sleep(delay.sample(self.rng) / 1000)
                span.end()
            case Publish(topic):
                self._publish(topic, job)
            case Together(steps):
                await self._together(steps, job)

    async def _together(self, steps: Sequence[Step], job: Job) -> None:
        """Every step runs to its end; the first failure, in the order of the steps, is the request's."""
        results = await asyncio.gather(*(self._step(step, job) for step in steps), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _call(self, call: Call, job: Job) -> None:
        """Upstream trouble is 502 here, as a caller sees it; an optional call's trouble is nobody's."""
        dial = self.dial[call.target]
        headers = {"host": dial.host, **job.headers}
        try:
            response = await self.client.request(
                dial.port, call.method, call.path.replace("{id}", job.item), headers
            )
        except OSError as error:  # TimeoutError is one
            reason = f"{call.target}: {error!r}"
        else:
            if response.ok:
                return
            reason = f"{call.target} answered {response.status}"
        if not call.optional:
            raise StepError(502, reason)

    def _publish(self, topic: str, job: Job) -> None:
        message_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        span = send_span(self.tracer, topic, message_id, job.headers)
        self.broker.publish(Message(message_id, topic, under(span, job.headers)))
        span.end()

    def _item(self, path: str) -> str:
        last = path.partition("?")[0].rpartition("/")[2]
        return last if last.isdigit() else str(self.rng.randint(1, 200))


def _context_of(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in CONTEXT_HEADERS if name in headers}


def _mark_failed(span: Span, failure: StepError) -> None:
    span.set_attribute("error.type", str(failure.status))
    span.set_status(StatusCode.ERROR, str(failure))
